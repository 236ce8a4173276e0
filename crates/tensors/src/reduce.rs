//! Sums over whole tensors, accumulated in f64.

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
};
use crate::host;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// The sum of all elements, accumulated in f64 and rounded once.
///
/// A loss summed over a million pixels in f32 loses digits; this sum does not. The result does not depend on the number
/// of threads.
///
/// # Shapes
///
/// `x` has any shape and is `f32`; the result is a scalar.
pub fn sum_all(x: &Tensor) -> Result<Tensor> {
    host::check_f32(x, "sum_all")?;
    x.contiguous()?.watched_op1(SumAll)
}

/// The sum of `x * weights` over all elements, accumulated in f64 and rounded once, in one pass.
///
/// The gradients of both arguments are available; a constant weight costs nothing in the backward pass.
///
/// # Shapes
///
/// `x` and `weights` have the same shape and are `f32`; the result is a scalar.
///
/// # Errors
///
/// When the shapes differ.
pub fn weighted_sum(x: &Tensor, weights: &Tensor) -> Result<Tensor> {
    host::check_f32(x, "weighted_sum")?;
    host::check_f32(weights, "weighted_sum")?;
    if x.dims() != weights.dims() {
        bail!("weighted_sum: {:?} elements, but {:?} weights", x.dims(), weights.dims());
    }
    x.contiguous()?.watched_op2(&weights.contiguous()?, WeightedSum)
}

/// Elements that one task sums; fixed, so that the order of additions is too.
const PART: usize = 1 << 15;

struct SumAll;

impl CustomOp1 for SumAll {
    fn name(&self) -> &'static str {
        "sum_all"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(x, layout, self.name())?;
        let parts: Vec<f64> = x.par_chunks(PART).map(sum).collect();
        Ok(scalar(&parts))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (count, from) = (layout.shape().elem_count(), card::pointer::<f32>(x, layout, self.name())?);
        // SAFETY: `x` has `count` floats, the sum is one.
        let fill = |card: &Card, sum| unsafe { cuda::reduce::sum(card, [from, 0, sum], count) };
        // SAFETY: the kernels write the sum.
        Ok((unsafe { card::filled::<f32>(&x.device, 1, fill) }?, Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _sum: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gradient.broadcast_as(x.shape()).map(Some)
    }
}

struct WeightedSum;

impl CustomOp2 for WeightedSum {
    fn name(&self) -> &'static str {
        "weighted_sum"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(x, lx, self.name())?;
        let w = host::slice::<f32>(w, lw, self.name())?;
        let parts: Vec<f64> = x.par_chunks(PART).zip(w.par_chunks(PART)).map(|(x, w)| dot(x, w)).collect();
        Ok(scalar(&parts))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = card::same_count([lx, lw], self.name())?;
        let at = [card::pointer::<f32>(x, lx, self.name())?, card::pointer::<f32>(w, lw, self.name())?];
        // SAFETY: both have `count` floats, the sum is one.
        let fill = |card: &Card, sum| unsafe { cuda::reduce::sum(card, [at[0], at[1], sum], count) };
        // SAFETY: the kernels write the sum.
        Ok((unsafe { card::filled::<f32>(&x.device, 1, fill) }?, Shape::from(())))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        _sum: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scaled = |by: &Tensor| by.detach().broadcast_mul(gradient);
        let dx = x.track_op().then(|| scaled(weights)).transpose()?;
        let dw = weights.track_op().then(|| scaled(x)).transpose()?;
        Ok((dx, dw))
    }
}

/// The sum of x in independent chains, so that the processor need not wait for each addition.
fn sum(x: &[f32]) -> f64 {
    let (groups, rest) = x.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for group in groups {
        for (lane, &x) in lanes.iter_mut().zip(group) {
            *lane += f64::from(x);
        }
    }
    lanes.into_iter().chain(rest.iter().copied().map(f64::from)).sum()
}

