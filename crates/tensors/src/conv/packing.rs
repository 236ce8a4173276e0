//! Weights in the order in which a correlation uses them.

use rayon::prelude::*;

/// Result channels whose weights lie next to each other.
pub(super) const BLOCK: usize = 8;

/// Where the weights of a group lie: that of result r, channel c and tap t at
/// `r * result_stride + c * channel_stride + t`.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// Of all groups.
    pub(super) values: &'a [f32],
    pub(super) result_stride: usize,
    pub(super) channel_stride: usize,
}

impl Weights<'_> {
    /// Of each group, the weights of [`BLOCK`] results for every channel and each of `taps`; of the next results; and so
    /// on. Results that do not exist have zeros.
    pub(super) fn packed(&self, groups: usize, results: usize, channels: usize, taps: &[usize]) -> Vec<f32> {
        let blocks = results.div_ceil(BLOCK);
        let size = channels * taps.len() * BLOCK;
        let mut packed = vec![0.0; groups * blocks * size];
        if size > 0 {
            packed.par_chunks_mut(size).enumerate().for_each(|(number, block)| {
                let (group, first) = (number / blocks, number % blocks * BLOCK);
                let weights = &self.values[group * (self.values.len() / groups)..];
                self.pack_block(weights, first..(first + BLOCK).min(results), taps, block);
            });
        }
        packed
    }

    fn pack_block(
        &self,
        weights: &[f32],
        results: std::ops::Range<usize>,
        taps: &[usize],
        block: &mut [f32],
    ) {
        let span = taps.iter().max().map_or(0, |last| last + 1);
        for (channel, block) in block.chunks_exact_mut(taps.len() * BLOCK).enumerate() {
            for (lane, result) in results.clone().enumerate() {
                let weights = &weights[result * self.result_stride + channel * self.channel_stride..][..span];
                for (packed, &tap) in block.chunks_exact_mut(BLOCK).zip(taps) {
                    packed[lane] = weights[tap];
                }
            }
        }
    }
}
