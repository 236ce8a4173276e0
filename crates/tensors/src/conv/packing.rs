//! Weights in the order in which a correlation uses them.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::filled::filled;
use crate::simd::vectorised;

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
        let pack = |packed: &mut [MaybeUninit<f32>]| {
            packed.par_chunks_mut(size.max(1)).enumerate().for_each(|(number, block)| {
                let (group, first) = (number / blocks, number % blocks * BLOCK);
                let weights = &self.values[group * (self.values.len() / groups)..];
                let strides = (self.result_stride, self.channel_stride);
                pack_block(
                    &weights[first * self.result_stride..],
                    strides,
                    BLOCK.min(results - first),
                    taps,
                    block,
                );
            });
        };
        // SAFETY: each block is written as a whole.
        unsafe { filled(groups * blocks * size, pack) }
    }
}

vectorised! {
    /// Writes the weights of `lanes` results for every channel and each of `taps`, and zeros for the other lanes.
    fn pack_block(
        weights: &[f32],
        strides: (usize, usize),
        lanes: usize,
        taps: &[usize],
        block: &mut [MaybeUninit<f32>],
    ) {
        let span = taps.iter().max().map_or(0, |last| last + 1);
        for (channel, block) in block.chunks_exact_mut(taps.len() * BLOCK).enumerate() {
            for lane in 0..lanes {
                let weights = &weights[lane * strides.0 + channel * strides.1..][..span];
                for (packed, &tap) in block.chunks_exact_mut(BLOCK).zip(taps) {
                    packed[lane].write(weights[tap]);
                }
            }
            for packed in block.chunks_exact_mut(BLOCK) {
                for value in &mut packed[lanes..] {
                    value.write(0.0);
                }
            }
        }
    }
}