/// The sum of x w, as [`sum`].
fn dot(x: &[f32], w: &[f32]) -> f64 {
    let product = |(&x, &w): (&f32, &f32)| f64::from(x) * f64::from(w);
    let ((groups, rest), (weights, last)) = (x.as_chunks::<8>(), w.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (group, weights) in groups.iter().zip(weights) {
        for (lane, pair) in lanes.iter_mut().zip(group.iter().zip(weights)) {
            *lane += product(pair);
        }
    }
    lanes.into_iter().chain(rest.iter().zip(last).map(product)).sum()
}

fn scalar(parts: &[f64]) -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![parts.iter().sum::<f64>() as f32]), Shape::from(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_gradient, hashed_signed};
    use candle_core::{DType, Device, Var};
    use proptest::prelude::*;

    #[test]
    fn a_long_sum_of_small_numbers_keeps_its_digits() -> Result<()> {
        // 2^24 ones and 2^23 tenths: past 2^24 an f32 sum no longer grows by ones.
        let x = Tensor::cat(
            &[Tensor::ones(1 << 24, DType::F32, &Device::Cpu)?, Tensor::full(0.1f32, 1 << 23, &Device::Cpu)?],
            0,
        )?;
        let want = (1u64 << 24) as f64 + (1u64 << 23) as f64 * f64::from(0.1f32);
        let got = sum_all(&x)?.to_scalar::<f32>()?;
        assert_eq!(got, want as f32);
        assert_eq!(weighted_sum(&x, &x.ones_like()?)?.to_scalar::<f32>()?, got);
        Ok(())
    }

    #[test]
    fn views_sum_as_their_copies() -> Result<()> {
        let x = hashed_signed("x", (5, 6, 7), 1.0);
        let view = x.narrow(1, 2, 3)?.transpose(0, 2)?;
        let want = sum_all(&view.copy()?)?.to_scalar::<f32>()?;
        assert_eq!(sum_all(&view)?.to_scalar::<f32>()?, want);
        assert_eq!(weighted_sum(&view, &view.ones_like()?)?.to_scalar::<f32>()?, want);
        let empty = Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?;
        assert_eq!(sum_all(&empty)?.to_scalar::<f32>()?, 0.0);
        Ok(())
    }

    #[test]
    fn wrong_arguments_are_named() -> Result<()> {
        let x = hashed_signed("x", (2, 3), 1.0);
        let error = weighted_sum(&x, &x.t()?).unwrap_err().to_string();
        assert!(error.contains("[2, 3]") && error.contains("[3, 2]"), "{error}");
        let error = sum_all(&x.to_dtype(DType::F64)?).unwrap_err().to_string();
        assert!(error.contains("expected f32, got F64"), "{error}");
        Ok(())
    }

    #[test]
    fn a_constant_weight_gets_no_gradient() -> Result<()> {
        let x = Var::from_tensor(&hashed_signed("x", (2, 3), 1.0))?;
        let weights = hashed_signed("w", (2, 3), 1.0);
        let gradients = weighted_sum(&x.sqr()?, &weights)?.backward()?;
        assert!(gradients.get(&weights).is_none());
        let want = ((x.as_tensor() * 2.0)? * &weights)?.to_vec2::<f32>()?;
        assert_eq!(gradients.get(&x).map(|g| g.to_vec2::<f32>()).transpose()?, Some(want));
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn gradients_agree_with_finite_differences(n in 1..4usize, c in 1..5usize, h in 1..9usize, seed in 0..1000u64) {
            let shape = (n, c, h);
            let inputs = [hashed_signed(&format!("x{seed}"), shape, 1.0), hashed_signed(&format!("w{seed}"), shape, 1.0)];
            check_gradient(|x| sum_all(&x[0].sqr()?), &inputs[..1], seed).unwrap();
            check_gradient(|x| weighted_sum(&x[0].sqr()?, &x[1]), &inputs, seed).unwrap();
        }
    }
}
