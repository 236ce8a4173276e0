//! The sum over images and pixels of each channel: the gradient for a bias.

use rayon::prelude::*;

/// Sums each channel of `values` (N, channels, pixels), in double precision and a fixed order.
pub(super) fn channel_sum(values: &[f32], batch: usize, channels: usize, pixels: usize) -> Vec<f32> {
    let sum_of = |channel: usize| -> f64 {
        (0..batch).map(|image| sum(&values[(image * channels + channel) * pixels..][..pixels])).sum()
    };
    (0..channels).into_par_iter().map(|channel| sum_of(channel) as f32).collect()
}

/// Sums blocks in single precision, in several lanes to use vector registers, and the blocks in double precision.
fn sum(values: &[f32]) -> f64 {
    const LANES: usize = 64;
    let block_sum = |block: &[f32]| -> f64 {
        let mut lanes = [0.0f32; LANES];
        let chunks = block.chunks_exact(LANES);
        let rest: f64 = chunks.remainder().iter().map(|&value| f64::from(value)).sum();
        for chunk in chunks {
            lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += *value);
        }
        lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + rest
    };
    values.chunks(16 * LANES).map(block_sum).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_equal_values_lose_no_precision() {
        let sums = channel_sum(&vec![0.1; 3 * 2 * 1_000_003], 3, 2, 1_000_003);
        for sum in sums {
            assert!((f64::from(sum) - 3.0 * 1_000_003.0 * f64::from(0.1f32)).abs() < 0.1, "{sum}");
        }
    }

    #[test]
    fn channels_are_kept_apart() {
        let values: Vec<f32> = (0..2 * 3 * 5).map(|i| i as f32).collect();
        assert_eq!(channel_sum(&values, 2, 3, 5), [95.0, 145.0, 195.0]);
    }
}
