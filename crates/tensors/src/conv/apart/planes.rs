//! Some columns of planes, next to each other.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use crate::conv::matrix::Matrix;
use crate::filled::filled;

/// Some columns of the planes of all units.
pub(super) struct Planes<'a> {
    values: Cow<'a, [f32]>,
    /// Planes of a unit.
    channels: usize,
    /// Rows and columns of a plane.
    size: (usize, usize),
}

impl<'a> Planes<'a> {
    /// The `columns` of planes of `size`; all of them need no copy.
    pub(super) fn of(
        values: &'a [f32],
        channels: usize,
        (height, width): (usize, usize),
        columns: Range<usize>,
    ) -> Self {
        let size = (height, columns.len());
        if columns.len() == width {
            return Self { values: Cow::Borrowed(values), channels, size };
        }
        let (plane, copy) = (height * width, height * columns.len());
        // SAFETY: the chunks are as many as the planes, and their rows are written as a whole.
        let values = unsafe {
            filled(values.len() / plane * copy, |copies| {
                copies.par_chunks_mut(copy).zip(values.par_chunks(plane)).for_each(|(copy, plane)| {
                    for (to, from) in copy.chunks_exact_mut(size.1).zip(plane.chunks_exact(width)) {
                        to.write_copy_of_slice(&from[columns.clone()]);
                    }
                });
            })
        };
        Self { values: Cow::Owned(values), channels, size }
    }

    /// Some rows of some planes of a unit, the pixels of a plane in a row of the matrix.
    pub(super) fn matrix(&self, unit: usize, channels: Range<usize>, rows: Range<usize>) -> Matrix<'_> {
        let (height, width) = self.size;
        let start = ((unit * self.channels + channels.start) * height + rows.start) * width;
        Matrix::new(&self.values[start..], channels.len(), rows.len() * width, height * width)
    }
}
