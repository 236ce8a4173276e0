//! The scores of one foreground class at every threshold of its probability.

use crate::binary::{bad_label, same_length};
use crate::{Binary, Error, Map};

/// Steps of the threshold between 0 and 1.
const STEPS: usize = 1000;

/// How many foreground and background pixels have which probability: a histogram that merges, and from which the
/// counts at each of the 1001 thresholds 0, 0.001, 0.002 … 1 are read without a pixel being looked at again.
///
/// A pixel is predicted as foreground when its probability is strictly greater than the threshold, `p > t`, in `f32`. The
/// thresholds are the `f32` nearest to their decimals, so 0.0, 0.1, 0.2 … 1.0 are among them and the counts at each are
/// those that `p > 0.1` and so on would have given. At 1.0 nothing is predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// At `b`, the foreground pixels that are above exactly `b` of the thresholds.
    positive: Vec<u64>,
    /// The same of the background.
    negative: Vec<u64>,
}

/// The scores at one threshold; see [`Binary`] for what they mean and when they do not exist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Probabilities strictly above it are foreground, 0..=1.
    pub threshold: f32,
    /// Share of the predicted foreground that is foreground.
    pub precision: Option<f64>,
    /// Share of the foreground that was found.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Jaccard similarity index (IoU).
    pub jaccard: Option<f64>,
    /// Share of the pixels that were predicted right.
    pub accuracy: Option<f64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { positive: vec![0; STEPS + 1], negative: vec![0; STEPS + 1] }
    }
}

impl Thresholds {
    /// Counts the pixels of one map and of its probabilities, of any shape: truth 1 is foreground and 0 background,
    /// probabilities are 0..=1. Pixels whose truth is `ignore` are skipped, whatever their probability.
    ///
    /// # Errors
    /// [`Error::Lengths`] when the maps differ in length, [`Error::Label`] for the first other truth,
    /// [`Error::Probability`] for the first that is NaN or outside 0..=1. Nothing is counted then.
    pub fn add(&mut self, truth: &[u8], probabilities: &[f32], ignore: u8) -> Result<(), Error> {
        same_length(truth.len(), probabilities.len())?;
        let grid = grid();
        let mut added = Self::default();
        for (position, (&t, &p)) in truth.iter().zip(probabilities).enumerate() {
            if t == ignore {
                continue;
            }
            if !(0.0..=1.0).contains(&p) {
                return Err(Error::Probability { position, value: p });
            }
            match t {
                0 => added.negative[bin(&grid, p)] += 1,
                1 => added.positive[bin(&grid, p)] += 1,
                _ => return Err(bad_label(Map::Truth, position, t)),
            }
        }
        self.merge(&added);
        Ok(())
    }

    /// Adds everything another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.positive.iter_mut().zip(&other.positive) {
            *ours += theirs;
        }
        for (ours, theirs) in self.negative.iter_mut().zip(&other.negative) {
            *ours += theirs;
        }
    }

    /// The counts at one of the thresholds, such as `0.5`; `None` for a number that is none of them.
    pub fn at(&self, threshold: f32) -> Option<Binary> {
        let step = (threshold * STEPS as f32).round() as usize;
        (grid().get(step) == Some(&threshold)).then(|| self.sweep().swap_remove(step))
    }

    /// The scores at all thresholds, from 0 to 1: the precision–recall curve, recall falling.
    pub fn curve(&self) -> Vec<Point> {
        let scored = |(threshold, counts): (f32, Binary)| Point {
            threshold,
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
            jaccard: counts.jaccard(),
            accuracy: counts.accuracy(),
        };
        grid().into_iter().zip(self.sweep()).map(scored).collect()
    }

    /// The threshold of the greatest F1, the lowest of several; `None` when no F1 exists.
    pub fn best(&self) -> Option<Point> {
        let defined = self.curve().into_iter().filter(|point| point.f1.is_some());
        defined.reduce(|best, point| if point.f1 > best.f1 { point } else { best })
    }

    /// The area under the precision–recall curve as the sum of precision times gain in recall over falling thresholds,
    /// without interpolation (scikit-learn's `average_precision_score`, at this resolution); `None` without foreground.
    pub fn average_precision(&self) -> Option<f64> {
        let all: u64 = self.positive.iter().sum();
        let (mut found, mut false_alarms, mut area) = (0, 0, 0.0);
        for (&positive, &negative) in self.positive.iter().zip(&self.negative).rev() {
            found += positive;
            false_alarms += negative;
            if positive > 0 {
                area += positive as f64 * found as f64 / (found + false_alarms) as f64;
            }
        }
        (all > 0).then(|| area / all as f64)
    }

    /// The counts at every threshold, from 0 to 1.
    fn sweep(&self) -> Vec<Binary> {
        let mut counts = Binary {
            true_positives: self.positive.iter().sum(),
            false_positives: self.negative.iter().sum(),
            ..Binary::default()
        };
        let mut raise = |(&positive, &negative): (&u64, &u64)| {
            counts.true_positives -= positive;
            counts.false_negatives += positive;
            counts.false_positives -= negative;
            counts.true_negatives += negative;
            counts
        };
        self.positive.iter().zip(&self.negative).map(&mut raise).collect()
    }
}

