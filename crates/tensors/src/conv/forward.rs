//! The convolution itself.

use super::Geometry;
use super::canvas::{Reach, Tap};
use super::correlation::Correlation;
use super::packing::Weights;
use super::parts::filled;
use super::vectors::Target;
use super::{apart, pointwise};

/// The output of the convolution of `x` with `weight`.
pub(super) fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    if geometry.is_pointwise() {
        return pointwise::forward(geometry, x, weight, bias);
    }
    if apart::pays(geometry) {
        return apart::forward(geometry, x, weight, bias);
    }
    let pixels = geometry.output_pixels();
    let correlation = Correlation {
        batch: geometry.batch,
        groups: geometry.groups,
        channels: geometry.inputs,
        results: geometry.outputs,
        reach: reach(geometry),
        weights: Weights { values: weight, result_stride: geometry.terms(), channel_stride: geometry.taps() },
        bias,
        targets: vec![Target::plane(geometry.output)],
        result_pixels: pixels,
        larger_tiles: geometry.larger_tiles,
    };
    let len = geometry.batch * geometry.groups * geometry.outputs * pixels;
    // SAFETY: a correlation writes all its results, which are all output pixels.
    unsafe { filled(len, |y| correlation.run(x, y)) }
}

/// The input pixels that the output pixels read.
pub(super) fn reach(geometry: &Geometry) -> Reach {
    let shift = |tap: usize| (tap * geometry.dilation) as isize - geometry.padding as isize;
    let tap = |weight: usize| {
        let (row, column) = (weight / geometry.kernel.1, weight % geometry.kernel.1);
        Tap { row: shift(row), column: shift(column), weight, phase: 0 }
    };
    Reach {
        source: geometry.input,
        results: geometry.output,
        step: (geometry.stride, geometry.stride),
        taps: (0..geometry.taps()).map(tap).collect(),
    }
}
