//! The confusion matrix and the scores read from it.

use crate::{Error, Map};

/// How many pixels of each true class were predicted as each class: a square matrix, row = truth, column = prediction.
///
/// With TP, FP and FN the true positives, false positives and false negatives of a class, in pixels over everything added,
/// IoU = TP / (TP + FP + FN), F1 = 2 TP / (2 TP + FP + FN), precision = TP / (TP + FP) and recall = TP / (TP + FN).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Nothing counted yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// The counts of an earlier confusion, row after row, as [`counts`](Self::counts) gave them.
    ///
    /// # Errors
    /// [`Error::Counts`] when there are not `classes` × `classes` of them.
    pub fn from_counts(classes: usize, counts: &[u64]) -> Result<Self, Error> {
        if classes.checked_mul(classes) != Some(counts.len()) {
            let found = counts.len();
            return Err(Error::Counts { found, classes });
        }
        let counts = counts.to_vec();
        Ok(Self { classes, counts })
    }

    /// Counts the pixels of one pair of maps of any shape. Pixels whose truth is `ignore` are skipped, whatever was
    /// predicted there.
    ///
    /// # Errors
    /// [`Error::Lengths`] when the maps differ in length, [`Error::Label`] for the first pixel whose label is no class.
    /// Nothing is counted then.
    pub fn add(&mut self, truth: &[u8], predicted: &[u8], ignore: u8) -> Result<(), Error> {
        if truth.len() != predicted.len() {
            return Err(Error::Lengths { truth: truth.len(), predicted: predicted.len() });
        }
        let classes = self.classes;
        let mut counts = vec![0; classes * classes];
        for (position, (&t, &p)) in truth.iter().zip(predicted).enumerate() {
            if t == ignore {
                continue;
            }
            if usize::from(t) >= classes || usize::from(p) >= classes {
                return Err(self.bad_label(position, t, p));
            }
            counts[usize::from(t) * classes + usize::from(p)] += 1;
        }
        self.absorb(&counts);
        Ok(())
    }

    /// Adds everything another confusion has counted.
    ///
    /// # Errors
    /// [`Error::Classes`] when the other has more or fewer classes.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.classes != other.classes {
            return Err(Error::Classes { ours: self.classes, theirs: other.classes });
        }
        self.absorb(&other.counts);
        Ok(())
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The matrix, row (one true class) after row.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Pixels counted so far.
    pub fn pixels(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Intersection over union of each class, `None` for a class that occurs neither in truth nor in prediction.
    pub fn iou(&self) -> Vec<Option<f64>> {
        self.per_class(|c| (c.both, c.truth + c.predicted - c.both))
    }

    /// F1 (Dice) of each class, `None` for a class that occurs neither in truth nor in prediction.
    pub fn f1(&self) -> Vec<Option<f64>> {
        self.per_class(|c| (2 * c.both, c.truth + c.predicted))
    }

    /// Share of the pixels predicted as each class that are of it, `None` for a class that was never predicted.
    pub fn precision(&self) -> Vec<Option<f64>> {
        self.per_class(|c| (c.both, c.predicted))
    }

    /// Share of the pixels of each class that were found, `None` for a class that does not occur in the truth.
    pub fn recall(&self) -> Vec<Option<f64>> {
        self.per_class(|c| (c.both, c.truth))
    }

    /// Share of all pixels that were predicted right; 0 when nothing was counted.
    pub fn pixel_accuracy(&self) -> f64 {
        let right = (0..self.classes).map(|c| self.of(c).both).sum();
        ratio(right, self.pixels()).unwrap_or(0.0)
    }

    /// Mean recall over the classes that occur in the truth; 0 when nothing was counted.
    pub fn mean_pixel_accuracy(&self) -> f64 {
        mean_over_present(&self.recall())
    }

    /// Mean IoU over the classes that occur in truth or prediction; 0 when nothing was counted.
    pub fn mean_iou(&self) -> f64 {
        mean_over_present(&self.iou())
    }

    /// Mean F1 over the classes that occur in truth or prediction, background included; 0 when nothing was counted.
    pub fn mean_f1(&self) -> f64 {
        mean_over_present(&self.f1())
    }

    /// Mean F1 over the classes that occur in truth or prediction, without class 0, the background. This is the "mean F1"
    /// of the papers on LaPa and CelebAMask-HQ. 0 when nothing but background was counted.
    pub fn mean_f1_foreground(&self) -> f64 {
        mean_over_present(self.f1().get(1..).unwrap_or_default())
    }

    /// IoU of each class weighted by the share of the true pixels that are of it; 0 when nothing was counted.
    pub fn frequency_weighted_iou(&self) -> f64 {
        let weighted = |(c, iou): (usize, Option<f64>)| iou.unwrap_or(0.0) * self.of(c).truth as f64;
        let sum: f64 = self.iou().into_iter().enumerate().map(weighted).sum();
        sum / self.pixels().max(1) as f64
    }

    /// F1 of several classes taken as one, so that confusions among them count as right; `None` when none of them occurs in
    /// truth or prediction. An index that is not a class counts as a class without pixels, a repeated one counts once.
    pub fn group_f1(&self, members: &[usize]) -> Option<f64> {
        let inside: Vec<bool> = (0..self.classes).map(|c| members.contains(&c)).collect();
        let (mut both, mut total) = (0, 0);
        for (row, counts) in self.counts.chunks_exact(self.classes.max(1)).enumerate() {
            for (column, &count) in counts.iter().enumerate() {
                both += if inside[row] && inside[column] { count } else { 0 };
                total += count * (u64::from(inside[row]) + u64::from(inside[column]));
            }
        }
        ratio(2 * both, total)
    }

    fn per_class(&self, parts: impl Fn(Class) -> (u64, u64)) -> Vec<Option<f64>> {
        let score = |c| {
            let (part, whole) = parts(self.of(c));
            ratio(part, whole)
        };
        (0..self.classes).map(score).collect()
    }

    fn of(&self, class: usize) -> Class {
        let n = self.classes;
        Class {
            both: self.counts[class * n + class],
            truth: self.counts[class * n..][..n].iter().sum(),
            predicted: self.counts[class..].iter().step_by(n).sum(),
        }
    }

    fn absorb(&mut self, counts: &[u64]) {
        for (ours, theirs) in self.counts.iter_mut().zip(counts) {
            *ours += theirs;
        }
    }

    #[cold]
    fn bad_label(&self, position: usize, truth: u8, predicted: u8) -> Error {
        let wrong_truth = usize::from(truth) >= self.classes;
        let (map, value) = match wrong_truth {
            true => (Map::Truth, truth),
            false => (Map::Predicted, predicted),
        };
        Error::Label { map, position, value, classes: self.classes }
    }
}

