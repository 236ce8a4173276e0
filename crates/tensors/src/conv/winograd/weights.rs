//! Transformed weights in the order in which the products use them.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::POINTS;
use super::filter::{Filter, Two};
use crate::conv::packing::{BLOCK, Weights};
use crate::fetch::fetch_line;
use crate::filled::filled;
use crate::simd::vectorised;

/// The weights of a correlation with a 3x3 kernel as they are.
#[derive(Clone, Copy)]
pub(super) struct Kernels<'a> {
    pub(super) weights: Weights<'a>,
    /// Whether the kernel's weights lie from its last to its first.
    pub(super) reversed: bool,
    pub(super) groups: usize,
    /// Of a group.
    pub(super) results: usize,
}

impl Kernels<'_> {
    /// Blocks of results of a group.
    fn blocks(&self) -> usize {
        self.results.div_ceil(BLOCK)
    }

    /// Writes the transformed weights of a group's block of results for some channels: points of equal length, with the block's
    /// results of each channel, and zeros for the rest.
    pub(super) fn transform(
        &self,
        filter: impl Filter,
        group: usize,
        block: usize,
        channels: Range<usize>,
        to: &mut [MaybeUninit<f32>],
    ) {
        let Weights { values, result_stride, channel_stride } = self.weights;
        let first = block * BLOCK;
        let start =
            group * (values.len() / self.groups) + first * result_stride + channels.start * channel_stride;
        let lanes = BLOCK.min(self.results - first);
        transform_block(
            filter,
            &values[start..],
            (result_stride, channel_stride),
            lanes,
            self.reversed,
            channels.len(),
            to,
        );
    }
}

/// Floats of one point of a block of results: an odd number of cache lines, lest points compete for the same places in the cache.
pub(super) fn point(channels: usize) -> usize {
    ((channels * BLOCK).div_ceil(16) | 1) * 16
}

/// The weights of all groups: of each block of [`BLOCK`] results, point and channel those of the block's results.
pub(super) struct Transformed {
    values: Vec<f32>,
    blocks: usize,
    /// Floats of one point.
    point: usize,
}

impl Transformed {
    pub(super) fn new(kernels: &Kernels, channels: usize) -> Self {
        let (blocks, point) = (kernels.blocks(), point(channels));
        let transform = |values: &mut [MaybeUninit<f32>]| {
            values.par_chunks_mut(POINTS * point).enumerate().for_each(|(number, block)| {
                kernels.transform(Two, number / blocks, number % blocks, 0..channels, block);
            });
        };
        // SAFETY: each block is written as a whole.
        let values = unsafe { filled(kernels.groups * blocks * POINTS * point, transform) };
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
    /// zeros. Asks the memory for the next block's.
    fn transform_block(
        filter: impl Filter,
        weights: &[f32],
        strides: (usize, usize),
        lanes: usize,
        reversed: bool,
        channels: usize,
        block: &mut [MaybeUninit<f32>],
    ) {
        let point = block.len() / points(filter);
        let mut kernels = [[0.0; BLOCK]; 9];
        for channel in 0..channels {
            for lane in 0..lanes {
                let kernel = &weights[lane * strides.0 + channel * strides.1..][..9];
                fetch_line(kernel.as_ptr().wrapping_add(BLOCK * strides.0));
                for (place, weight) in kernel.iter().enumerate() {
                    kernels[if reversed { 8 - place } else { place }][lane] = *weight;
                }
            }
            filter.kernel(&kernels, |number, values| {
                let places = &mut block[number * point + channel * BLOCK..][..BLOCK];
                places.iter_mut().zip(values).for_each(|(place, value)| {
                    place.write(*value);
                });
            });
        }
        for rest in block.chunks_exact_mut(point).flat_map(|block| &mut block[channels * BLOCK..]) {
            rest.write(0.0);
        }
    }
}

#[inline(always)]
fn points<F: Filter>(_: F) -> usize {
    F::POINTS
}
