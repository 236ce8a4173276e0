//! The gradient for the weights.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::tiles::{Planes, Tiles, Transformed};
use crate::conv::Geometry;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::parts::{Parts, filled, with_scratch};
use crate::conv::winograd::Phase;
use crate::conv::winograd::filter::GradientFilter;
use crate::conv::winograd::kernel_sums::{
    Blocks, Operands, add_products, finish, gather, transform_gradients,
};
use crate::filled::zeros;

/// The gradient for the weights, given the one for the output.
pub(in crate::conv::winograd) fn weight_gradient<F: GradientFilter>(
    _: F,
    geometry: &Geometry,
    phases: Vec<Phase>,
    x: &[f32],
    dy: &[f32],
) -> Vec<f32> {
    let groups = Tiles::groups(&phases, geometry.batch, F::LANES);
    let blocks = Blocks::new(geometry);
    let transform = |tiles: &Tiles| {
        let planes = Planes { values: x, channels: geometry.inputs, size: geometry.input_pixels() };
        let inputs = tiles.transform::<F>(planes, blocks.input_size());
        (inputs, Gradients::new::<F>(geometry, tiles, blocks, dy))
    };
    let groups: Vec<_> = groups.iter().map(transform).collect();
    let write = |dw: Parts| {
        (0..blocks.count()).into_par_iter().for_each(|block| {
            let task = Block { filter: PhantomData::<F>, geometry, groups: &groups, blocks, block, dw };
            with_scratch(blocks.sums::<F>(), |sums| run(BlockIn { task, sums }));
        });
    };
    // SAFETY: the blocks are all weights.
    unsafe { filled(geometry.outputs * geometry.inputs * 9, write) }
}

/// The transformed gradients of the outputs: of each block of outputs, (point, lane, output).
struct Gradients {
    values: Vec<f32>,
    lanes: usize,
    /// Floats of a point, an odd number of cache lines.
    point: usize,
    /// Of a tile.
    points: usize,
}

impl Gradients {
    fn new<F: GradientFilter>(geometry: &Geometry, tiles: &Tiles, blocks: Blocks, dy: &[f32]) -> Self {
        let size = tiles.lanes * blocks.row();
        let point = ((size / MOST_LANES) | 1) * MOST_LANES;
        let mut values = zeros(blocks.output_count() * F::POINTS * point);
        values.par_chunks_mut(F::POINTS * point).enumerate().for_each(|(block, gradients)| {
            with_scratch(F::SIDE * F::SIDE * size, |pixels| {
                gather_block::<F>(geometry, tiles, blocks, block, dy, pixels);
                run(TransformIn { filter: PhantomData::<F>, pixels, gradients, point });
            });
        });
        Self { values, lanes: tiles.lanes, point, points: F::POINTS }
    }

    /// Those of a point, of a block of outputs.
    fn of(&self, block: usize, point: usize) -> &[f32] {
        &self.values[(block * self.points + point) * self.point..][..self.point]
    }
}

/// Copies the gradients of a block of outputs to (pixel of the tile, lane, output), zeros where there is none.
fn gather_block<F: GradientFilter>(
    geometry: &Geometry,
    tiles: &Tiles,
    blocks: Blocks,
    block: usize,
    dy: &[f32],
    pixels: &mut [f32],
) {
    pixels.fill(0.0);
    let (plane, outputs) = (geometry.output_pixels(), blocks.outputs(block));
    for piece in tiles.pieces(0..tiles.lanes) {
        let first = (piece.image * geometry.outputs + outputs.start) * plane;
        let target = (&mut *pixels, tiles.lanes, blocks.row());
        gather::<F>(piece.phase, piece.tile, (&dy[first..], plane, outputs.len()), target, piece.lanes);
    }
}

struct TransformIn<'a, F> {
    filter: PhantomData<F>,
    pixels: &'a [f32],
    gradients: &'a mut [f32],
    point: usize,
}

impl<F: GradientFilter> Kernel for TransformIn<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        // SAFETY: the instructions are there by the contract of `Kernel::run`.
        unsafe { transform_gradients::<L, F>(self.pixels, self.gradients, self.point) }
    }
}

/// A block of weights.
struct Block<'a, F> {
    filter: PhantomData<F>,
    geometry: &'a Geometry,
    /// The tiles to sum over.
    groups: &'a [(Transformed, Gradients)],
    blocks: Blocks,
    block: usize,
    dw: Parts,
}

struct BlockIn<'a, F> {
    task: Block<'a, F>,
    sums: &'a mut [f32],
}

impl<F: GradientFilter> Kernel for BlockIn<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { task: Block { geometry, groups, blocks, block, dw, .. }, sums } = self;
        let (channels, outputs) = (blocks.inputs(block), block % blocks.output_count());
        sums.fill(0.0);
        for (inputs, gradients) in groups {
            for point in 0..F::POINTS {
                let operands = Operands {
                    inputs: inputs.of(channels.start / blocks.input_size(), point),
                    stride: inputs.row(),
                    gradients: gradients.of(outputs, point),
                    row: blocks.row(),
                    lanes: gradients.lanes,
                };
                // SAFETY: the instructions are there by the contract of `Kernel::run`.
                unsafe { add_products::<L, F>(operands, channels.len(), point, sums) };
            }
        }
        let block = (channels, blocks.outputs(outputs));
        // SAFETY: as above; this task alone has the block.
        unsafe { finish::<L, F>(geometry, block, (sums, blocks.row()), dw, 0) };
    }
}
