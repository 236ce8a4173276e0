//! Scores of one foreground class against everything else.

use crate::confusion::ratio;
use crate::{Error, Map};

/// How often the foreground, label 1, was found, missed and imagined, in pixels over everything added.
///
/// With TP, FP and FN the true positives, false positives and false negatives, F1 = 2 TP / (2 TP + FP + FN) and the
/// Jaccard similarity index (IoU) = TP / (TP + FP + FN). A score whose denominator is 0 is `None`, never NaN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Binary {
    /// Foreground that was predicted as such.
    pub true_positives: u64,
    /// Background that was predicted as foreground.
    pub false_positives: u64,
    /// Background that was predicted as such.
    pub true_negatives: u64,
    /// Foreground that was predicted as background.
    pub false_negatives: u64,
}

impl Binary {
    /// Counts the pixels of one pair of maps of any shape, 1 foreground and 0 background. Pixels whose truth is `ignore`
    /// are skipped, whatever was predicted there.
    ///
    /// # Errors
    /// [`Error::Lengths`] when the maps differ in length, [`Error::Label`] for the first pixel of another label. Nothing
    /// is counted then.
    pub fn add(&mut self, truth: &[u8], predicted: &[u8], ignore: u8) -> Result<(), Error> {
        same_length(truth.len(), predicted.len())?;
        let mut counts = [[0; 2]; 2];
        for (position, (&t, &p)) in truth.iter().zip(predicted).enumerate() {
            if t == ignore {
                continue;
            }
            let row = counts.get_mut(usize::from(t)).ok_or_else(|| bad_label(Map::Truth, position, t))?;
            let cell = row.get_mut(usize::from(p)).ok_or_else(|| bad_label(Map::Predicted, position, p))?;
            *cell += 1;
        }
        let [[true_negatives, false_positives], [false_negatives, true_positives]] = counts;
        self.merge(&Self { true_positives, false_positives, true_negatives, false_negatives });
        Ok(())
    }

    /// Adds everything another has counted.
    pub fn merge(&mut self, other: &Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.true_negatives += other.true_negatives;
        self.false_negatives += other.false_negatives;
    }

    /// Pixels counted so far.
    pub fn pixels(&self) -> u64 {
        self.true_positives + self.false_positives + self.true_negatives + self.false_negatives
    }

    /// Harmonic mean of precision and recall (Dice); `None` with foreground neither in truth nor in prediction.
    pub fn f1(&self) -> Option<f64> {
        ratio(2 * self.true_positives, 2 * self.true_positives + self.wrong())
    }

    /// Jaccard similarity index, the IoU of the foreground; `None` with foreground neither in truth nor in prediction.
    pub fn jaccard(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.wrong())
    }

    /// Share of the predicted foreground that is foreground; `None` when none was predicted.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the foreground that was found; `None` when the truth has none.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Share of all pixels that were predicted right; `None` when nothing was counted.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_positives + self.true_negatives, self.pixels())
    }

    fn wrong(&self) -> u64 {
        self.false_positives + self.false_negatives
    }
}

pub(crate) fn same_length(truth: usize, predicted: usize) -> Result<(), Error> {
    if truth == predicted { Ok(()) } else { Err(Error::Lengths { truth, predicted }) }
}

/// A label that is neither background nor foreground.
#[cold]
pub(crate) fn bad_label(map: Map, position: usize, value: u8) -> Error {
    Error::Label { map, position, value, classes: 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Confusion;
    use proptest::prelude::*;

    #[test]
    fn counts_and_scores_of_a_hand_made_case() {
        let mut b = Binary::default();
        b.add(&[1, 1, 1, 0, 0, 0, 0, 255], &[1, 1, 0, 1, 0, 0, 0, 1], 255).unwrap();
        let want = Binary { true_positives: 2, false_positives: 1, true_negatives: 3, false_negatives: 1 };
        assert_eq!(b, want);
        assert_eq!(b.f1(), Some(4.0 / 6.0));
        assert_eq!(b.jaccard(), Some(0.5));
        assert_eq!((b.precision(), b.recall()), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
        assert_eq!(b.accuracy(), Some(5.0 / 7.0));
    }

    #[test]
    fn scores_without_a_denominator_do_not_exist() {
        let scores = |b: &Binary| [b.f1(), b.jaccard(), b.precision(), b.recall(), b.accuracy()];
        assert_eq!(scores(&Binary::default()), [None; 5]);
        let mut b = Binary::default();
        b.add(&[0, 0, 255], &[0, 0, 7], 255).unwrap();
        assert_eq!(scores(&b), [None, None, None, None, Some(1.0)]);
        b.add(&[0], &[1], 255).unwrap();
        assert_eq!(scores(&b), [Some(0.0), Some(0.0), Some(0.0), None, Some(2.0 / 3.0)]);
    }

    #[test]
    fn a_bad_label_is_named_and_nothing_is_counted() {
        let mut b = Binary::default();
        let error = b.add(&[0, 1, 2], &[0, 1, 1], 255).unwrap_err();
        assert_eq!(error.to_string(), "label 2 at pixel 2 of the truth is not one of the 2 classes");
        let error = b.add(&[0, 1], &[0, 255], 255).unwrap_err();
        assert_eq!(error.to_string(), "label 255 at pixel 1 of the prediction is not one of the 2 classes");
        let error = b.add(&[0, 1], &[0], 255).unwrap_err();
        assert_eq!(error.to_string(), "truth has 2 pixels, prediction has 1");
        assert_eq!(b, Binary::default());
    }

    proptest! {
        #[test]
        fn scores_are_those_of_a_confusion_of_two_classes(
            pairs in prop::collection::vec((prop_oneof![4 => 0..2u8, 1 => Just(255)], 0..2u8), 0..100),
            cut in 0.0..1.0f64,
        ) {
            let (truth, predicted): (Vec<u8>, Vec<u8>) = pairs.iter().copied().unzip();
            let cut = (pairs.len() as f64 * cut) as usize;
            let (mut merged, mut rest) = (Binary::default(), Binary::default());
            merged.add(&truth[..cut], &predicted[..cut], 255).unwrap();
            rest.add(&truth[cut..], &predicted[cut..], 255).unwrap();
            merged.merge(&rest);
            let mut confusion = Confusion::new(2);
            confusion.add(&truth, &predicted, 255).unwrap();
            prop_assert_eq!(merged.f1(), confusion.f1()[1]);
            prop_assert_eq!(merged.jaccard(), confusion.iou()[1]);
            prop_assert_eq!(merged.precision(), confusion.precision()[1]);
            prop_assert_eq!(merged.recall(), confusion.recall()[1]);
            prop_assert_eq!(merged.accuracy().unwrap_or(0.0), confusion.pixel_accuracy());
        }
    }
}
