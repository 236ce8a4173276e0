//! The taps of a kernel by columns, with the results for which they read more than padding.

use std::ops::Range;

use crate::conv::Geometry;

/// A column of a kernel's taps.
pub(super) struct Column {
    /// Columns of the results for which it reads source pixels.
    pub(super) results: Range<usize>,
    /// From a result's column to that of the source pixel.
    shift: isize,
    pub(super) taps: Vec<Tap>,
}

impl Column {
    /// The columns of the source that it reads.
    pub(super) fn source(&self) -> Range<usize> {
        shifted(&self.results, self.shift)
    }
}

/// A tap of a kernel.
pub(super) struct Tap {
    /// Rows of the results for which it reads source pixels.
    pub(super) rows: Range<usize>,
    /// From a result's row to that of the source pixel.
    shift: isize,
    /// Position of its weight among those of an input channel.
    pub(super) weight: usize,
}

impl Tap {
    /// The rows of the source that it reads.
    pub(super) fn source(&self) -> Range<usize> {
        shifted(&self.rows, self.shift)
    }

    /// The tap for some rows of the results only, if it reads anything there.
    pub(super) fn within(&self, rows: &Range<usize>) -> Option<Self> {
        let rows = self.rows.start.max(rows.start)..self.rows.end.min(rows.end);
        (!rows.is_empty()).then_some(Self { rows, ..*self })
    }
}

/// The columns of a convolution of stride 1 that read anything. `direction` turns the shift from an output pixel to an
/// input pixel into that from results to the source.
pub(super) fn columns(
    geometry: &Geometry,
    direction: impl Fn(isize) -> isize,
    source: (usize, usize),
    results: (usize, usize),
) -> Vec<Column> {
    let shift = |tap: usize| direction((tap * geometry.dilation) as isize - geometry.padding as isize);
    let column = |column: usize| {
        let tap = |row: usize| {
            let shift = shift(row);
            Tap { rows: inside(shift, source.0, results.0), shift, weight: row * geometry.kernel.1 + column }
        };
        let taps = (0..geometry.kernel.0).map(tap).filter(|tap| !tap.rows.is_empty()).collect();
        let shift = shift(column);
        Column { results: inside(shift, source.1, results.1), shift, taps }
    };
    let all = (0..geometry.kernel.1).map(column);
    all.filter(|column| !column.results.is_empty() && !column.taps.is_empty()).collect()
}

/// The results that, moved by `shift`, lie in the source.
fn inside(shift: isize, source: usize, results: usize) -> Range<usize> {
    let start = (-shift).max(0) as usize;
    let end = (source as isize - shift).clamp(0, results as isize) as usize;
    start..end.max(start)
}

fn shifted(range: &Range<usize>, shift: isize) -> Range<usize> {
    (range.start as isize + shift) as usize..(range.end as isize + shift) as usize
}
