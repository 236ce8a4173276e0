//! The input values under each kernel tap, as a matrix: "im2col" and its transpose "col2im"
//! (Chellapilla, Puri, Simard 2006, "High Performance Convolutional Neural Networks for Document Processing").

use std::ops::Range;

use super::Geometry;

/// A row of output pixels that a tile covers.
struct Segment {
    row: usize,
    columns: Range<usize>,
    /// Position in the tile of the first of `columns`.
    start: usize,
}

/// Cuts a tile, a range of flat output positions, into rows.
fn segments(tile: &Range<usize>, width: usize) -> impl Iterator<Item = Segment> + use<> {
    let tile = tile.clone();
    (tile.start / width..tile.end.div_ceil(width)).map(move |row| {
        let start = tile.start.max(row * width);
        let end = tile.end.min((row + 1) * width);
        Segment { row, columns: start - row * width..end - row * width, start: start - tile.start }
    })
}

/// One row of the matrix: an input channel seen through one kernel tap.
#[derive(Clone, Copy)]
struct Tap {
    channel: usize,
    row: usize,
    column: usize,
}

impl Tap {
    fn of_term(geometry: &Geometry, term: usize) -> Self {
        let (channel, tap) = (term / geometry.taps(), term % geometry.taps());
        Self { channel, row: tap / geometry.kernel.1, column: tap % geometry.kernel.1 }
    }
}

/// Writes the matrix (terms x tile) of the input values that the output pixels of `tile` read.
///
/// `x` holds the group's input planes of one image.
pub(super) fn gather(
    geometry: &Geometry,
    x: &[f32],
    terms: Range<usize>,
    tile: Range<usize>,
    columns: &mut [f32],
) {
    let pixels = geometry.input_pixels();
    for (term, line) in terms.zip(columns.chunks_exact_mut(tile.len())) {
        let tap = Tap::of_term(geometry, term);
        gather_line(geometry, &x[tap.channel * pixels..][..pixels], tap, &tile, line);
    }
}

fn gather_line(geometry: &Geometry, plane: &[f32], tap: Tap, tile: &Range<usize>, line: &mut [f32]) {
    let inner = geometry.inner_columns(tap.column);
    for segment in segments(tile, geometry.output.1) {
        let line = &mut line[segment.start..][..segment.columns.len()];
        let (start, end) = overlap(&segment.columns, &inner);
        let Some(row) = geometry.input_row(segment.row, tap.row).filter(|_| start < end) else {
            line.fill(0.0);
            continue;
        };
        let shift = segment.columns.start;
        line[..start - shift].fill(0.0);
        line[end - shift..].fill(0.0);
        let source = &plane[row * geometry.input.1 + geometry.input_column(start, tap.column)..];
        let target = &mut line[start - shift..end - shift];
        match geometry.stride {
            1 => target.copy_from_slice(&source[..target.len()]),
            2 => target.iter_mut().zip(source.iter().step_by(2)).for_each(|(to, from)| *to = *from),
            stride => target.iter_mut().zip(source.iter().step_by(stride)).for_each(|(to, from)| *to = *from),
        }
    }
}

/// Adds each value of the matrix (terms x tile) to the input pixel it stands for: the transpose of `gather`.
///
/// `dx` holds the input planes of the channels to which `terms` belong, the first of them being `first_channel`.
pub(super) fn scatter_add(
    geometry: &Geometry,
    columns: &[f32],
    terms: Range<usize>,
    tile: Range<usize>,
    first_channel: usize,
    dx: &mut [f32],
) {
    let pixels = geometry.input_pixels();
    for (term, line) in terms.zip(columns.chunks_exact(tile.len())) {
        let tap = Tap::of_term(geometry, term);
        let plane = &mut dx[(tap.channel - first_channel) * pixels..][..pixels];
        scatter_line(geometry, line, tap, &tile, plane);
    }
}

fn scatter_line(geometry: &Geometry, line: &[f32], tap: Tap, tile: &Range<usize>, plane: &mut [f32]) {
    let inner = geometry.inner_columns(tap.column);
    for segment in segments(tile, geometry.output.1) {
        let (start, end) = overlap(&segment.columns, &inner);
        let Some(row) = geometry.input_row(segment.row, tap.row).filter(|_| start < end) else { continue };
        let source = &line[segment.start + start - segment.columns.start..][..end - start];
        let target = &mut plane[row * geometry.input.1 + geometry.input_column(start, tap.column)..];
        match geometry.stride {
            1 => target.iter_mut().zip(source).for_each(|(to, from)| *to += *from),
            2 => target.iter_mut().step_by(2).zip(source).for_each(|(to, from)| *to += *from),
            stride => target.iter_mut().step_by(stride).zip(source).for_each(|(to, from)| *to += *from),
        }
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> (usize, usize) {
    let start = a.start.max(b.start).min(a.end);
    (start, a.end.min(b.end).max(start))
}
