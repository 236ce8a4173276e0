//! Two-dimensional transposed convolution: the adjoint of [`conv2d`](crate::conv2d), on the same kernels.

mod layer;

pub use layer::ConvTranspose2d;

use candle_core::{Result, Tensor};

use crate::checked::Watched;
use crate::conv::{Geometry, Transposed};
use crate::host::check_f32;

/// How the kernel's copies are laid over the output: the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTranspose2dConfig {
    /// Pixels of the output between the copies of the kernel for neighbouring input pixels.
    pub stride: usize,
    /// Pixels cut off every side of the output.
    pub padding: usize,
    /// Pixels added at the bottom and right of the output, fewer than `stride`: they tell apart the input sizes
    /// that a strided convolution maps to one output size.
    pub output_padding: usize,
}

impl Default for ConvTranspose2dConfig {
    fn default() -> Self {
        Self { stride: 1, padding: 0, output_padding: 0 }
    }
}

/// Transposed convolution of `x` with `weight`, plus `bias`, as PyTorch's `conv_transpose2d`.
///
/// It is the gradient of [`conv2d`](crate::conv2d) with the same weight, stride and padding for its input. The
/// gradients of all arguments are available. Results do not depend on the number of threads.
///
/// # Shapes
///
/// `x` is (N, Cin, H, W), `weight` is (Cin, Cout, kh, kw), `bias` is (Cout), all `f32`. The result is
/// (N, Cout, H', W') with `H' = (H - 1) * stride - 2 * padding + kh + output_padding`.
///
/// # Errors
///
/// When ranks and channels do not fit together, when the output would be empty, when `output_padding` is not smaller
/// than `stride`, and when an argument is not `f32`.
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: ConvTranspose2dConfig,
) -> Result<Tensor> {
    let geometry = Geometry::of_transposed(x.dims(), weight.dims(), bias.map(Tensor::dims), config)?;
    let mut arguments = [Some(x), Some(weight), bias].into_iter().flatten();
    arguments.try_for_each(|tensor| check_f32(tensor, "conv_transpose2d"))?;
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        None => x.watched_op2(&weight, Transposed(geometry)),
        Some(bias) => x.watched_op3(&weight, &bias.contiguous()?, Transposed(geometry)),
    }
}
