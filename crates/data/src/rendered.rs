//! Which pictures of a procedural set a split has.

use crate::dataset::Split;
use crate::error::Error;

/// The pictures of one split, by their numbers in the set.
///
/// Test pictures come first, then validation, then training, so that the held-out pictures stay the same when the
/// training set grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    first: usize,
    pub(crate) len: usize,
}

impl Numbers {
    /// Of a split, given how many pictures are for training, validation and test.
    ///
    /// # Errors
    /// [`Error::Config`] for a split without pictures.
    pub(crate) fn of(split: Split, [train, val, test]: [usize; 3]) -> Result<Self, Error> {
        let (first, len) = match split {
            Split::Test => (0, test),
            Split::Val => (test, val),
            Split::Train => (test.saturating_add(val), train),
        };
        if len == 0 {
            let reason = "0 pictures; a split needs at least one".into();
            return Err(Error::Config { key: split.name(), reason });
        }
        Ok(Self { first, len })
    }

    /// In the set, of the split's picture `index`; also of one that the split has not.
    pub(crate) fn number(self, index: usize) -> usize {
        self.first.saturating_add(index)
    }

    /// What the picture is rendered from.
    ///
    /// # Errors
    /// [`Error::Index`].
    pub(crate) fn checked(self, index: usize) -> Result<u64, Error> {
        if index >= self.len {
            return Err(Error::Index { index, len: self.len });
        }
        Ok(self.number(index) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_lie_behind_each_other_and_more_training_moves_none() {
        for train in [3, 300] {
            let of = |split| Numbers::of(split, [train, 4, 5]).unwrap();
            let first = Split::ALL.map(|split| (split.name(), of(split).checked(0).unwrap(), of(split).len));
            assert!(first.contains(&("test", 0, 5)) && first.contains(&("val", 5, 4)), "{first:?}");
            assert!(first.contains(&("train", 9, train)), "{first:?}");
        }
        let train = Numbers::of(Split::Train, [3, 4, 5]).unwrap();
        assert_eq!(train.checked(2).unwrap(), 11);
        assert!(matches!(train.checked(3), Err(Error::Index { index: 3, len: 3 })));
        assert!(matches!(Numbers::of(Split::Val, [3, 0, 5]), Err(Error::Config { key: "val", .. })));
    }
}
