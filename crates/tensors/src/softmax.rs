//! Softmax over the channels of every pixel.

use crate::blocks::{self, Block, PIXELS};
use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
    pixel_classes::Pixels,
};
use crate::filled::zeros;
use crate::host;
use crate::simd::{exp, vectorised};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

const NAME: &str = "softmax_channels";

/// Softmax over axis 1: every pixel's channels become positive and sum to 1. The maximum is subtracted first, so large
/// values do not overflow; results below about 1e-38 are 0.
///
/// # Shapes
/// x (N, C, ...) f32 -> the same.
///
/// # Errors
/// If `x` is not f32, has fewer than two axes or an empty one.
pub fn softmax_channels(x: &Tensor) -> Result<Tensor> {
    host::check_f32(x, NAME)?;
    if x.rank() < 2 || x.elem_count() == 0 {
        bail!("{NAME}: expected (N, C, ...) without an empty axis, got {:?}", x.shape());
    }
    x.contiguous()?.watched_op1(Softmax)
}

/// Images, channels and pixels of (N, C, ...).
fn sizes(layout: &Layout) -> (usize, usize, usize) {
    let dims = layout.dims();
    (dims[0], dims[1], dims[2..].iter().product())
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(storage, layout, NAME)?;
        let (n, c, pixels) = sizes(layout);
        let mut y = zeros(x.len());
        Block::all(n, c, pixels)
            .into_par_iter()
            .zip(blocks::split_channels_mut(&mut y, c, pixels))
            .with_min_len(host::items_per_job(c * PIXELS.min(pixels)))
            .for_each(|(block, mut y)| softmax_block(block, x, &mut y));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (of, from) = (Pixels::new(layout.dims(), NAME)?, card::pointer::<f32>(x, layout, NAME)?);
        // SAFETY: both have a float for every pixel and channel.
        let fill = |card: &Card, y| unsafe { cuda::pixel_classes::softmax(card, of, [from, y]) };
        // SAFETY: the kernel writes every element.
        let y = unsafe { card::filled::<f32>(&x.device, of.elements(), fill) }?;
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        y.watched_op2_no_bwd(&gradient.contiguous()?, &SoftmaxBackward).map(Some)
    }
}

/// From the result y and its gradient g: y (g - sum over channels of g y).
struct SoftmaxBackward;

impl CustomOp2 for SoftmaxBackward {
    fn name(&self) -> &'static str {
        "softmax_channels backward"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        y_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let y = host::slice::<f32>(y, y_layout, self.name())?;
        let gradient = host::slice::<f32>(gradient, gradient_layout, self.name())?;
        let (n, c, pixels) = sizes(y_layout);
        let mut dx = zeros(y.len());
        Block::all(n, c, pixels)
            .into_par_iter()
            .zip(blocks::split_channels_mut(&mut dx, c, pixels))
            .with_min_len(host::items_per_job(c * PIXELS.min(pixels)))
            .for_each(|(block, mut dx)| backward_block(block, y, gradient, &mut dx));
        Ok((CpuStorage::F32(dx), y_layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        y: &CudaStorage,
        ly: &Layout,
        upstream: &CudaStorage,
        lu: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        card::same_count([ly, lu], self.name())?;
        let of = Pixels::new(ly.dims(), self.name())?;
        let at = [card::pointer::<f32>(y, ly, NAME)?, card::pointer::<f32>(upstream, lu, NAME)?];
        // SAFETY: all have a float for every pixel and channel.
        let fill =
            |card: &Card, dx| unsafe { cuda::pixel_classes::softmax_gradient(card, of, [at[0], at[1], dx]) };
        // SAFETY: the kernel writes every element.
        let dx = unsafe { card::filled::<f32>(&y.device, of.elements(), fill) }?;
        Ok((dx, ly.shape().clone()))
    }
}

vectorised! {
    fn softmax_block(block: Block, x: &[f32], y: &mut [&mut [f32]]) {
        let mut largest = [f32::NEG_INFINITY; PIXELS];
        let mut sums = [0f32; PIXELS];
        for c in 0..y.len() {
            for (m, x) in largest.iter_mut().zip(block.channel(x, c)) {
                *m = if *x > *m { *x } else { *m };
            }
        }
        for (c, y) in y.iter_mut().enumerate() {
            for (((y, x), m), sum) in y.iter_mut().zip(block.channel(x, c)).zip(&largest).zip(&mut sums) {
                *y = exp(x - m);
                *sum += *y;
            }
        }
        for sum in &mut sums {
            *sum = 1.0 / *sum;
        }
        for y in y.iter_mut() {
            y.iter_mut().zip(&sums).for_each(|(y, scale)| *y *= scale);
        }
    }
}

vectorised! {
    fn backward_block(block: Block, y: &[f32], gradient: &[f32], dx: &mut [&mut [f32]]) {
        let mut sums = [0f32; PIXELS];
        for c in 0..dx.len() {
            for ((sum, y), g) in sums.iter_mut().zip(block.channel(y, c)).zip(block.channel(gradient, c)) {
                *sum += y * g;
            }
        }
        for (c, dx) in dx.iter_mut().enumerate() {
            let y = block.channel(y, c).iter().zip(block.channel(gradient, c));
            for ((dx, (y, g)), sum) in dx.iter_mut().zip(y).zip(&sums) {
                *dx = y * (g - sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{assert_same_on_any_threads, assert_views_work};
    use crate::testing::{assert_close, check_gradient, hashed_signed};
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    /// From the definition, in f64.
    fn plain(x: &Tensor) -> Result<Tensor> {
        let e = x.to_dtype(DType::F64)?.exp()?;
        e.broadcast_div(&e.sum_keepdim(1)?)?.to_dtype(DType::F32)
    }

    #[test]
    fn large_values_do_not_overflow() -> Result<()> {
        let x = Tensor::new(&[[1000f32, 1000.0, -1000.0], [0.0, f32::NAN, 0.0]], &Device::Cpu)?;
        let y = softmax_channels(&x)?.to_vec2::<f32>()?;
        assert_eq!(y[0], [0.5, 0.5, 0.0]);
        assert!(y[1].iter().all(|y| y.is_nan()));
        Ok(())
    }

    #[test]
    fn bad_input_is_named() {
        let x = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        let error = softmax_channels(&x).unwrap_err().to_string();
        assert!(error.contains("softmax_channels") && error.contains("[3]"), "{error}");
    }

    #[test]
    fn threads_and_views_change_nothing() -> Result<()> {
        let x = hashed_signed("x", (2, 5, 61, 70), 4.0);
        assert_same_on_any_threads(&x, softmax_channels)?;
        assert_views_work(&x, softmax_channels)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn equals_its_definition(
            (n, c) in (1usize..4, 1usize..24),
            rest in prop::collection::vec(1usize..40, 0..3),
            scale in 0.1f64..20.0,
        ) {
            let x = hashed_signed("x", [vec![n, c], rest].concat(), scale);
            assert_close(&softmax_channels(&x)?, &plain(&x)?, "softmax");
        }

        #[test]
        fn the_gradient_equals_finite_differences(c in 1usize..7, h in 1usize..6, w in 1usize..6, seed in 0u64..99) {
            check_gradient(|x| softmax_channels(&x[0]), &[hashed_signed("x", (2, c, h, w), 2.0)], seed)?;
        }
    }
}
