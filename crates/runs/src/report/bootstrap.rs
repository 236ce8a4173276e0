//! How far a score would move with other images: the percentile bootstrap over images.
//!
//! Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::ClassCounts;

/// Holds a score in 95 of 100 sets of images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Sets of images drawn, each as large as the whole one.
pub(super) const RESAMPLES: usize = 1000;
/// The same images give the same intervals.
const SEED: u64 = 0;
const TAIL: f64 = 0.025;

/// The interval of each number that `scores` computes from counts summed over images; none for one that no set of images has.
pub(super) fn intervals(
    images: &[Vec<ClassCounts>],
    scores: impl Fn(&[ClassCounts]) -> Vec<Option<f64>>,
) -> Vec<Option<Interval>> {
    let classes = images.first().map_or(0, Vec::len);
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut samples: Vec<Vec<f64>> = Vec::new();
    for _ in 0..RESAMPLES {
        let mut sums = vec![ClassCounts::default(); classes];
        for _ in images {
            add(&mut sums, &images[random.random_range(0..images.len())]);
        }
        let drawn = scores(&sums);
        samples.resize(drawn.len(), Vec::new());
        for (sample, score) in samples.iter_mut().zip(drawn) {
            sample.extend(score);
        }
    }
    samples.iter_mut().map(|sample| interval(sample)).collect()
}

/// The sums over all images.
pub(super) fn sums(images: &[Vec<ClassCounts>]) -> Vec<ClassCounts> {
    let mut sums = vec![ClassCounts::default(); images.first().map_or(0, Vec::len)];
    images.iter().for_each(|image| add(&mut sums, image));
    sums
}

fn add(sums: &mut [ClassCounts], image: &[ClassCounts]) {
    for (sum, counts) in sums.iter_mut().zip(image) {
        sum.both += counts.both;
        sum.truth += counts.truth;
        sum.predicted += counts.predicted;
    }
}

fn interval(sample: &mut [f64]) -> Option<Interval> {
    sample.sort_by(f64::total_cmp);
    let last = sample.len().checked_sub(1)?;
    let at = |share: f64| sample[(share * last as f64).round() as usize];
    Some(Interval { low: at(TAIL), high: at(1.0 - TAIL) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(both: u64, truth: u64) -> Vec<ClassCounts> {
        vec![ClassCounts { both, truth, predicted: truth }]
    }

    fn recall(sums: &[ClassCounts]) -> Vec<Option<f64>> {
        sums.iter().map(ClassCounts::recall).collect()
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_approximation() {
        // 400 images, half of them right: the mean's deviation is 0.5 / 20, the interval 1.96 of it to either side.
        let images: Vec<_> = (0..400).map(|index| image(index % 2, 1)).collect();
        let Interval { low, high } = intervals(&images, recall)[0].unwrap();
        assert!((low - (0.5 - 0.049)).abs() < 0.008 && (high - (0.5 + 0.049)).abs() < 0.008, "{low} {high}");
        assert_eq!(intervals(&images, recall)[0], Some(Interval { low, high }), "the same every time");
    }

    #[test]
    fn one_image_or_equal_images_leave_no_doubt() {
        for images in [vec![image(3, 4)], vec![image(3, 4); 9]] {
            assert_eq!(intervals(&images, recall), [Some(Interval { low: 0.75, high: 0.75 })]);
        }
        assert_eq!(intervals(&[image(0, 0)], recall), [None]);
        assert_eq!(intervals(&[], recall), []);
    }

    #[test]
    fn sums_are_over_images() {
        assert_eq!(sums(&[image(1, 2), image(3, 4)]), image(4, 6));
        assert_eq!(sums(&[]), []);
    }
}
