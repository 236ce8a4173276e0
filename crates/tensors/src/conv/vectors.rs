//! Result pixels cut into vectors that are summed at once.

use std::ops::Range;

/// Where the results of a correlation lie in their planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Rows and columns of results.
    pub(super) size: (usize, usize),
    /// Of the first result, and the distances between rows and between columns.
    pub(super) origin: usize,
    pub(super) row_step: usize,
    pub(super) column_step: usize,
}

impl Target {
    /// A plane that holds results alone, row after row.
    pub(super) fn plane(size: (usize, usize)) -> Self {
        Self { size, origin: 0, row_step: size.1, column_step: 1 }
    }
}

/// The result pixels of a band of rows.
pub(super) struct Vectors {
    pub(super) list: Vec<Vector>,
    pub(super) pieces: Vec<Piece>,
}

pub(super) struct Vector {
    /// Of the first pixel, in the canvas.
    pub(super) position: usize,
    pub(super) pieces: Range<usize>,
}

/// Neighbouring result pixels in a vector.
pub(super) struct Piece {
    /// Lane of the first pixel.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Row and column of the first pixel in the band.
    pub(super) row: usize,
    pub(super) column: usize,
    /// Of the first pixel, in the target plane, if the band begins with the first row.
    pub(super) offset: usize,
}

impl Vectors {
    /// Takes row after row where rows are long; where they are short, vectors run across the borders of rows, and the
    /// sums for the pixels between them are thrown away.
    pub(super) fn new(rows: usize, pitch: usize, target: &Target, lanes: usize) -> Self {
        let mut vectors = Self { list: Vec::new(), pieces: Vec::new() };
        if rows == 0 {
            return vectors;
        }
        let width = target.size.1;
        let all = (rows - 1) * pitch + width;
        if rows * width.div_ceil(lanes) <= all.div_ceil(lanes) {
            for row in (0..rows).map(|row| row * pitch..row * pitch + width) {
                row.clone()
                    .step_by(lanes)
                    .for_each(|start| vectors.push(start..(start + lanes).min(row.end), pitch, target));
            }
        } else {
            (0..all)
                .step_by(lanes)
                .for_each(|start| vectors.push(start..(start + lanes).min(all), pitch, target));
        }
        vectors
    }

    fn push(&mut self, positions: Range<usize>, pitch: usize, target: &Target) {
        let first_piece = self.pieces.len();
        let mut position = positions.start;
        while position < positions.end {
            let (row, column) = (position / pitch, position % pitch);
            let end = positions.end.min((row + 1) * pitch);
            if column < target.size.1 {
                self.pieces.push(Piece {
                    first: position - positions.start,
                    row,
                    column,
                    count: end.min(row * pitch + target.size.1) - position,
                    offset: target.origin + row * target.row_step + column * target.column_step,
                });
            }
            position = end;
        }
        self.list.push(Vector { position: positions.start, pieces: first_piece..self.pieces.len() });
    }
}
