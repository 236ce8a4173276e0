//! The gradient of a convolution for its input; also the forward pass of a transposed convolution.

use super::Geometry;
use super::canvas::{Reach, Tap};
use super::correlation::Correlation;
use super::packing::Weights;
use super::parts::{filled, zeroed};
use super::vectors::Target;
use super::{apart, pointwise};

/// The gradient for the input, given the one for the output.
///
/// The input row y is read by the output row `(y + padding - tap * dilation) / stride` under each tap for which that is a
/// whole number; so for columns. With a stride s, the pixels of each of the s * s phases of the input therefore are a
/// convolution of the output gradient with their own taps.
pub(super) fn input_gradient(geometry: &Geometry, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    if geometry.is_pointwise() {
        return pointwise::input_gradient(geometry, weight, dy);
    }
    if apart::pays(geometry) {
        return apart::input_gradient(geometry, weight, dy);
    }
    let &Geometry { input, stride, .. } = geometry;
    let mut phases: Vec<_> = (0..stride.min(input.0))
        .flat_map(|row| (0..stride.min(input.1)).map(move |column| (row, column)))
        .collect();
    let target = |&(row, column): &(usize, usize)| Target {
        size: ((input.0 - row).div_ceil(stride), (input.1 - column).div_ceil(stride)),
        origin: row * input.1 + column,
        row_step: stride * input.1,
        column_step: stride,
    };
    let all = phases.len();
    phases.retain(|&phase| !taps(geometry, 0, phase).is_empty());
    let len = geometry.batch * geometry.groups * geometry.inputs * geometry.input_pixels();
    if phases.is_empty() {
        return vec![0.0; len];
    }
    let taps = phases.iter().enumerate().flat_map(|(number, &phase)| taps(geometry, number, phase)).collect();
    let sizes = || phases.iter().map(|phase| target(phase).size);
    let results =
        (sizes().map(|size| size.0).max().unwrap_or(0), sizes().map(|size| size.1).max().unwrap_or(0));
    let correlation = Correlation {
        batch: geometry.batch,
        groups: geometry.groups,
        channels: geometry.outputs,
        results: geometry.inputs,
        reach: Reach { source: geometry.output, results, step: (1, 1), taps },
        targets: phases.iter().map(target).collect(),
        result_pixels: geometry.input_pixels(),
        weights: Weights { values: weight, result_stride: geometry.taps(), channel_stride: geometry.terms() },
        bias: None,
        larger_tiles: geometry.larger_tiles,
    };
    if phases.len() < all {
        // Pixels of the other phases are read by no output pixel.
        return zeroed(len, |dx| correlation.run(dy, dx));
    }
    // SAFETY: a correlation writes all its results, which for all phases are all input pixels.
    unsafe { filled(len, |dx| correlation.run(dy, dx)) }
}

/// The taps that lead from a phase of the input, which begins with the given row and column, to whole output pixels.
fn taps(geometry: &Geometry, phase: usize, (row, column): (usize, usize)) -> Vec<Tap> {
    let shift = |start: usize, tap: usize| {
        let distance = (start + geometry.padding) as isize - (tap * geometry.dilation) as isize;
        let stride = geometry.stride as isize;
        (distance.rem_euclid(stride) == 0).then(|| distance.div_euclid(stride))
    };
    let tap = |weight: usize| {
        let (tap_row, tap_column) = (weight / geometry.kernel.1, weight % geometry.kernel.1);
        Some(Tap { row: shift(row, tap_row)?, column: shift(column, tap_column)?, weight, phase })
    };
    (0..geometry.taps()).filter_map(tap).collect()
}
