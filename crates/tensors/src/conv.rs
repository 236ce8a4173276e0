//! Two-dimensional convolution with its own backward pass.
//!
//! Some kernels do all the work, for all strides, dilations and groups:
//!
//! * A convolution with a kernel of one pixel is a product of matrices as they lie in memory (`pointwise`).
//! * Any other one, and the gradient for its input, is a sum of moved copies of padded planes (`correlation`): the
//!   matrix product of the well-known "im2col" (Chellapilla, Puri, Simard 2006, "High Performance Convolutional Neural
//!   Networks for Document Processing") without ever writing that matrix.
//! * Where taps lie far apart, as in atrous spatial pyramid pooling, each is a matrix product over the pixels for which it
//!   reads more than padding (`apart`); where they are 3x3 without strides, minimal filtering saves multiplications
//!   (`winograd`).
//! * The gradient for the weights is made of products of the same planes with the output's gradient, summed along the
//!   pixels (`weight_gradient`).
//!
//! The work is split into tasks by the shapes alone, and each sum has its order, so that results do not depend on the
//! number of threads. They do differ, within rounding, between processors with vectors of different widths.

mod apart;
mod canvas;
mod channel_sum;
mod correlation;
mod forward;
mod geometry;
mod input_gradient;
mod lanes;
mod matrix;
mod operations;
mod packing;
mod parts;
mod pointwise;
mod portions;
mod products;
#[cfg(test)]
mod tests;
mod vectors;
mod weight_gradient;
mod winograd;

use candle_core::{Result, Tensor, bail};

use crate::checked::Watched;
use crate::host::check_f32;
use crate::recompute::is_in_block;

pub(crate) use geometry::Geometry;
pub(crate) use lanes::{loops, width as vector_width};
pub(crate) use operations::{Forward, InputGradient, Transposed, WeightGradient};

/// How a kernel moves over the input: the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Pixels between neighbouring kernel positions.
    pub stride: usize,
    /// Zero pixels added on every side of the input.
    pub padding: usize,
    /// Pixels between neighbouring kernel taps; 1 is a dense kernel.
    pub dilation: usize,
    /// Equal parts of the channels that are convolved apart from each other.
    pub groups: usize,
}

impl Default for Conv2dConfig {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1 }
    }
}

/// Cross-correlates `x` with `weight` and adds `bias`, as PyTorch's `conv2d`.
///
/// The gradients of all arguments are available. Results do not depend on the number of threads.
///
/// Where no argument is tracked, so that no gradient can be asked for, 3x3 kernels with stride 1 may be filtered in larger tiles, which
/// is faster and rounds about twice as much as plain sums do: the last bits are not those of a forward pass in training.
///
/// # Shapes
///
/// `x` is (N, Cin, H, W), `weight` is (Cout, Cin / groups, kh, kw), `bias` is (Cout), all `f32`. The result is
/// (N, Cout, H', W') with `H' = (H + 2 * padding - dilation * (kh - 1) - 1) / stride + 1`, rounded down.
///
/// # Errors
///
/// When ranks, channels and groups do not fit together, when the kernel is larger than the padded input, and when
/// an argument is not `f32`.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, config: Conv2dConfig) -> Result<Tensor> {
    let geometry = Geometry::of_convolution(x.dims(), weight.dims(), bias.map(Tensor::dims), config)?;
    [Some(x), Some(weight), bias].into_iter().flatten().try_for_each(|tensor| check_f32(tensor, "conv2d"))?;
    let predicts = predicts([Some(x), Some(weight), bias]);
    let geometry = geometry.with_larger_tiles(predicts);
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        None => x.watched_op2(&weight, Forward(geometry)),
        Some(bias) => x.watched_op3(&weight, &bias.contiguous()?, Forward(geometry)),
    }
}

/// Whether no gradient will be asked for.
pub(crate) fn predicts<const N: usize>(parts: [Option<&Tensor>; N]) -> bool {
    !is_in_block() && !parts.into_iter().flatten().any(Tensor::track_op)
}

/// The gradient of [`conv2d`] for its input, given `dy`, the one for its output; itself without a gradient.
///
/// # Shapes
///
/// `weight` as for [`conv2d`], `dy` (N, Cout, H', W') as its output; `input` is (H, W). The result is (N, Cin, H, W).
///
/// # Errors
///
/// As [`conv2d`], and when `dy` has not the shape of the output.
pub fn conv2d_input_gradient(
    weight: &Tensor,
    dy: &Tensor,
    (height, width): (usize, usize),
    config: Conv2dConfig,
) -> Result<Tensor> {
    let x = [dy.dim(0)?, weight.dim(1)? * config.groups, height, width];
    let geometry = Geometry::of_convolution(&x, weight.dims(), None, config)?;
    check_output(&geometry, dy)?;
    weight.contiguous()?.watched_op2_no_bwd(&dy.contiguous()?, &InputGradient(geometry))
}

/// The gradient of [`conv2d`] for its weight, given `dy`, the one for its output; itself without a gradient.
///
/// # Shapes
///
/// `x` (N, Cin, H, W) as for [`conv2d`], `dy` (N, Cout, H', W') as its output; `kernel` is (kh, kw). The result is
/// (Cout, Cin / groups, kh, kw).
///
/// # Errors
///
/// As [`conv2d`], and when `dy` has not the shape of the output.
pub fn conv2d_weight_gradient(
    x: &Tensor,
    dy: &Tensor,
    kernel: (usize, usize),
    config: Conv2dConfig,
) -> Result<Tensor> {
    let weight = [dy.dim(1)?, x.dim(1)? / config.groups.max(1), kernel.0, kernel.1];
    let geometry = Geometry::of_convolution(x.dims(), &weight, None, config)?;
    check_output(&geometry, dy)?;
    x.contiguous()?.watched_op2_no_bwd(&dy.contiguous()?, &WeightGradient(geometry))
}

fn check_output(geometry: &Geometry, dy: &Tensor) -> Result<()> {
    let want = geometry.output_shape();
    if dy.dims4()? != want {
        bail!("conv2d: the gradient {:?} has not the shape of the output, {want:?}", dy.dims())
    }
    Ok(())
}