/// The mean of the scores that exist: classes that do not occur are left out of it. 0 when there is none.
pub fn mean_over_present(scores: &[Option<f64>]) -> f64 {
    let (sum, present) = scores.iter().flatten().fold((0.0, 0u32), |(sum, n), score| (sum + score, n + 1));
    sum / f64::from(present.max(1))
}

/// The mean over all classes, those that do not occur counting as 0: the other convention of the literature. 0 without
/// classes.
pub fn mean_over_all(scores: &[Option<f64>]) -> f64 {
    scores.iter().flatten().sum::<f64>() / scores.len().max(1) as f64
}

/// Pixels of one class.
struct Class {
    /// True and predicted.
    both: u64,
    /// Of the class in truth.
    truth: u64,
    /// Predicted as the class.
    predicted: u64,
}

/// A share; `None` of nothing.
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn confusion(classes: usize, truth: &[u8], predicted: &[u8]) -> Confusion {
        let mut c = Confusion::new(classes);
        c.add(truth, predicted, 255).unwrap();
        c
    }

    #[test]
    fn rows_are_truth_and_columns_prediction() {
        let c = confusion(2, &[0, 0, 1, 255], &[0, 1, 1, 0]);
        assert_eq!(c.counts(), [1, 1, 0, 1]);
        assert_eq!(c.pixels(), 3);
    }

    #[test]
    fn a_bad_label_is_named_and_nothing_is_counted() {
        let mut c = confusion(3, &[1], &[1]);
        let before = c.clone();
        let error = c.add(&[0, 1, 7, 2], &[0, 1, 1, 9], 255).unwrap_err();
        assert_eq!(error.to_string(), "label 7 at pixel 2 of the truth is not one of the 3 classes");
        let error = c.add(&[0, 1, 255, 2], &[0, 1, 200, 3], 255).unwrap_err();
        assert_eq!(error.to_string(), "label 3 at pixel 3 of the prediction is not one of the 3 classes");
        let error = c.add(&[0, 1], &[0], 255).unwrap_err();
        assert_eq!(error.to_string(), "truth has 2 pixels, prediction has 1");
        assert_eq!(c, before);
    }

    #[test]
    fn counts_of_another_size_are_refused() {
        let error = Confusion::from_counts(3, &[0; 8]).unwrap_err();
        assert_eq!(error.to_string(), "8 counts given, 3 classes need 9");
        assert!(Confusion::from_counts(usize::MAX, &[]).is_err());
        let error = Confusion::new(3).merge(&Confusion::new(4)).unwrap_err();
        assert_eq!(error, Error::Classes { ours: 3, theirs: 4 });
    }

    #[test]
    fn absent_classes_have_no_score() {
        let c = confusion(4, &[0, 0, 1], &[0, 2, 2]);
        assert_eq!(c.iou(), [Some(0.5), Some(0.0), Some(0.0), None]);
        assert_eq!(c.precision(), [Some(1.0), None, Some(0.0), None]);
        assert_eq!(c.recall(), [Some(0.5), Some(0.0), None, None]);
        assert_eq!(c.mean_iou(), 0.5 / 3.0);
        assert_eq!(mean_over_all(&c.iou()), 0.125);
        assert_eq!(c.mean_pixel_accuracy(), 0.25);
        assert_eq!(c.mean_f1_foreground(), 0.0);
        assert_eq!(c.frequency_weighted_iou(), 0.5 * 2.0 / 3.0);
    }

    #[test]
    fn nothing_counted_scores_zero_and_never_nan() {
        for c in [Confusion::new(3), Confusion::new(1), Confusion::new(0)] {
            let means = [
                c.pixel_accuracy(),
                c.mean_pixel_accuracy(),
                c.mean_iou(),
                c.mean_f1(),
                c.mean_f1_foreground(),
                c.frequency_weighted_iou(),
                mean_over_all(&c.f1()),
            ];
            assert_eq!(means, [0.0; 7]);
            assert_eq!(c.group_f1(&[0, 1]), None);
        }
    }

    #[test]
    fn a_group_of_one_is_its_class_and_of_all_is_right_everywhere() {
        let c = confusion(3, &[0, 0, 1, 1, 2, 2, 2], &[0, 1, 1, 2, 2, 2, 0]);
        for class in 0..3 {
            assert_eq!(c.group_f1(&[class, class, 17]), c.f1()[class]);
        }
        assert_eq!(c.group_f1(&[0, 1, 2]), Some(1.0));
        // truth has 4 pixels of {0, 1}, prediction 4, and 3 agree
        assert_eq!(c.group_f1(&[0, 1]), Some(2.0 * 3.0 / 8.0));
    }

    /// Two label maps of the same length over `classes` classes with some ignored pixels.
    fn maps(classes: u8) -> impl Strategy<Value = Vec<(u8, u8)>> {
        let truth = prop_oneof![4 => 0..classes, 1 => Just(255)];
        prop::collection::vec((truth, 0..classes), 0..200)
    }

    fn count(pairs: &[(u8, u8)], classes: usize) -> Confusion {
        let (truth, predicted): (Vec<u8>, Vec<u8>) = pairs.iter().copied().unzip();
        confusion(classes, &truth, &predicted)
    }

    proptest! {
        #[test]
        fn merging_parts_equals_adding_all(pairs in maps(5), cut in 0.0..1.0f64) {
            let cut = (pairs.len() as f64 * cut) as usize;
            let mut merged = count(&pairs[..cut], 5);
            merged.merge(&count(&pairs[cut..], 5)).unwrap();
            prop_assert_eq!(&merged, &count(&pairs, 5));
            prop_assert_eq!(merged.pixels() as usize, pairs.iter().filter(|p| p.0 != 255).count());
            prop_assert_eq!(Confusion::from_counts(5, merged.counts()).unwrap(), merged);
        }

        #[test]
        fn renaming_classes_permutes_scores(pairs in maps(5), order in Just([0u8, 1, 2, 3, 4]).prop_shuffle()) {
            let rename = |class: u8| order.get(usize::from(class)).copied().unwrap_or(class);
            let renamed: Vec<_> = pairs.iter().map(|&(t, p)| (rename(t), rename(p))).collect();
            let (before, after) = (count(&pairs, 5), count(&renamed, 5));
            for (class, &to) in order.iter().enumerate() {
                let to = usize::from(to);
                prop_assert_eq!(before.f1()[class], after.f1()[to]);
                prop_assert_eq!(before.precision()[class], after.precision()[to]);
                prop_assert_eq!(before.recall()[class], after.recall()[to]);
            }
            prop_assert!((before.mean_iou() - after.mean_iou()).abs() < 1e-12);
            prop_assert_eq!(before.pixel_accuracy(), after.pixel_accuracy());
        }

        #[test]
        fn scores_of_a_class_agree_with_each_other(pairs in maps(4)) {
            let c = count(&pairs, 4);
            for class in 0..4 {
                let (Some(f1), Some(iou)) = (c.f1()[class], c.iou()[class]) else { continue };
                prop_assert!((f1 - 2.0 * iou / (1.0 + iou)).abs() < 1e-12);
                let (Some(p), Some(r)) = (c.precision()[class], c.recall()[class]) else { continue };
                if p + r > 0.0 {
                    prop_assert!((f1 - 2.0 * p * r / (p + r)).abs() < 1e-12);
                }
            }
        }

        #[test]
        fn a_perfect_prediction_scores_one(classes in prop::collection::vec(0..6u8, 1..100)) {
            let c = confusion(6, &classes, &classes);
            prop_assert_eq!(c.pixel_accuracy(), 1.0);
            prop_assert!(c.f1().into_iter().flatten().all(|f1| f1 == 1.0));
            prop_assert!((c.frequency_weighted_iou() - 1.0).abs() < 1e-12);
        }
    }
}
