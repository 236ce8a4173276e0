//! The passes of a convolution in the arithmetic that was asked for, on the processor.

use rayon::prelude::*;

use super::{
    Geometry, forward as plain_forward, input_gradient as plain_input, weight_gradient as plain_weight,
};
use crate::arithmetic::Precision;
use crate::profile;

/// The output of the convolution of `x` with `weight`.
pub(super) fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    if geometry.arithmetic.precision == Precision::F32 {
        profile::count(geometry.multiply_adds(), || geometry.form());
        return plain_forward::forward(geometry, x, weight, bias);
    }
    let mut y = product(geometry, [x, weight], |x, weight| plain_forward::forward(geometry, x, weight, None));
    add_bias(&mut y, geometry.output_pixels(), bias);
    y
}

/// The gradient for the input, given the one for the output.
pub(super) fn input_gradient(geometry: &Geometry, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    product(geometry, [weight, dy], |weight, dy| plain_input::input_gradient(geometry, weight, dy))
}

/// The gradient for the weights, given the one for the output.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    product(geometry, [x, dy], |x, dy| plain_weight::weight_gradient(geometry, x, dy))
}

fn product(
    geometry: &Geometry,
    [left, right]: [&[f32]; 2],
    of: impl FnOnce(&[f32], &[f32]) -> Vec<f32>,
) -> Vec<f32> {
    profile::count(geometry.multiply_adds(), || geometry.form());
    let precision = geometry.arithmetic.precision;
    let mut result = of(&precision.rounded(left), &precision.rounded(right));
    precision.round(&mut result);
    result
}

/// Adds each channel's bias, if there is one, to maps of so many pixels.
pub(super) fn add_bias(y: &mut [f32], pixels: usize, bias: Option<&[f32]>) {
    let Some(bias) = bias else { return };
    y.par_chunks_mut(pixels).enumerate().for_each(|(plane, y)| {
        let bias = bias[plane % bias.len()];
        y.iter_mut().for_each(|y| *y += bias);
    });
}
