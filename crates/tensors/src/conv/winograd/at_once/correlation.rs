//! The forward pass and the gradient for the input.

use std::ops::Range;

use rayon::prelude::*;

use super::tiles::{Tiles, Transformed};
use crate::conv::correlation::Correlation;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::packing::BLOCK;
use crate::conv::parts::{Parts, Write, with_scratch};
use crate::conv::portions::Portions;
use crate::conv::winograd::products::{panel_product, panels};
use crate::conv::winograd::{POINTS, Phase, transform, weights};

/// Channels that are multiplied at once: those of all vectors stay in the second-level cache.
const CHANNELS: usize = 512;
/// Fewest results of a task, since each reads all inputs.
const RESULTS: usize = 64;
/// Tasks to make, if they do not become too small. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// Writes all results.
pub(in crate::conv::winograd) fn correlation(
    correlation: &Correlation,
    phases: Vec<Phase>,
    weights: &weights::Transformed,
    source: &[f32],
    y: Parts,
) {
    let Correlation { batch, channels, results, ref reach, .. } = *correlation;
    let plane = reach.source.0 * reach.source.1;
    let groups = Tiles::groups(&phases, batch);
    let inputs: Vec<_> = groups.iter().map(|tiles| tiles.transform(source, channels, plane)).collect();
    let blocks = Portions::wanted(results.div_ceil(BLOCK), TASKS.div_ceil(groups.len()), RESULTS / BLOCK);
    (0..groups.len() * blocks.count).into_par_iter().for_each(|task| {
        let (group, blocks) = (task / blocks.count, blocks.range(task % blocks.count));
        let task = Task { correlation, tiles: &groups[group], inputs: &inputs[group], weights, blocks, y };
        with_scratch(task.scratch(), |products| run(TaskIn { task, products }));
    });
}

/// Some blocks of results for a group of tiles.
struct Task<'a> {
    correlation: &'a Correlation<'a>,
    tiles: &'a Tiles<'a>,
    inputs: &'a Transformed,
    weights: &'a weights::Transformed,
    blocks: Range<usize>,
    y: Parts,
}

struct TaskIn<'a> {
    task: Task<'a>,
    /// Of each block, vector and point, the products of the block's results.
    products: &'a mut [f32],
}

impl Task<'_> {
    fn scratch(&self) -> usize {
        self.blocks.len() * self.tiles.lanes.next_multiple_of(MOST_LANES) * POINTS * BLOCK
    }
}

impl Kernel for TaskIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { task, products } = self;
        // SAFETY: the instructions are there by the contract of `Kernel::run`; this task alone writes these tiles.
        unsafe {
            task.multiply::<L>(products);
            task.finish::<L>(products);
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    unsafe fn multiply<L: Lanes>(&self, products: &mut [f32]) {
        let all = self.correlation.channels;
        for point in 0..POINTS {
            for first in (0..all).step_by(CHANNELS) {
                // SAFETY: by contract.
                unsafe { self.add_channels::<L>(point, first..(first + CHANNELS).min(all), products) };
            }
        }
    }

    #[inline(always)]
    unsafe fn add_channels<L: Lanes>(&self, point: usize, channels: Range<usize>, products: &mut [f32]) {
        let write = if channels.start == 0 { Write::Replace } else { Write::Add };
        let vectors = self.tiles.lanes.div_ceil(L::WIDTH);
        let inputs = &self.inputs.of(point)[channels.start * self.inputs.row..];
        for (number, block) in self.blocks.clone().enumerate() {
            let weights = &self.weights.of(0, block, point)[channels.start * BLOCK..channels.end * BLOCK];
            for panel in panels(vectors) {
                let to = ((number * vectors + panel.start) * POINTS + point) * BLOCK * L::WIDTH;
                let inputs = (&inputs[panel.start * L::WIDTH..], self.inputs.row);
                // SAFETY: by contract.
                unsafe { panel_product::<L>(panel.len(), inputs, weights, &mut products[to..], write) };
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
