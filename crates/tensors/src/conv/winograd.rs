//! Minimal filtering of 3x3 kernels with stride 1 (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
//! Networks", F(2x2, 3x3), after Winograd 1980).
//!
//! An output tile of 2x2 pixels takes 16 products instead of 36: those of an input tile of 4x4 and of the kernel, both
//! transformed. Over all channels the products are 16 products of matrices. The transforms add and subtract, and
//! halve the weights, so that the rounding errors stay about those of the plain sums.
//!
//! A kernel with dilation d reads pixels of one of d * d phases of the image only: each is a dense convolution.

mod correlation;
mod transform;
mod weight_gradient;
mod weights;

use super::canvas::{Canvas, Reach, Tap};
use super::lanes::width;
use super::vectors::{Target, Vectors};

pub(super) use correlation::Winograd;
pub(super) use weight_gradient::weight_gradient;

/// Points of a transformed tile.
const POINTS: usize = 16;
/// Lanes of tiles that are worked on at once: what is transformed stays in the second-level cache.
const LANES: usize = 96;
/// The plain sums are as fast where less than this part of the tiles' pixels exists.
const LEAST_USE: f64 = 0.62;
/// Tiles below which transforming the weights does not pay.
const LEAST_TILES: usize = 96;

/// The taps of a 3x3 kernel as a grid.
struct Grid {
    dilation: usize,
    /// Of the first tap.
    row: isize,
    column: isize,
    /// Positions of the weights, row after row.
    weights: [usize; 9],
}

impl Grid {
    fn of(reach: &Reach) -> Option<Self> {
        if reach.step != 1 || reach.taps.len() != 9 {
            return None;
        }
        let mut taps: Vec<&Tap> = reach.taps.iter().collect();
        taps.sort_by_key(|tap| (tap.row, tap.column));
        let (first, dilation) = (taps[0], taps[1].column - taps[0].column);
        let in_grid = |(index, tap): (usize, &&Tap)| {
            let (row, column) = ((index / 3) as isize, (index % 3) as isize);
            tap.row == first.row + row * dilation && tap.column == first.column + column * dilation
        };
        let weights = std::array::from_fn(|index| taps[index].weight);
        (dilation > 0 && taps.iter().enumerate().all(in_grid)).then_some(Self {
            dilation: dilation as usize,
            row: first.row,
            column: first.column,
            weights,
        })
    }

    /// The phases of the results, none if a phase is too small for tiles of 2x2.
    fn phases(&self, reach: &Reach) -> Option<Vec<Phase>> {
        let starts = (0..self.dilation).flat_map(|row| (0..self.dilation).map(move |column| (row, column)));
        starts.map(|start| self.phase(reach, start)).collect()
    }

    fn phase(&self, reach: &Reach, (row, column): (usize, usize)) -> Option<Phase> {
        let d = self.dilation;
        let (height, width) = reach.results;
        if row >= height || column >= width {
            return None;
        }
        let size = ((height - row).div_ceil(d), (width - column).div_ceil(d));
        let tap = |point: usize| Tap {
            row: self.row + (row + point / 4 * d) as isize,
            column: self.column + (column + point % 4 * d) as isize,
            weight: point,
            phase: 0,
        };
        let tiles = (size.0.div_ceil(2), size.1.div_ceil(2));
        let taps = (0..POINTS).map(tap).collect();
        let canvas = Canvas::new(Reach { source: reach.source, results: tiles, step: 2 * d, taps });
        (canvas.taps().len() == POINTS).then_some(Phase { canvas, start: (row, column), size, tiles })
    }
}

/// The pixels that lie a whole number of dilations apart, in tiles.
struct Phase {
    canvas: Canvas,
    /// Row and column of the first pixel.
    start: (usize, usize),
    /// Rows and columns of pixels.
    size: (usize, usize),
    /// Rows and columns of tiles.
    tiles: (usize, usize),
}

impl Phase {
    /// The tiles of some rows as vectors; a piece's offset counts the tiles row after row.
    fn vectors(&self, rows: usize) -> Vectors {
        let target = Target { size: (rows, self.tiles.1), origin: 0, row_step: self.tiles.1, column_step: 1 };
        Vectors::new(rows, self.canvas.pitch, &target, width())
    }

    /// Rows of tiles that fill about [`LANES`].
    fn rows(&self) -> usize {
        (LANES / self.canvas.pitch).clamp(1, self.tiles.0)
    }
}

/// Whether the tiles pay: enough of them, enough of their pixels exist, and enough channels on the other side share each
/// transform, `least` as the harmonic mean of both sides' numbers counts them.
fn pays(phases: &[Phase], batch: usize, (inputs, outputs): (usize, usize), least: usize) -> bool {
    let tiles: usize = phases.iter().map(|phase| phase.tiles.0 * phase.tiles.1).sum();
    let pixels: usize = phases.iter().map(|phase| phase.size.0 * phase.size.1).sum();
    let lanes: f64 = phases
        .iter()
        .map(|phase| {
            let rows = phase.rows();
            let bands = phase.tiles.0 as f64 / rows as f64;
            (phase.vectors(rows).list.len() * width()) as f64 * bands
        })
        .sum();
    2 * inputs * outputs >= least * (inputs + outputs)
        && batch * tiles >= LEAST_TILES
        && pixels as f64 >= LEAST_USE * 4.0 * lanes
}
