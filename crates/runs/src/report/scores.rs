//! The numbers of one evaluation: means and classes, each with its interval.

use super::bootstrap::{Interval, intervals, sums};
use crate::{ClassCounts, ScoredImages};

/// A score 0..=1, none where it does not exist, and its interval if the images' own counts are known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Score {
    pub(super) value: Option<f64>,
    pub(super) interval: Option<Interval>,
}

/// All scores of one evaluation.
#[derive(Debug, PartialEq)]
pub(super) struct Scores {
    /// In the order of [`MEANS`].
    pub(super) means: Vec<Score>,
    /// Of each class.
    pub(super) f1: Vec<Score>,
    pub(super) iou: Vec<Score>,
    /// Pixels of each class.
    pub(super) counts: Vec<ClassCounts>,
}

pub(super) const MEANS: [&str; 4] =
    ["mean F1, background left out", "mean F1, all classes", "mean IoU, all classes", "pixel accuracy"];

impl Scores {
    pub(super) fn new(matrix: &[u64], images: Option<&ScoredImages>) -> Self {
        let counts = ClassCounts::of_matrix(matrix);
        let values = numbers(&counts);
        let known = images.filter(|images| sums(&images.counts) == counts);
        let intervals = known.map_or(Vec::new(), |images| intervals(&images.counts, numbers));
        let intervals = intervals.into_iter().chain(std::iter::repeat(None));
        let mut scores = values.into_iter().zip(intervals).map(|(value, interval)| Score { value, interval });
        let mut take = |count| scores.by_ref().take(count).collect();
        Self { means: take(MEANS.len()), f1: take(counts.len()), iou: take(counts.len()), counts }
    }
}

/// The means, then F1 and then IoU of each class.
fn numbers(counts: &[ClassCounts]) -> Vec<Option<f64>> {
    let f1: Vec<_> = counts.iter().map(ClassCounts::f1).collect();
    let iou: Vec<_> = counts.iter().map(ClassCounts::iou).collect();
    let right: u64 = counts.iter().map(|class| class.both).sum();
    let pixels: u64 = counts.iter().map(|class| class.truth).sum();
    let accuracy = (pixels > 0).then(|| right as f64 / pixels as f64);
    let means = [mean(f1.get(1..).unwrap_or_default()), mean(&f1), mean(&iou), accuracy];
    means.into_iter().chain(f1).chain(iou).collect()
}

/// Over the classes that occur.
fn mean(scores: &[Option<f64>]) -> Option<f64> {
    let present: Vec<f64> = scores.iter().flatten().copied().collect();
    (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_matrix() {
        let scores = Scores::new(&[5, 1, 0, 2, 7, 0, 0, 0, 0], None);
        let values: Vec<_> = scores.means.iter().map(|score| score.value.unwrap()).collect();
        let (f1, iou) = ([10.0 / 13.0, 14.0 / 17.0], [5.0 / 8.0, 0.7]);
        assert_eq!(values, [f1[1], (f1[0] + f1[1]) / 2.0, (iou[0] + iou[1]) / 2.0, 12.0 / 15.0]);
        assert_eq!((scores.f1[2].value, scores.f1[0].interval), (None, None));
    }

    #[test]
    fn counts_of_other_images_give_no_interval() {
        let image = |matrix: &[u64]| ClassCounts::of_matrix(matrix);
        let matrix = [5, 1, 2, 7];
        let images = |counts| ScoredImages { counts, ..ScoredImages::default() };
        let same = images(vec![image(&[5, 0, 0, 7]), image(&[0, 1, 2, 0])]);
        let scores = Scores::new(&matrix, Some(&same));
        let interval = scores.means[3].interval.unwrap();
        assert!(
            interval.low <= scores.means[3].value.unwrap() && scores.means[3].value.unwrap() <= interval.high
        );
        let other = images(vec![image(&[5, 1, 2, 8])]);
        assert_eq!(Scores::new(&matrix, Some(&other)).means[3].interval, None);
    }
}
