//! The gradient for the weights.

use rayon::prelude::*;

use super::tiles::{Planes, Tiles, Transformed};
use crate::conv::Geometry;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::parts::{Parts, filled, with_scratch};
use crate::conv::winograd::filter::{Filter, Two};
use crate::conv::winograd::kernel_sums::{
    Blocks, Operands, add_products, finish, gather, transform_gradients,
};
use crate::conv::winograd::{POINTS, Phase};

/// The gradient for the weights, given the one for the output.
pub(in crate::conv::winograd) fn weight_gradient(
    geometry: &Geometry,
    phases: Vec<Phase>,
    x: &[f32],
    dy: &[f32],
) -> Vec<f32> {
    let groups = Tiles::groups(&phases, geometry.batch, Two::LANES);
    let blocks = Blocks::new(geometry);
    let transform = |tiles: &Tiles| {
        let planes = Planes { values: x, channels: geometry.inputs, size: geometry.input_pixels() };
        let inputs = tiles.transform::<Two>(planes, blocks.input_size());
        (inputs, Gradients::new(geometry, tiles, blocks, dy))
    };
    let groups: Vec<_> = groups.iter().map(transform).collect();
    let write = |dw: Parts| {
        (0..blocks.count()).into_par_iter().for_each(|block| {
            let task = Block { geometry, groups: &groups, blocks, block, dw };
            with_scratch(blocks.sums(), |sums| run(BlockIn { task, sums }));
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
}

impl Gradients {
    fn new(geometry: &Geometry, tiles: &Tiles, blocks: Blocks, dy: &[f32]) -> Self {
        let size = tiles.lanes * blocks.row();
        let point = ((size / MOST_LANES) | 1) * MOST_LANES;
        let mut values = vec![0.0; blocks.output_count() * POINTS * point];
        values.par_chunks_mut(POINTS * point).enumerate().for_each(|(block, gradients)| {
            with_scratch(4 * size, |pixels| {
                gather_block(geometry, tiles, blocks, block, dy, pixels);
                run(TransformIn { pixels, gradients, point });
            });
        });
        Self { values, lanes: tiles.lanes, point }
    }

    /// Those of a point, of a block of outputs.
    fn of(&self, block: usize, point: usize) -> &[f32] {
        &self.values[(block * POINTS + point) * self.point..][..self.point]
    }
}

/// Copies the gradients of a block of outputs to (pixel of the tile, lane, output), zeros where there is none.
fn gather_block(
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
        gather(piece.phase, piece.tile, (&dy[first..], plane, outputs.len()), target, piece.lanes);
    }
}

struct TransformIn<'a> {
    pixels: &'a [f32],
    gradients: &'a mut [f32],
    point: usize,
}

impl Kernel for TransformIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        // SAFETY: the instructions are there by the contract of `Kernel::run`.
        unsafe { transform_gradients::<L>(self.pixels, self.gradients, self.point) }
    }
}

/// A block of weights.
struct Block<'a> {
    geometry: &'a Geometry,
    /// The tiles to sum over.
    groups: &'a [(Transformed, Gradients)],
    blocks: Blocks,
    block: usize,
    dw: Parts,
}

struct BlockIn<'a> {
    task: Block<'a>,
    sums: &'a mut [f32],
}

impl Kernel for BlockIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { task: Block { geometry, groups, blocks, block, dw }, sums } = self;
        let (channels, outputs) = (blocks.inputs(block), block % blocks.output_count());
        sums.fill(0.0);
        for (inputs, gradients) in groups {
            for point in 0..POINTS {
                let operands = Operands {
                    inputs: inputs.of(channels.start / blocks.input_size(), point),
                    stride: inputs.row(),
                    gradients: gradients.of(outputs, point),
                    row: blocks.row(),
                    lanes: gradients.lanes,
                };
                // SAFETY: the instructions are there by the contract of `Kernel::run`.
                unsafe { add_products::<L>(operands, channels.len(), point, sums) };
            }
        }
        finish(geometry, (channels, blocks.outputs(outputs)), (sums, blocks.row()), dw, 0);
    }
}
