//! The gradient of a convolution for its input; also the forward pass of a transposed convolution.

use super::Geometry;
use super::canvas::{Reach, Tap};
use super::correlation::{Correlation, Target, Weights};
use super::parts::filled;
use super::pointwise;

/// The gradient for the input, given the one for the output.
///
/// An input pixel (y, x) is read by the output pixels under the taps with `y + padding - tap * dilation` divisible by the
/// stride, so that with a stride s, the pixels of each of the s * s phases of the input are a convolution of the output
/// gradient with their own taps.
pub(super) fn input_gradient(geometry: &Geometry, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    if geometry.is_pointwise() {
        return pointwise::input_gradient(geometry, weight, dy);
    }
    let len = geometry.batch * geometry.groups * geometry.inputs * geometry.input_pixels();
    let (rows, columns) = (geometry.stride.min(geometry.input.0), geometry.stride.min(geometry.input.1));
    // SAFETY: a correlation writes all its results, which for all phases are all input pixels.
    unsafe {
        filled(len, |dx| {
            for row in 0..rows {
                for column in 0..columns {
                    phase(geometry, weight, (row, column)).run(dy, dx);
                }
            }
        })
    }
}

/// The gradient for every stride-th input row and column from the given ones on.
fn phase<'a>(geometry: &Geometry, weight: &'a [f32], (row, column): (usize, usize)) -> Correlation<'a> {
    let &Geometry { input, stride, .. } = geometry;
    Correlation {
        batch: geometry.batch,
        groups: geometry.groups,
        channels: geometry.outputs,
        results: geometry.inputs,
        reach: Reach {
            source: geometry.output,
            results: ((input.0 - row).div_ceil(stride), (input.1 - column).div_ceil(stride)),
            step: 1,
            taps: taps(geometry, (row, column)),
        },
        weights: Weights { values: weight, result_stride: geometry.taps(), channel_stride: geometry.terms() },
        bias: None,
        target: Target {
            plane: geometry.input_pixels(),
            origin: row * input.1 + column,
            row_step: stride * input.1,
            column_step: stride,
        },
    }
}

fn taps(geometry: &Geometry, (row, column): (usize, usize)) -> Vec<Tap> {
    let shift = |start: usize, tap: usize| {
        let distance = (start + geometry.padding) as isize - (tap * geometry.dilation) as isize;
        let stride = geometry.stride as isize;
        (distance.rem_euclid(stride) == 0).then(|| distance.div_euclid(stride))
    };
    let tap = |weight: usize| {
        let (tap_row, tap_column) = (weight / geometry.kernel.1, weight % geometry.kernel.1);
        Some(Tap { row: shift(row, tap_row)?, column: shift(column, tap_column)?, weight })
    };
    (0..geometry.taps()).filter_map(tap).collect()
}
