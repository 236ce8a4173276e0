//! Convolutions in which every channel has its own kernel, as direct loops over rows.

use std::ops::Range;

use rayon::prelude::*;

use super::Geometry;

/// The output of a depthwise convolution.
pub(super) fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (inputs, outputs, taps) = (geometry.input_pixels(), geometry.output_pixels(), geometry.taps());
    let mut y = vec![0.0; geometry.batch * geometry.groups * outputs];
    y.par_chunks_mut(outputs).zip(x.par_chunks(inputs)).enumerate().for_each(|(plane, (y, x))| {
        let channel = plane % geometry.groups;
        y.fill(bias.map_or(0.0, |bias| bias[channel]));
        let weight = &weight[channel * taps..][..taps];
        for_each_row(geometry, |tap, from, to| {
            let (x, y) = (&x[from..], &mut y[to]);
            match geometry.stride {
                1 => y.iter_mut().zip(x).for_each(|(y, x)| *y += weight[tap] * x),
                stride => y.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, x)| *y += weight[tap] * x),
            }
        });
    });
    y
}

/// The gradient of a depthwise convolution for its input.
pub(super) fn input_gradient(geometry: &Geometry, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let (inputs, outputs, taps) = (geometry.input_pixels(), geometry.output_pixels(), geometry.taps());
    let mut dx = vec![0.0; geometry.batch * geometry.groups * inputs];
    dx.par_chunks_mut(inputs).zip(dy.par_chunks(outputs)).enumerate().for_each(|(plane, (dx, dy))| {
        let weight = &weight[plane % geometry.groups * taps..][..taps];
        for_each_row(geometry, |tap, from, to| {
            let (dx, dy) = (&mut dx[from..], &dy[to]);
            match geometry.stride {
                1 => dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += weight[tap] * dy),
                stride => dx.iter_mut().step_by(stride).zip(dy).for_each(|(dx, dy)| *dx += weight[tap] * dy),
            }
        });
    });
    dx
}

/// The gradient of a depthwise convolution for its weights.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (inputs, outputs, taps) = (geometry.input_pixels(), geometry.output_pixels(), geometry.taps());
    let mut dw = vec![0.0; geometry.groups * taps];
    dw.par_chunks_mut(taps).enumerate().for_each(|(channel, dw)| {
        let mut sums = vec![0.0f64; taps];
        for image in 0..geometry.batch {
            let plane = image * geometry.groups + channel;
            let (x, dy) = (&x[plane * inputs..][..inputs], &dy[plane * outputs..][..outputs]);
            for_each_row(geometry, |tap, from, to| {
                sums[tap] += f64::from(row_product(&x[from..], &dy[to], geometry.stride));
            });
        }
        dw.iter_mut().zip(sums).for_each(|(dw, sum)| *dw = sum as f32);
    });
    dw
}

/// The sum of products of `dy` with every `stride`-th value of `x`.
fn row_product(x: &[f32], dy: &[f32], stride: usize) -> f32 {
    const LANES: usize = 16;
    if stride != 1 {
        return x.iter().step_by(stride).zip(dy).map(|(x, dy)| x * dy).sum();
    }
    let x = &x[..dy.len()];
    let mut lanes = [0.0f32; LANES];
    let (x_chunks, dy_chunks) = (x.chunks_exact(LANES), dy.chunks_exact(LANES));
    let rest: f32 = x_chunks.remainder().iter().zip(dy_chunks.remainder()).map(|(x, dy)| x * dy).sum();
    for (x, dy) in x_chunks.zip(dy_chunks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * dy[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Calls `visit` with each tap, the first input position and the output positions of each row that the tap reads.
fn for_each_row(geometry: &Geometry, mut visit: impl FnMut(usize, usize, Range<usize>)) {
    let (height, width) = geometry.output;
    for row in 0..height {
        for tap in 0..geometry.taps() {
            let (tap_row, tap_column) = (tap / geometry.kernel.1, tap % geometry.kernel.1);
            let inner = geometry.inner_columns(tap_column);
            let Some(input_row) = geometry.input_row(row, tap_row).filter(|_| !inner.is_empty()) else {
                continue;
            };
            let from = input_row * geometry.input.1 + geometry.input_column(inner.start, tap_column);
            visit(tap, from, row * width + inner.start..row * width + inner.end);
        }
    }
}
