//! Sums over tiles of transformed inputs times transformed output gradients: the transforms of the weights' gradients.

use std::ops::Range;

use super::Phase;
use super::filter::{Filter, GradientFilter};
use crate::conv::Geometry;
use crate::conv::lanes::{Lanes, MOST_LANES};
use crate::conv::parts::Parts;
use crate::conv::portions::Portions;
use crate::fetch::fetch;

/// Most input and output channels of a task.
const INPUTS: usize = 96;
const OUTPUTS: usize = 64;
/// Vectors of outputs in a product, and inputs: as many sums as fit the registers of AVX-512.
const COLUMNS: usize = 4;
const ROWS: usize = 6;
/// Lanes that are summed at once, before their sum is added to that of those before: their gradients stay in the first-level cache.
/// Twice as many round to errors 1.3 times as large, in the same time.
const LANES: usize = 48;

/// A convolution's weights in blocks of inputs and outputs.
#[derive(Clone, Copy)]
pub(super) struct Blocks {
    inputs: (usize, usize),
    /// Outputs of a block, a multiple of the vectors' width on every processor, and of all.
    outputs: (usize, usize),
}

impl Blocks {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let size =
            |all: usize, most: usize, step: usize| all.div_ceil(all.div_ceil(most)).next_multiple_of(step);
        let Geometry { inputs, outputs, .. } = *geometry;
        Self {
            inputs: (size(inputs, INPUTS, ROWS), inputs),
            outputs: (size(outputs, OUTPUTS, MOST_LANES), outputs),
        }
    }

    /// Blocks of outputs.
    pub(super) fn output_count(&self) -> usize {
        self.outputs.1.div_ceil(self.outputs.0)
    }

    pub(super) fn count(&self) -> usize {
        self.inputs.1.div_ceil(self.inputs.0) * self.output_count()
    }

    /// Inputs of a block.
    pub(super) fn input_size(&self) -> usize {
        self.inputs.0
    }

    /// Outputs of a block, with those that do not exist.
    pub(super) fn row(&self) -> usize {
        self.outputs.0
    }

    /// The outputs of a block of outputs.
    pub(super) fn outputs(&self, block: usize) -> Range<usize> {
        part(block, self.outputs)
    }

    /// The inputs of a block of weights; its block of outputs is the remainder by [`Blocks::output_count`].
    pub(super) fn inputs(&self, block: usize) -> Range<usize> {
        part(block / self.output_count(), self.inputs)
    }

    /// Floats of the sums of a block of weights.
    pub(super) fn sums<F: Filter>(&self) -> usize {
        F::POINTS * self.inputs.0.next_multiple_of(ROWS) * self.row()
    }
}

fn part(number: usize, (size, all): (usize, usize)) -> Range<usize> {
    number * size..((number + 1) * size).min(all)
}

/// Copies the output gradients of `lanes` neighbouring tiles, the first of which is `tile` by row and column, to
/// (pixel of the tile, lane, output), of which `pixels` has `all` lanes and `row` outputs. What does not exist is left.
pub(super) fn gather<F: Filter>(
    phase: &Phase,
    tile: (usize, usize),
    planes: (&[f32], usize, usize),
    (pixels, all, row): (&mut [f32], usize, usize),
    lanes: Range<usize>,
) {
    for pixel in 0..F::SIDE * F::SIDE {
        let Some((from, column)) = phase.place(tile, (pixel / F::SIDE, pixel % F::SIDE)) else { continue };
        let step = phase.ahead.1;
        let count = (phase.size.1 - column).div_ceil(step).min(lanes.len());
        let to = &mut pixels[(pixel * all + lanes.start) * row..][..count * row];
        transpose(planes, (from, step), to, row);
    }
}

/// Copies to each of the rows of `to` a pixel of each plane, of `count` with `size` pixels each; pixels are `step` apart.
fn transpose(
    (planes, size, count): (&[f32], usize, usize),
    (first, step): (usize, usize),
    to: &mut [f32],
    row: usize,
) {
    const SIDE: usize = 16;
    let span = to.len().div_ceil(row).saturating_sub(1) * step + 1;
    for start in (0..count).step_by(SIDE) {
        let block = start..(start + SIDE).min(count);
        for plane in block.end..(block.end + SIDE).min(count) {
            fetch(&planes[plane * size + first..][..span]);
        }
        for (number, to) in to.chunks_exact_mut(row).enumerate() {
            for plane in block.clone() {
                to[plane] = planes[plane * size + first + number * step];
            }
        }
    }
}

/// Transforms gradients, (pixel of the tile, lane, output), to (point, lane, output) with points `point` floats apart.
///
/// # Safety
///
/// The processor must have the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn transform_gradients<L: Lanes, F: GradientFilter>(
    pixels: &[f32],
    gradients: &mut [f32],
    point: usize,
) {
    let size = pixels.len() / (F::SIDE * F::SIDE);
    assert!(
        size.is_multiple_of(L::WIDTH) && size <= point && gradients.len() >= (F::POINTS - 1) * point + size
    );
    for at in (0..size).step_by(L::WIDTH) {
        // SAFETY: inside the slices by the assertion.
        unsafe {
            let (from, to) = (pixels.as_ptr().add(at), gradients.as_mut_ptr().add(at));
            F::gradients::<L>(from, size, to, point);
        }
    }
}

