//! Ranges divided into about equal portions.

use std::ops::Range;

/// About equal portions of a range that begins with 0.
#[derive(Clone, Copy)]
pub(super) struct Portions {
    all: usize,
    pub(super) count: usize,
    /// What all bounds but the last are multiples of.
    step: usize,
}

impl Portions {
    pub(super) fn new(all: usize, count: usize) -> Self {
        Self { all, count, step: 1 }
    }

    /// As few as are not larger than `most`.
    pub(super) fn up_to(all: usize, most: usize) -> Self {
        Self::new(all, all.div_ceil(most))
    }

    /// Up to `count`, none much smaller than `least`.
    pub(super) fn wanted(all: usize, count: usize, least: usize) -> Self {
        Self::new(all, count.min(all / least).max(1))
    }

    /// The same number of portions, of whole steps but for the last.
    pub(super) fn in_steps(self, step: usize) -> Self {
        Self { step, ..self }
    }

    pub(super) fn range(&self, number: usize) -> Range<usize> {
        let steps = self.all.div_ceil(self.step);
        let bound = |number: usize| (number * steps / self.count * self.step).min(self.all);
        bound(number)..bound(number + 1)
    }
}
