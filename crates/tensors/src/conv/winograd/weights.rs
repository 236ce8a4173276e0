//! Transformed weights in the order in which the products use them.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::POINTS;
use super::filter::{Filter, Two};
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, Nines, run};
use crate::conv::packing::{BLOCK, Weights};
use crate::conv::parts::Write;
use crate::fetch::fetch_line;
use crate::filled::filled;

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
    /// results of each channel.
    pub(super) fn transform<F: Filter>(
        &self,
        _: F,
        group: usize,
        block: usize,
        channels: Range<usize>,
        to: &mut [MaybeUninit<f32>],
    ) {
        let Weights { values, result_stride, channel_stride } = self.weights;
        let first = block * BLOCK;
        let start =
            group * (values.len() / self.groups) + first * result_stride + channels.start * channel_stride;
        run(Block {
            filter: PhantomData::<F>,
            weights: &values[start..],
            strides: (result_stride, channel_stride),
            results: BLOCK.min(self.results - first),
            reversed: self.reversed,
            channels: channels.len(),
            to,
        });
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

/// Channels whose kernels are transformed together: with those of a block they fill the widest vector.
const PAIR: usize = MOST_LANES / BLOCK;

/// The kernels of a block of results, to be transformed.
struct Block<'a, F> {
    filter: PhantomData<F>,
    weights: &'a [f32],
    /// Floats from one result, and from one channel, to the next.
    strides: (usize, usize),
    /// Results of the block that there are, at least 1.
    results: usize,
    reversed: bool,
    channels: usize,
    to: &'a mut [MaybeUninit<f32>],
}

impl<F: Filter> Kernel for Block<'_, F> {
    type Output = ();

    /// Writes all points; results that do not exist get the weights of others, and the rest of a point zeros.
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let (pairs, point) = (self.channels / PAIR, self.to.len() / F::POINTS);
        let kernels = self.kernels(PAIR);
        // SAFETY: the instructions are there by the contract of `Kernel::run`.
        unsafe {
            for pair in 0..pairs {
                self.transform::<L, PAIR>(PAIR * pair, &kernels);
            }
            if self.channels > PAIR * pairs {
                self.transform::<L, 1>(PAIR * pairs, &self.kernels(1));
            }
        }
        for rest in self.to.chunks_exact_mut(point).flat_map(|point| &mut point[self.channels * BLOCK..]) {
            rest.write(0.0);
        }
    }
}

impl<F: Filter> Block<'_, F> {
    /// Where the kernels of so many channels lie, those of all results next to each other.
    fn kernels(&self, channels: usize) -> Nines {
        Nines::new(std::array::from_fn(|lane| {
            let (result, channel) = (lane % BLOCK % self.results, lane / BLOCK % channels);
            (result * self.strides.0 + channel * self.strides.1) as i32
        }))
    }

    /// Transforms the `kernels` of `C` channels from one on. Asks the memory for the next block's.
    #[inline(always)]
    unsafe fn transform<L: Lanes, const C: usize>(&mut self, channel: usize, kernels: &Nines) {
        let weights = &self.weights[channel * self.strides.1..];
        let point = self.to.len() / F::POINTS;
        let to = &mut self.to[channel * BLOCK..];
        let last = (self.results - 1) * self.strides.0 + (C - 1) * self.strides.1;
        assert!(last + 9 <= weights.len() && last <= i32::MAX as usize);
        assert!((F::POINTS - 1) * point + C * BLOCK <= to.len());
        for result in 0..self.results {
            let next = weights.as_ptr().wrapping_add((BLOCK + result) * self.strides.0);
            (0..C).for_each(|channel| fetch_line(next.wrapping_add(channel * self.strides.1)));
        }
        for first in (0..C * BLOCK).step_by(L::WIDTH) {
            // SAFETY: the places and the points are inside the slices by the assertions.
            unsafe {
                let mut taps = L::load_nines(weights.as_ptr(), kernels, first);
                if self.reversed {
                    taps.reverse();
                }
                F::kernel::<L>(taps, |number, values| {
                    let to = to.as_mut_ptr().add(number * point + first).cast();
                    if L::WIDTH <= C * BLOCK {
                        values.store(to);
                    } else {
                        values.store_part(to, 0, C * BLOCK, Write::Replace);
                    }
                });
            }
        }
    }
}