/// Transformed inputs and gradients of one point.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    /// (input, lane), rows of `stride` floats.
    pub(super) inputs: &'a [f32],
    pub(super) stride: usize,
    /// (lane, output), rows of `row` floats.
    pub(super) gradients: &'a [f32],
    pub(super) row: usize,
    pub(super) lanes: usize,
}

/// Adds the products of `count` inputs with all outputs, summed over the lanes, to `sums`, (point, input, output).
///
/// # Safety
///
/// The processor must have the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn add_products<L: Lanes, F: Filter>(
    operands: Operands,
    count: usize,
    point: usize,
    sums: &mut [f32],
) {
    let size = sums.len() / F::POINTS;
    let sums = &mut sums[point * size..][..size];
    let parts = Portions::up_to(operands.lanes, LANES);
    for lanes in (0..parts.count).map(|part| parts.range(part)) {
        let mut column = 0;
        while column < operands.row {
            // SAFETY: by contract.
            column += unsafe {
                match (L::SUMS / ROWS, (operands.row - column) / L::WIDTH) {
                    (COLUMNS.., COLUMNS..) => columns::<L, COLUMNS>(&operands, count, sums, &lanes, column),
                    (_, 2..) => columns::<L, 2>(&operands, count, sums, &lanes, column),
                    _ => columns::<L, 1>(&operands, count, sums, &lanes, column),
                }
            };
        }
    }
}

/// The sums of `V` vectors of outputs for all inputs; returns the floats done.
#[inline(always)]
unsafe fn columns<L: Lanes, const V: usize>(
    operands: &Operands,
    count: usize,
    sums: &mut [f32],
    lanes: &Range<usize>,
    column: usize,
) -> usize {
    let &Operands { inputs, stride, gradients, row, .. } = operands;
    for first in (0..count).step_by(ROWS) {
        let mut rows = [&inputs[..0]; ROWS];
        for (place, slice) in rows.iter_mut().enumerate() {
            // Sums for rows that do not exist repeat the last one and are not read.
            *slice = &inputs[(first + place).min(count - 1) * stride..][lanes.clone()];
        }
        let sums = &mut sums[first * row..][..ROWS * row];
        assert!(gradients.len() >= lanes.end * row && column + V * L::WIDTH <= row);
        // SAFETY: inside the slices by their lengths and the assertion.
        unsafe {
            let mut totals = [[L::splat(0.0); V]; ROWS];
            let mut from = gradients.as_ptr().add(lanes.start * row + column);
            for lane in 0..lanes.len() {
                let mut gs = [L::splat(0.0); V];
                for (v, g) in gs.iter_mut().enumerate() {
                    *g = L::load(from.add(v * L::WIDTH));
                }
                for (row, totals) in rows.iter().zip(&mut totals) {
                    let x = L::splat(*row.get_unchecked(lane));
                    for v in 0..V {
                        totals[v] = x.mul_add(gs[v], totals[v]);
                    }
                }
                from = from.wrapping_add(row);
            }
            for (r, totals) in totals.iter().enumerate() {
                for (v, total) in totals.iter().enumerate() {
                    let to = sums.as_mut_ptr().add(r * row + column + v * L::WIDTH);
                    total.add(L::load(to)).store(to);
                }
            }
        }
    }
    V * L::WIDTH
}

/// Transforms sums, (point, input, output), to the weights of a block of `inputs` and `outputs` and writes them to `dw`,
/// where those of the group begin at `first`.
///
/// # Safety
///
/// The processor must have the instructions of `L`; no other task may use these weights.
#[inline(always)]
pub(super) unsafe fn finish<L: Lanes, F: GradientFilter>(
    geometry: &Geometry,
    (inputs, outputs): (Range<usize>, Range<usize>),
    (sums, row): (&[f32], usize),
    dw: Parts,
    first: usize,
) {
    let point = sums.len() / F::POINTS;
    let place = |output: usize, input: usize| first + (output * geometry.inputs + input) * 9;
    for start in (0..outputs.len()).step_by(MOST_LANES) {
        let count = MOST_LANES.min(outputs.len() - start);
        for (number, input) in inputs.clone().enumerate() {
            let kernels = F::kernel_gradient(&sums[number * row + start..], point);
            let output = outputs.start + start;
            dw.at(place(output + count - 1, input) + 9);
            // SAFETY: by contract; the last kernel ends inside the weights, or `at` would have panicked.
            unsafe { L::store_nines(&kernels, dw.at(place(output, input)), 9 * geometry.inputs, count) };
        }
    }
}
