//! Rectifiers in one pass forward and one pass backward.

use std::mem::MaybeUninit;

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
    rectifier::CurveCode,
};
use crate::filled::filled;
use crate::host;
use crate::simd::vectorised;

/// What follows a normalisation, in the same pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x` above zero and the given slope times `x` below.
    Leaky(f32),
}

#[cfg(feature = "cuda")]
impl Activation {
    /// What the kernels call it.
    pub(crate) fn code(self) -> CurveCode {
        match self {
            Self::None => Identity.code(),
            Self::Relu => Relu.code(),
            Self::Leaky(slope) => Leaky(slope).code(),
        }
    }
}

/// `max(x, 0)`, with gradient 0 at 0.
///
/// # Shapes
///
/// `x` has any shape and is f32; the result has the same shape.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    pointwise(x, Relu)
}

/// `x` where it is positive and `slope * x` elsewhere, with gradient `slope` at 0.
///
/// # Shapes
///
/// `x` has any shape and is f32; the result has the same shape.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    pointwise(x, Leaky(slope as f32))
}

/// `max(a + b, 0)`, the end of a residual block, with gradient 0 at 0.
///
/// # Shapes
///
/// `a` and `b` have the same shape and are f32; so does the result.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() {
        bail!("add_relu: the shapes {:?} and {:?} differ", a.dims(), b.dims());
    }
    host::check_f32(a, "add_relu")?;
    host::check_f32(b, "add_relu")?;
    a.contiguous()?.watched_op2(&b.contiguous()?, AddRelu)
}

/// A function of one number. `gradient` is that of a loss for `x`, where `upstream` is its gradient for the
/// value.
///
/// Not a number stays so.
pub(crate) trait Curve: Copy + Send + Sync + 'static {
    fn value(self, x: f32) -> f32;
    fn gradient(self, x: f32, upstream: f32) -> f32;

    /// What the kernels call it.
    #[cfg(feature = "cuda")]
    fn code(self) -> CurveCode;
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity;

impl Curve for Identity {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn gradient(self, _x: f32, upstream: f32) -> f32 {
        upstream
    }

    #[cfg(feature = "cuda")]
    fn code(self) -> CurveCode {
        CurveCode(0, 1.0)
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Relu;

impl Curve for Relu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        if x < 0.0 { 0.0 } else { x }
    }

    #[inline(always)]
    fn gradient(self, x: f32, upstream: f32) -> f32 {
        if x <= 0.0 { 0.0 } else { upstream }
    }

    #[cfg(feature = "cuda")]
    fn code(self) -> CurveCode {
        CurveCode(1, 0.0)
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaky(pub(crate) f32);

impl Curve for Leaky {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        if x > 0.0 { x } else { self.0 * x }
    }

    #[inline(always)]
    fn gradient(self, x: f32, upstream: f32) -> f32 {
        if x > 0.0 { upstream } else { self.0 * upstream }
    }

    #[cfg(feature = "cuda")]
    fn code(self) -> CurveCode {
        CurveCode(2, self.0)
    }
}

fn pointwise(x: &Tensor, curve: impl Curve) -> Result<Tensor> {
    host::check_f32(x, "rectifier")?;
    x.contiguous()?.watched_op1(Pointwise(curve))
}

struct Pointwise<C>(C);

impl<C: Curve> CustomOp1 for Pointwise<C> {
    fn name(&self) -> &'static str {
        "rectifier"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(x, layout, self.name())?;
        let y = filled_in_parts(x.len(), |part, y| values(self.0, &x[part..part + y.len()], y));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (count, from) = (layout.shape().elem_count(), card::pointer::<f32>(x, layout, self.name())?);
        // SAFETY: both have `count` elements.
        let fill = |card: &Card, y| unsafe { cuda::rectifier::values(card, self.0.code(), from, y, count) };
        // SAFETY: the kernel writes every element.
        let y = unsafe { card::filled::<f32>(&x.device, count, fill) }?;
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        x.watched_op2_no_bwd(&upstream.contiguous()?, &PointwiseGradient(self.0)).map(Some)
    }
}

