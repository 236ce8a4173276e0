//! Transformed weights in the order in which the products use them.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{POINTS, transform};
use crate::conv::packing::{BLOCK, Weights};
use crate::filled::filled;
use crate::simd::vectorised;

/// The weights of all groups: of each block of [`BLOCK`] results, point and channel those of the block's results.
pub(super) struct Transformed {
    values: Vec<f32>,
    blocks: usize,
    /// Floats of one point: an odd number of cache lines, lest points compete for the same places in the cache.
    point: usize,
}

impl Transformed {
    pub(super) fn new(
        weights: &Weights,
        taps: &[usize; 9],
        groups: usize,
        results: usize,
        channels: usize,
    ) -> Self {
        let (blocks, point) = (results.div_ceil(BLOCK), ((channels * BLOCK).div_ceil(16) | 1) * 16);
        let transform = |values: &mut [MaybeUninit<f32>]| {
            values.par_chunks_mut(POINTS * point).enumerate().for_each(|(number, block)| {
                let (group, first) = (number / blocks, number % blocks * BLOCK);
                let start = group * (weights.values.len() / groups) + first * weights.result_stride;
                let lanes = BLOCK.min(results - first);
                let strides = (weights.result_stride, weights.channel_stride);
                transform_block(&weights.values[start..], strides, lanes, taps, channels, block);
            });
        };
        // SAFETY: each block is written as a whole.
        let values = unsafe { filled(groups * blocks * POINTS * point, transform) };
        Self { values, blocks, point }
    }

    /// The weights of one group, block of results and point, channel after channel.
    pub(super) fn of(&self, group: usize, block: usize, point: usize) -> &[f32] {
        let start = ((group * self.blocks + block) * POINTS + point) * self.point;
        &self.values[start..start + self.point]
    }
}

vectorised! {
    /// Writes the transformed weights of up to [`BLOCK`] results; those that do not exist and the rest of a point get
    /// zeros.
    fn transform_block(
        weights: &[f32],
        strides: (usize, usize),
        lanes: usize,
        taps: &[usize; 9],
        channels: usize,
        block: &mut [MaybeUninit<f32>],
    ) {
        let point = block.len() / POINTS;
        let mut kernels = [[0.0; BLOCK]; 9];
        for channel in 0..channels {
            for lane in 0..lanes {
                let kernel = &weights[lane * strides.0 + channel * strides.1..][..9];
                for (values, tap) in kernels.iter_mut().zip(taps) {
                    values[lane] = kernel[*tap % 9];
                }
            }
            for (values, block) in transform::kernel(&kernels).iter().zip(block.chunks_exact_mut(point)) {
                for (place, value) in block[channel * BLOCK..][..BLOCK].iter_mut().zip(values) {
                    place.write(*value);
                }
            }
        }
        for rest in block.chunks_exact_mut(point).flat_map(|block| &mut block[channels * BLOCK..]) {
            rest.write(0.0);
        }
    }
}
