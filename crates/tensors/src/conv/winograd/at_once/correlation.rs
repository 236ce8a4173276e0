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
use crate::conv::winograd::Phase;
use crate::conv::winograd::filter::Filter;
use crate::conv::winograd::products::{panel_product, panels};
use crate::conv::winograd::weights::{self, Kernels};
use crate::fetch::fetch;
use crate::filled::places;

/// Channels that are multiplied at once: those of all vectors stay in the second-level cache with the products.
const CHANNELS: usize = 64;
/// Floats of transformed tiles that are held at the same time, in the last cache, if one group has fewer.
const GROUPS_FLOATS: usize = 2 << 20;
/// Results for whose pixels the memory is asked ahead.
const AHEAD: usize = 2;
/// Fewest results of a task, since each reads all inputs.
const LEAST_RESULTS: usize = 32;

/// Writes all results.
pub(in crate::conv::winograd) fn correlation<F: Filter>(
    filter: F,
    correlation: &Correlation,
    phases: Vec<Phase>,
    kernels: &Kernels,
    source: &[f32],
    y: Parts,
) {
    let Correlation { batch, channels, results, ref reach, .. } = *correlation;
    let planes = Planes { values: source, channels, size: reach.source.0 * reach.source.1 };
    let groups = Tiles::groups(&phases, batch, F::LANES);
    for groups in groups.chunks((GROUPS_FLOATS / (F::POINTS * F::LANES * channels)).max(1)) {
        let inputs: Vec<_> = groups.iter().map(|tiles| tiles.transform::<F>(planes, CHANNELS)).collect();
        // Each result is summed in one task, whatever their number.
        let wanted = (2 * rayon::current_num_threads()).div_ceil(groups.len());
        let parts = wanted.min(results / LEAST_RESULTS).max(results.div_ceil(F::RESULTS));
        let blocks = Portions::new(results.div_ceil(BLOCK), parts);
        (0..groups.len() * parts).into_par_iter().for_each(|task| {
            let (group, blocks) = (task / parts, blocks.range(task % parts));
            let task = Task {
                filter,
                correlation,
                tiles: &groups[group],
                inputs: &inputs[group],
                kernels,
                blocks,
                y,
            };
            with_scratch(task.scratch(), |scratch| run(TaskIn { task, scratch }));
        });
    }
}

/// Some blocks of results for a group of tiles.
struct Task<'a, F> {
    filter: F,
    correlation: &'a Correlation<'a>,
    tiles: &'a Tiles<'a>,
    inputs: &'a Transformed,
    kernels: &'a Kernels<'a>,
    blocks: Range<usize>,
    y: Parts,
}

struct TaskIn<'a, F> {
    task: Task<'a, F>,
    scratch: &'a mut [f32],
}

impl<F: Filter> Task<'_, F> {
    /// Floats of the products: of each block, vector and point those of the block's results.
    fn products(&self) -> usize {
        self.blocks.len() * self.tiles.lanes.next_multiple_of(MOST_LANES) * F::POINTS * BLOCK
    }

    fn scratch(&self) -> usize {
        self.products() + self.blocks.len() * F::POINTS * weights::point(CHANNELS)
    }
}

impl<F: Filter> Kernel for TaskIn<'_, F> {
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

impl<F: Filter> Task<'_, F> {
    /// Adds the products of a portion of the channels.
    #[inline(always)]
    unsafe fn add_channels<L: Lanes>(&self, portion: usize, weights: &mut [f32], products: &mut [f32]) {
        let write = if portion == 0 { Write::Replace } else { Write::Add };
        let channels = portion * CHANNELS..((portion + 1) * CHANNELS).min(self.correlation.channels);
        let size = weights::point(channels.len());
        let vectors = self.tiles.lanes.div_ceil(L::WIDTH);
        let weights = &mut weights[..self.blocks.len() * F::POINTS * size];
        for (block, weights) in self.blocks.clone().zip(weights.chunks_exact_mut(F::POINTS * size)) {
            // SAFETY: the transform writes floats.
            self.kernels.transform(self.filter, 0, block, channels.clone(), unsafe { places(weights) });
        }
        let turns = F::POINTS * panels(vectors).count() * self.blocks.len();
        let mut next = self.inputs.of_all(portion + 1);
        let share = next.len().div_ceil(turns);
        for point in 0..F::POINTS {
            let inputs = self.inputs.of(portion, point);
            for panel in panels(vectors) {
                let inputs = (&inputs[panel.start * L::WIDTH..], self.inputs.row());
                for number in 0..self.blocks.len() {
                    let weights = &weights[(number * F::POINTS + point) * size..][..channels.len() * BLOCK];
                    let to = ((number * vectors + panel.start) * F::POINTS + point) * BLOCK * L::WIDTH;
                    let to = (&mut products[to..], F::POINTS);
                    fetch(next.split_off(..share.min(next.len())).unwrap_or(&[]));
                    // SAFETY: by contract.
                    unsafe { panel_product::<L>(panel.len(), inputs, weights, weights, to, write) };
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
                let from = ((block * vectors + number) * F::POINTS * BLOCK + lane) * L::WIDTH;
                let bias = bias.map_or(0.0, |bias| bias[result]);
                // SAFETY: `products` has been written for all results and vectors; no other task has these tiles.
                unsafe {
                    let from = products.as_ptr().add(from);
                    let pixels = F::pixels::<L>(from, BLOCK * L::WIDTH, bias);
                    for piece in &pieces {
                        let plane = self.y.at((piece.image * results + result) * result_pixels);
                        let later = plane.wrapping_add(AHEAD * result_pixels);
                        piece.phase.fetch::<F>(later, piece.tile, piece.lanes.len());
                        piece.phase.write::<L, F>(&pixels, plane, piece.tile, piece.lanes.clone());
                    }
                }
            }
        }
    }
}