/// All thresholds. The division is correctly rounded, so each is what its decimal reads as.
fn grid() -> Vec<f32> {
    (0..=STEPS).map(|step| step as f32 / STEPS as f32).collect()
}

/// How many thresholds a probability of 0..=1 is strictly above. The product may round across a threshold, so its
/// neighbours decide.
fn bin(grid: &[f32], p: f32) -> usize {
    let guess = (p * STEPS as f32) as usize;
    let first = guess.saturating_sub(1);
    first + grid[first..(guess + 2).min(STEPS + 1)].iter().take_while(|t| p > **t).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TENTHS: [f32; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

    fn counted(truth: &[u8], probabilities: &[f32]) -> Thresholds {
        let mut thresholds = Thresholds::default();
        thresholds.add(truth, probabilities, 255).unwrap();
        thresholds
    }

    fn naive(truth: &[u8], probabilities: &[f32], threshold: f32) -> Binary {
        let predicted: Vec<u8> = probabilities.iter().map(|p| u8::from(*p > threshold)).collect();
        let mut counts = Binary::default();
        counts.add(truth, &predicted, 255).unwrap();
        counts
    }

    #[test]
    fn a_probability_on_a_threshold_is_not_above_it() {
        let thresholds = counted(&[1; 11], &TENTHS);
        for (above, t) in TENTHS.into_iter().rev().enumerate() {
            assert_eq!(thresholds.at(t).unwrap().true_positives, above as u64, "{t}");
        }
        assert_eq!((thresholds.at(0.0005), thresholds.at(-0.1), thresholds.at(f32::NAN)), (None, None, None));
    }

    #[test]
    fn every_threshold_and_its_neighbours_fall_on_the_right_side() {
        for t in grid() {
            for p in [t.next_down().max(0.0), t, t.next_up().min(1.0)] {
                let want = grid().iter().filter(|t| p > **t).count();
                assert_eq!(bin(&grid(), p), want, "{p}");
            }
        }
    }

    #[test]
    fn the_best_threshold_separates_what_can_be_separated() {
        let thresholds = counted(&[0, 0, 0, 1, 1, 255], &[0.1, 0.2, 0.4, 0.4005, 0.9, 0.0]);
        let best = thresholds.best().unwrap();
        assert_eq!((best.threshold, best.f1, best.accuracy), (0.4, Some(1.0), Some(1.0)));
        assert_eq!(thresholds.average_precision(), Some(1.0));
        assert_eq!((Thresholds::default().best(), Thresholds::default().average_precision()), (None, None));
    }

    #[test]
    fn average_precision_is_that_of_scikit_learn() {
        // average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), the example of its documentation
        let ap = counted(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8]).average_precision().unwrap();
        assert!((ap - 0.8333333333333333).abs() < 1e-12, "{ap}");
        assert_eq!(counted(&[0, 1, 0, 0], &[0.0; 4]).average_precision(), Some(0.25));
    }

    #[test]
    fn what_is_no_probability_is_named_and_nothing_is_counted() {
        let mut thresholds = Thresholds::default();
        let mut told = |truth: &[u8], p: &[f32]| thresholds.add(truth, p, 255).unwrap_err().to_string();
        assert_eq!(told(&[0, 1], &[0.5, f32::NAN]), "probability NaN at pixel 1 is not within 0 to 1");
        assert_eq!(told(&[0, 255, 1], &[0.5, -1.0, 1.5]), "probability 1.5 at pixel 2 is not within 0 to 1");
        assert_eq!(told(&[0, 3], &[0.5, 0.5]), "label 3 at pixel 1 of the truth is not one of the 2 classes");
        assert_eq!(told(&[0], &[]), "truth has 1 pixels, prediction has 0");
        assert_eq!(thresholds, Thresholds::default());
    }

    proptest! {
        #[test]
        fn counts_are_those_of_comparing_each_pixel(
            pixels in prop::collection::vec((prop_oneof![4 => 0..2u8, 1 => Just(255)], 0.0..=1.0f32), 0..60),
            step in 0..=1000u16,
            cut in 0.0..1.0f64,
        ) {
            let (truth, probabilities): (Vec<u8>, Vec<f32>) = pixels.into_iter().unzip();
            let cut = (truth.len() as f64 * cut) as usize;
            let mut thresholds = counted(&truth[..cut], &probabilities[..cut]);
            thresholds.merge(&counted(&truth[cut..], &probabilities[cut..]));
            let curve = thresholds.curve();
            for t in TENTHS.into_iter().chain([f32::from(step) / 1000.0]) {
                let want = naive(&truth, &probabilities, t);
                prop_assert_eq!(thresholds.at(t), Some(want));
                let point = curve.iter().find(|p| p.threshold == t).unwrap();
                prop_assert_eq!((point.f1, point.precision, point.recall), (want.f1(), want.precision(), want.recall()));
                prop_assert_eq!((point.jaccard, point.accuracy), (want.jaccard(), want.accuracy()));
                prop_assert!(want.f1() <= thresholds.best().and_then(|p| p.f1));
            }
        }
    }
}
