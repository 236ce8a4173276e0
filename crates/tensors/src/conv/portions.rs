//! Ranges divided into about equal portions.

use std::ops::Range;

/// About equal portions of a range that begins with 0.
#[derive(Clone, Copy)]
pub(super) struct Portions {
    pub(super) all: usize,
    pub(super) count: usize,
}

impl Portions {
    /// As few as are not larger than `most`.
    pub(super) fn up_to(all: usize, most: usize) -> Self {
        Self { all, count: all.div_ceil(most) }
    }

    /// Up to `count`, none much smaller than `least`.
    pub(super) fn wanted(all: usize, count: usize, least: usize) -> Self {
        Self { all, count: count.min(all / least).max(1) }
    }

    pub(super) fn range(&self, number: usize) -> Range<usize> {
        number * self.all / self.count..(number + 1) * self.all / self.count
    }
}
