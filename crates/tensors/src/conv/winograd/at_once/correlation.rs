//! The forward pass and the gradient for the input. The weights, which outweigh everything else here, are transformed where they are
//! used, and never written to memory.

use std::ops::Range;

use rayon::prelude::*;

use super::tiles::{Planes, Tiles, Transformed};
use crate::conv::correlation::Correlation;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::packing::BLOCK;
use crate::conv::parts::{Parts, Write, with_scratch};
use crate::conv::portions::Portions;
use crate::conv::winograd::products::{panel_product, panels};
use crate::conv::winograd::weights::{self, Kernels};
use crate::conv::winograd::{POINTS, Phase, transform};
use crate::fetch::fetch;
use crate::filled::places;

/// Channels that are multiplied at once: those of all vectors stay in the second-level cache with the products.
const CHANNELS: usize = 64;
/// Most results of a task, whose products stay in the second-level cache, and fewest, since each reads all inputs.
const RESULTS: usize = 128;
const LEAST_RESULTS: usize = 32;

/// Writes all results.
pub(in crate::conv::winograd) fn correlation(
    correlation: &Correlation,
    phases: Vec<Phase>,
    kernels: &Kernels,
    source: &[f32],
    y: Parts,
) {
    let Correlation { batch, channels, results, ref reach, .. } = *correlation;
    let planes = Planes { values: source, channels, size: reach.source.0 * reach.source.1 };
    let groups = Tiles::groups(&phases, batch);
    let inputs: Vec<_> = groups.iter().map(|tiles| tiles.transform(planes, CHANNELS)).collect();
    // Each result is summed in one task, whatever their number.
    let wanted = (2 * rayon::current_num_threads()).div_ceil(groups.len().max(1));
    let parts = wanted.min(results / LEAST_RESULTS).max(results.div_ceil(RESULTS));
    let blocks = Portions { all: results.div_ceil(BLOCK), count: parts };
    (0..groups.len() * parts).into_par_iter().for_each(|task| {
        let (group, blocks) = (task / parts, blocks.range(task % parts));
        let task = Task { correlation, tiles: &groups[group], inputs: &inputs[group], kernels, blocks, y };
        with_scratch(task.scratch(), |scratch| run(TaskIn { task, scratch }));
    });
}

/// Some blocks of results for a group of tiles.
struct Task<'a> {
    correlation: &'a Correlation<'a>,
    tiles: &'a Tiles<'a>,
    inputs: &'a Transformed,
    kernels: &'a Kernels<'a>,
    blocks: Range<usize>,
    y: Parts,
}

struct TaskIn<'a> {
    task: Task<'a>,
    scratch: &'a mut [f32],
}

impl Task<'_> {
    /// Floats of the products: of each block, vector and point those of the block's results.
    fn products(&self) -> usize {
        self.blocks.len() * self.tiles.lanes.next_multiple_of(MOST_LANES) * POINTS * BLOCK
    }

    fn scratch(&self) -> usize {
        self.products() + POINTS * weights::point(CHANNELS)
    }
}

impl Kernel for TaskIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { task, scratch } = self;
        let (products, weights) = scratch.split_at_mut(task.products());
        // SAFETY: the instructions are there by the contract of `Kernel::run`; this task alone writes these tiles.
        unsafe {
            for portion in 0..task.correlation.channels.div_ceil(CHANNELS) {
                task.add_channels::<L>(portion, weights, products);
            }
            task.finish::<L>(products);
        }
    }
}

impl Task<'_> {
    /// Adds the products of a portion of the channels.
    #[inline(always)]
    unsafe fn add_channels<L: Lanes>(&self, portion: usize, weights: &mut [f32], products: &mut [f32]) {
        let write = if portion == 0 { Write::Replace } else { Write::Add };
        let channels = portion * CHANNELS..((portion + 1) * CHANNELS).min(self.correlation.channels);
        let size = weights::point(channels.len());
        let vectors = self.tiles.lanes.div_ceil(L::WIDTH);
        let mut next = self.inputs.of_all(portion + 1);
        let share = next.len().div_ceil(self.blocks.len() * POINTS * panels(vectors).count());
        for (number, block) in self.blocks.clone().enumerate() {
            // SAFETY: the transform writes floats.
            let places = unsafe { places(&mut weights[..POINTS * size]) };
            self.kernels.transform(0, block, channels.clone(), places);
            for point in 0..POINTS {
                let weights = &weights[point * size..][..channels.len() * BLOCK];
                let inputs = self.inputs.of(portion, point);
                for panel in panels(vectors) {
                    let to = ((number * vectors + panel.start) * POINTS + point) * BLOCK * L::WIDTH;
                    let inputs = (&inputs[panel.start * L::WIDTH..], self.inputs.row());
                    fetch(next.split_off(..share.min(next.len())).unwrap_or(&[]));
                    // SAFETY: by contract.
                    unsafe {
                        panel_product::<L>(panel.len(), inputs, weights, weights, &mut products[to..], write)
                    };
                }
            }
        }
    }

    /// Transforms the products to pixels and writes them.
    #[inline(always)]
    unsafe fn finish<L: Lanes>(&self, products: &[f32]) {
        let Correlation { results, result_pixels, bias, .. } = *self.correlation;
        let first = self.blocks.start * BLOCK;
        let vectors = self.tiles.lanes.div_ceil(L::WIDTH);
        for number in 0..vectors {
            let start = number * L::WIDTH;
            let pieces: Vec<_> = self.tiles.pieces(start..(start + L::WIDTH).min(self.tiles.lanes)).collect();
            for result in first..(self.blocks.end * BLOCK).min(results) {
                let (block, lane) = ((result - first) / BLOCK, result % BLOCK);
                let from = ((block * vectors + number) * POINTS * BLOCK + lane) * L::WIDTH;
                let bias = bias.map_or(0.0, |bias| bias[result]);
                // SAFETY: `products` has been written for all results and vectors; no other task has these tiles.
                unsafe {
                    let from = products.as_ptr().add(from);
                    let pixels = transform::pixels::<L>(from, BLOCK * L::WIDTH, bias);
                    for piece in &pieces {
                        let plane = self.y.at((piece.image * results + result) * result_pixels);
                        piece.phase.write(pixels, plane, piece.tile, piece.lanes.clone());
                    }
                }
            }
        }
    }
}