/// (x, upstream) -> the gradient for x
struct PointwiseGradient<C>(C);

impl<C: Curve> CustomOp2 for PointwiseGradient<C> {
    fn name(&self) -> &'static str {
        "rectifier gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        upstream: &CpuStorage,
        lu: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(x, lx, self.name())?;
        let upstream = host::slice::<f32>(upstream, lu, self.name())?;
        let dx = filled_in_parts(x.len(), |part, dx| {
            let here = part..part + dx.len();
            gradients(self.0, &x[here.clone()], &upstream[here], dx);
        });
        Ok((CpuStorage::F32(dx), lx.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        upstream: &CudaStorage,
        lu: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = card::same_count([lx, lu], self.name())?;
        let at =
            [card::pointer::<f32>(x, lx, self.name())?, card::pointer::<f32>(upstream, lu, self.name())?];
        // SAFETY: all have `count` elements.
        let fill = |card: &Card, dx| unsafe {
            cuda::rectifier::gradients(card, self.0.code(), [at[0], at[1], dx], count)
        };
        // SAFETY: the kernel writes every element.
        let dx = unsafe { card::filled::<f32>(&x.device, count, fill) }?;
        Ok((dx, lx.shape().clone()))
    }
}

struct AddRelu;

impl CustomOp2 for AddRelu {
    fn name(&self) -> &'static str {
        "add_relu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let a = host::slice::<f32>(a, la, self.name())?;
        let b = host::slice::<f32>(b, lb, self.name())?;
        let y = filled_in_parts(a.len(), |part, y| {
            let here = part..part + y.len();
            values_of_sum(&a[here.clone()], &b[here], y);
        });
        Ok((CpuStorage::F32(y), la.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        a: &CudaStorage,
        la: &Layout,
        b: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = card::same_count([la, lb], self.name())?;
        let at = [card::pointer::<f32>(a, la, self.name())?, card::pointer::<f32>(b, lb, self.name())?];
        // SAFETY: all have `count` elements.
        let fill = |card: &Card, y| unsafe { cuda::rectifier::add_relu(card, [at[0], at[1], y], count) };
        // SAFETY: the kernel writes every element.
        let y = unsafe { card::filled::<f32>(&a.device, count, fill) }?;
        Ok((y, la.shape().clone()))
    }

    /// The sum was positive where the result is.
    fn bwd(
        &self,
        _a: &Tensor,
        _b: &Tensor,
        y: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = rectified_gradient(y, &upstream.contiguous()?)?;
        Ok((Some(gradient.clone()), Some(gradient)))
    }
}

/// The gradient for what [`relu`] made `y` of, given the one for `y`; both contiguous.
pub(crate) fn rectified_gradient(y: &Tensor, upstream: &Tensor) -> Result<Tensor> {
    y.watched_op2_no_bwd(upstream, &PointwiseGradient(Relu))
}

vectorised! {
    fn values(curve: impl Curve, x: &[f32], y: &mut [MaybeUninit<f32>]) {
        for (y, &x) in y.iter_mut().zip(x) {
            y.write(curve.value(x));
        }
    }
}

vectorised! {
    fn gradients(curve: impl Curve, x: &[f32], upstream: &[f32], dx: &mut [MaybeUninit<f32>]) {
        for ((dx, &x), &upstream) in dx.iter_mut().zip(x).zip(upstream) {
            dx.write(curve.gradient(x, upstream));
        }
    }
}

vectorised! {
    fn values_of_sum(a: &[f32], b: &[f32], y: &mut [MaybeUninit<f32>]) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            y.write(Relu.value(a + b));
        }
    }
}

/// Elements of one task.
const PART: usize = 1 << 15;

/// A vector of which `fill` writes every part, given its offset. The callers above write as many elements as
/// the part has, since their inputs are as long.
fn filled_in_parts(len: usize, fill: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let parts = |y: &mut [MaybeUninit<f32>]| {
        y.par_chunks_mut(PART).enumerate().for_each(|(part, y)| fill(part * PART, y));
    };
    // SAFETY: the parts cover the vector, and each is written as a whole.
    unsafe { filled(len, parts) }
}

#[cfg(test)]
mod tests;
