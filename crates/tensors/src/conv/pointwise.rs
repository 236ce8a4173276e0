//! Convolutions whose kernel is one pixel: matrix products of weights and images as they lie in memory.

use std::ops::Range;

use rayon::prelude::*;

use super::Geometry;
use super::matrix::{Matrix, product};
use super::parts::{Parts, Write, filled, sum_slices};

/// Pixels of a task.
const TILE: usize = 1024;
/// Pixels in a product for the weight gradient, and input channels of its tasks.
const DEPTH: usize = 2048;
const INPUTS: usize = 256;
/// Tasks to make of the weight gradient, at the cost of memory for their sums. Fixed, so that no result depends on the
/// number of threads.
const TASKS: usize = 16;

/// The output of a pointwise convolution.
pub(super) fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (pixels, inputs, outputs) = (geometry.output_pixels(), geometry.inputs, geometry.outputs);
    // SAFETY: the tiles cover all pixels of all images and groups.
    unsafe {
        filled(geometry.batch * geometry.groups * outputs * pixels, |y| {
            for_each_tile(geometry, |image, group, tile| {
                let weight = Matrix::new(&weight[geometry.group_weights(group)], outputs, inputs, inputs);
                let start = geometry.group_inputs(image, group).start + tile.start;
                let x = Matrix::new(&x[start..], inputs, tile.len(), pixels);
                let start = geometry.group_outputs(image, group).start + tile.start;
                let write = match bias {
                    Some(bias) => {
                        write_bias(y, start, &bias[group * outputs..][..outputs], tile.len(), pixels);
                        Write::Add
                    }
                    None => Write::Replace,
                };
                product(y.at(start), pixels, write, weight, x);
            });
        })
    }
}

/// The gradient of a pointwise convolution for its input.
pub(super) fn input_gradient(geometry: &Geometry, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let (pixels, inputs, outputs) = (geometry.output_pixels(), geometry.inputs, geometry.outputs);
    // SAFETY: the tiles cover all pixels of all images and groups.
    unsafe {
        filled(geometry.batch * geometry.groups * inputs * pixels, |dx| {
            for_each_tile(geometry, |image, group, tile| {
                let weight = Matrix::new(&weight[geometry.group_weights(group)], outputs, inputs, inputs);
                let start = geometry.group_outputs(image, group).start + tile.start;
                let dy = Matrix::new(&dy[start..], outputs, tile.len(), pixels);
                let start = geometry.group_inputs(image, group).start + tile.start;
                product(dx.at(start), pixels, Write::Replace, weight.transposed(), dy);
            });
        })
    }
}

/// Whether the weight gradient is better left to the general way: the matrix product would spend its time on copying
/// many inputs for few outputs.
pub(super) fn has_few_outputs(geometry: &Geometry) -> bool {
    geometry.outputs <= 64 && geometry.inputs > 2 * geometry.outputs
}

/// The gradient of a pointwise convolution for its weights.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (pixels, inputs, outputs) = (geometry.output_pixels(), geometry.inputs, geometry.outputs);
    let step = INPUTS.min(inputs);
    let blocks = inputs.div_ceil(step);
    let tiles = pixels.div_ceil(DEPTH);
    let units = geometry.batch * tiles;
    let most = (geometry.batch * pixels / DEPTH).clamp(1, units.max(1));
    let slices = TASKS.div_ceil(geometry.groups * blocks).min(most);
    sum_slices(slices, geometry.groups * outputs * inputs, |dw| {
        (0..slices * geometry.groups * blocks).into_par_iter().for_each(|task| {
            let (rest, start) = (task / blocks, task % blocks * step);
            let (slice, group) = (rest / geometry.groups, rest % geometry.groups);
            let channels = step.min(inputs - start);
            let target = dw.at((slice * geometry.groups + group) * outputs * inputs + start);
            for unit in slice * units / slices..(slice + 1) * units / slices {
                let (image, first) = (unit / tiles, unit % tiles * DEPTH);
                let tile = DEPTH.min(pixels - first);
                let x = &x[geometry.group_inputs(image, group)][start * pixels + first..];
                let x = Matrix::new(x, channels, tile, pixels).transposed();
                let dy = &dy[geometry.group_outputs(image, group)][first..];
                // SAFETY: each task has its own columns of its group's weight matrix in its slice.
                unsafe { product(target, inputs, Write::Add, Matrix::new(dy, outputs, tile, pixels), x) };
            }
        });
    })
}

fn for_each_tile(geometry: &Geometry, work: impl Fn(usize, usize, Range<usize>) + Sync) {
    let pixels = geometry.output_pixels();
    let tiles = pixels.div_ceil(TILE);
    (0..geometry.batch * geometry.groups * tiles).into_par_iter().for_each(|task| {
        let (unit, start) = (task / tiles, task % tiles * TILE);
        work(unit / geometry.groups, unit % geometry.groups, start..(start + TILE).min(pixels));
    });
}

/// # Safety
///
/// No other task may use these pixels.
unsafe fn write_bias(y: Parts, start: usize, bias: &[f32], len: usize, pixels: usize) {
    for (channel, &bias) in bias.iter().enumerate() {
        // SAFETY: by contract; the floats are written before they are read.
        unsafe { y.slice(start + channel * pixels, len) }.fill(bias);
    }
}
