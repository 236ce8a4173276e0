//! Convolutions whose kernel is one pixel: matrix products of weights and images as they lie in memory.

use std::ops::Range;

use rayon::prelude::*;

use super::Geometry;
use super::matrix::{Matrix, product};
use super::parts::{Parts, Write, filled, sum_written};
use super::portions::Portions;

/// Most pixels of a task.
const TILE: usize = 1024;
/// Pixels that a matrix product with the widest vectors has in registers at once: others leave some of them empty.
const STEP: usize = 64;
/// Most pixels in a product for the weight gradient, and most input channels of its tasks.
const DEPTH: usize = 2048;
const INPUTS: usize = 256;
/// Fewest channels of a task that shares its pixels with others, since each packs the pixels for itself, and fewest of these pixels.
/// From so many results on the matrix product sums in the same order, whatever their number, so that the number of tasks may
/// depend on that of threads.
const CHANNELS: usize = 128;
const LEAST_PIXELS: usize = 4;
/// Fewest channels of a task of the weight gradient, whose pixels are packed across their rows, at a higher price.
const OUTPUTS: usize = 512;
/// Fewest pixels of a task that shares its channels with others, since each packs the weights for itself.
const PIXELS: usize = 128;
/// Tasks to make, if they do not become too small; for the weight gradient at the cost of memory for their sums. Fixed,
/// so that no result depends on the number of threads.
const TASKS: usize = 8;

/// The output of a pointwise convolution.
pub(super) fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (pixels, inputs, outputs) = (geometry.output_pixels(), geometry.inputs, geometry.outputs);
    // SAFETY: the tasks cover all pixels of all channels of all images and groups.
    unsafe {
        filled(geometry.batch * geometry.groups * outputs * pixels, |y| {
            for_each_tile(geometry, outputs, |image, group, tile, part| {
                let weight = &weight[geometry.group_weights(group)][part.start * inputs..];
                let weight = Matrix::new(weight, part.len(), inputs, inputs);
                let start = geometry.group_inputs(image, group).start + tile.start;
                let x = Matrix::new(&x[start..], inputs, tile.len(), pixels);
                let start = geometry.group_outputs(image, group).start + part.start * pixels + tile.start;
                let write = match bias {
                    Some(bias) => {
                        let bias = &bias[group * outputs..][part];
                        write_bias(y, start, bias, tile.len(), pixels);
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
    // SAFETY: the tasks cover all pixels of all channels of all images and groups.
    unsafe {
        filled(geometry.batch * geometry.groups * inputs * pixels, |dx| {
            for_each_tile(geometry, inputs, |image, group, tile, part| {
                let weight = &weight[geometry.group_weights(group)][part.start..];
                let weight = Matrix::new(weight, outputs, part.len(), inputs);
                let start = geometry.group_outputs(image, group).start + tile.start;
                let dy = Matrix::new(&dy[start..], outputs, tile.len(), pixels);
                let start = geometry.group_inputs(image, group).start + part.start * pixels + tile.start;
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
    let blocks = Portions::up_to(inputs, INPUTS);
    let parts = Portions::wanted(outputs, TASKS.div_ceil(geometry.groups * blocks.count), OUTPUTS);
    let tiles = Portions::up_to(pixels, DEPTH);
    let units = geometry.batch * tiles.count;
    let most = (geometry.batch * pixels / DEPTH).clamp(1, units.max(1));
    let slices = TASKS.div_ceil(geometry.groups * blocks.count * parts.count).min(most);
    let size = geometry.groups * outputs * inputs;
    if units == 0 {
        return vec![0.0; size];
    }
    let write = |dw: Parts| {
        let tasks = slices * geometry.groups * blocks.count * parts.count;
        (0..tasks).into_par_iter().for_each(|task| {
            let (rest, block) = (task / blocks.count, blocks.range(task % blocks.count));
            let (rest, part) = (rest / parts.count, parts.range(rest % parts.count));
            let (slice, group) = (rest / geometry.groups, rest % geometry.groups);
            let target = (slice * geometry.groups + group) * outputs * inputs;
            let target = dw.at(target + part.start * inputs + block.start);
            let first = slice * units / slices;
            for unit in first..(slice + 1) * units / slices {
                let write = if unit == first { Write::Replace } else { Write::Add };
                let (image, tile) = (unit / tiles.count, tiles.range(unit % tiles.count));
                let x = &x[geometry.group_inputs(image, group)][block.start * pixels + tile.start..];
                let x = Matrix::new(x, block.len(), tile.len(), pixels).transposed();
                let dy = &dy[geometry.group_outputs(image, group)][part.start * pixels + tile.start..];
                let dy = Matrix::new(dy, part.len(), tile.len(), pixels);
                // SAFETY: each task has its own block of its group's weight matrix in its slice.
                unsafe { product(target, inputs, write, dy, x) };
            }
        });
    };
    // SAFETY: the tasks of a slice write all weights of all groups, each with its first unit.
    unsafe { sum_written(slices, size, write) }
}

/// Calls `work` with image, group, pixels and channels, until all pixels of all `channels` have had their turn.
fn for_each_tile(
    geometry: &Geometry,
    channels: usize,
    work: impl Fn(usize, usize, Range<usize>, Range<usize>) + Sync,
) {
    let units = geometry.batch * geometry.groups;
    let (tiles, parts) = tiles_and_parts(geometry, channels);
    (0..units * tiles.count * parts.count).into_par_iter().for_each(|task| {
        let (rest, part) = (task / parts.count, parts.range(task % parts.count));
        let (unit, tile) = (rest / tiles.count, tiles.range(rest % tiles.count));
        work(unit / geometry.groups, unit % geometry.groups, tile, part);
    });
}

/// How pixels and channels are split into tasks: by pixels, and by channels as well where that makes too few tasks.
fn tiles_and_parts(geometry: &Geometry, channels: usize) -> (Portions, Portions) {
    let (pixels, units) = (geometry.output_pixels(), (geometry.batch * geometry.groups).max(1));
    let count = TASKS.div_ceil(units).min(pixels / PIXELS).max(pixels.div_ceil(TILE));
    let tiles = Portions::new(pixels, count).in_steps(STEP);
    let threads = rayon::current_num_threads();
    let wanted =
        if threads == 1 || pixels < LEAST_PIXELS { 1 } else { (2 * threads).div_ceil(units * count) };
    (tiles, Portions::wanted(channels, wanted, CHANNELS))
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
