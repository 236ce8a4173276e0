//! How values are distributed, in few numbers.

use super::message::HistogramProto;

/// Counts of values in buckets whose limits grow by a tenth each, as TensorFlow's do: fine around 0, where weights and
/// gradients are, and wide far from it. Values arrive in any number of pieces.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    limits: Vec<f64>,
    counts: Vec<u64>,
    min: f64,
    max: f64,
    sum: f64,
    sum_squares: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        let limits = limits();
        let counts = vec![0; limits.len()];
        Self { limits, counts, min: f64::INFINITY, max: f64::NEG_INFINITY, sum: 0.0, sum_squares: 0.0 }
    }
}

impl Histogram {
    /// Counts values; those that are NaN or infinite are skipped.
    pub fn add(&mut self, values: &[f32]) {
        for value in values.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value)) {
            let bucket = self.limits.partition_point(|limit| *limit <= value);
            self.counts[bucket] += 1;
            self.min = self.min.min(value);
            self.max = self.max.max(value);
            self.sum += value;
            self.sum_squares += value * value;
        }
    }

    /// Values counted so far.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// None when nothing was counted. Neighbouring empty buckets become one.
    pub(super) fn message(&self) -> Option<HistogramProto> {
        if self.count() == 0 {
            return None;
        }
        let (mut bucket_limit, mut bucket) = (Vec::new(), Vec::new());
        for (place, (limit, count)) in self.limits.iter().zip(&self.counts).enumerate() {
            let next_is_empty = self.counts.get(place + 1).is_some_and(|next| *next == 0);
            if *count > 0 || !next_is_empty {
                bucket_limit.push(*limit);
                bucket.push(*count as f64);
            }
        }
        let Self { min, max, sum, sum_squares, .. } = *self;
        let num = self.count() as f64;
        Some(HistogramProto { min, max, num, sum, sum_squares, bucket_limit, bucket })
    }
}

/// From the largest number down to the smallest step beside 0, 0 itself, and the same upwards.
///
/// Source: TensorFlow, `tensorflow/core/lib/histogram/histogram.cc`, `InitDefaultBucketsInner`.
fn limits() -> Vec<f64> {
    const FIRST: f64 = 1e-12;
    const GROWTH: f64 = 1.1;
    /// Beyond the largest f32 would be needless: 1e20 is a value gone wild.
    const LAST: f64 = 1e20;
    let positive =
        || std::iter::successors(Some(FIRST), |limit| Some(limit * GROWTH)).take_while(|l| *l < LAST);
    let mut limits: Vec<f64> = positive().chain([f64::MAX]).map(|limit| -limit).collect();
    limits.reverse();
    limits.push(0.0);
    limits.extend(positive().chain([f64::MAX]));
    limits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f32]) -> Option<HistogramProto> {
        let mut histogram = Histogram::default();
        histogram.add(values);
        histogram.message()
    }

    #[test]
    fn values_lie_below_their_limit_and_not_below_the_one_before() {
        let message = of(&[0.0, -0.5, 0.5, 0.5, f32::NAN, f32::INFINITY]).unwrap();
        assert_eq!((message.min, message.max, message.num), (-0.5, 0.5, 4.0));
        assert_eq!((message.sum, message.sum_squares), (0.5, 0.75));
        assert!(message.bucket_limit.windows(2).all(|pair| pair[0] < pair[1]));
        let count_between = |low: f64, high: f64| -> f64 {
            let lower = std::iter::once(f64::MIN).chain(message.bucket_limit.iter().copied());
            let buckets = lower.zip(&message.bucket_limit).zip(&message.bucket);
            buckets.filter(|((from, to), _)| *from >= low && **to <= high).map(|(_, count)| *count).sum()
        };
        assert_eq!(count_between(0.44, 0.56), 2.0);
        assert_eq!(count_between(-0.56, -0.44), 1.0);
        assert_eq!(count_between(0.0, 2e-12), 1.0);
    }

    #[test]
    fn nothing_finite_is_no_histogram() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[f32::NAN, f32::NEG_INFINITY]), None);
    }

    #[test]
    fn the_largest_numbers_have_a_bucket() {
        let message = of(&[f32::MAX, f32::MIN]).unwrap();
        assert_eq!(message.bucket.iter().sum::<f64>(), 2.0);
        assert!(message.bucket_limit.iter().all(|limit| limit.is_finite()));
    }

    proptest! {
        #[test]
        fn pieces_count_as_the_whole(values in prop::collection::vec(-1e3f32..1e3, 1..200), cut in 0.0..1.0f64) {
            let cut = (values.len() as f64 * cut) as usize;
            let mut pieces = Histogram::default();
            pieces.add(&values[..cut]);
            pieces.add(&values[cut..]);
            let message = pieces.message().unwrap();
            prop_assert_eq!(&message, &of(&values).unwrap());
            prop_assert_eq!(message.bucket.iter().sum::<f64>(), values.len() as f64);
        }
    }
}
