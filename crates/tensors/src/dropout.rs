//! Dropout of single elements and of whole channels, from a seed.

mod layer;

pub use layer::Dropout;

use std::mem::MaybeUninit;
use std::sync::Arc;

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
};
use crate::filled::filled;
use crate::hash::splitmix64;
use crate::host;
use crate::simd::vectorised;

/// Sets single elements to zero with probability `p`, and divides the others by `1 - p` (Srivastava et al.
/// 2014, "Dropout: a simple way to prevent neural networks from overfitting").
///
/// The choice depends only on `seed` and the place of the element: pass a fresh seed for every step. It is
/// made anew in the backward pass, so that no mask is kept. Leave the call out in evaluation.
///
/// # Shapes
///
/// `x` has any shape and is f32; the result has the same shape.
///
/// # Errors
///
/// A probability outside 0..=1.
pub fn dropout(x: &Tensor, p: f64, seed: u64) -> Result<Tensor> {
    check_probability(p)?;
    host::check_f32(x, "dropout")?;
    if p == 0.0 {
        return Ok(x.clone());
    }
    let dropped = (p * 2f64.powi(32)).round() as u64;
    x.contiguous()?.watched_op1(DropElements { seed, dropped, kept: (1.0 / (1.0 - p)) as f32 })
}

/// Sets whole channels of single images to zero with probability `p`, and divides the others by `1 - p`
/// (Tompson et al. 2015).
///
/// The choice depends only on `seed` and the number of images and channels: pass a fresh seed for every step.
/// Leave the call out in evaluation.
///
/// # Shapes
///
/// `x` is (N, C, ...) and f32; the result has the same shape.
///
/// # Errors
///
/// A probability outside 0..=1.
pub fn dropout_channels(x: &Tensor, p: f64, seed: u64) -> Result<Tensor> {
    check_probability(p)?;
    host::check_f32(x, "dropout")?;
    let &[images, channels, ..] = x.dims() else {
        bail!("dropout: expected (N, C, ...), got {:?}", x.dims());
    };
    if p == 0.0 {
        return Ok(x.clone());
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kept = (1.0 / (1.0 - p)) as f32;
    let factors = (0..images * channels).map(|_| if rng.random::<f64>() < p { 0.0 } else { kept }).collect();
    x.contiguous()?.watched_op1(ScaleChannels { factors })
}

fn check_probability(p: f64) -> Result<()> {
    if !(0.0..=1.0).contains(&p) {
        bail!("dropout: the probability {p} is not within 0..=1");
    }
    Ok(())
}

/// x -> 0 or x times a factor, by the place of each element
#[derive(Clone, Copy)]
struct DropElements {
    seed: u64,
    /// How many of 2^32 equally likely numbers drop an element.
    dropped: u64,
    /// The factor of the others.
    kept: f32,
}

/// Elements of one task.
const PART: usize = 1 << 15;

impl DropElements {
    #[inline(always)]
    fn apply(self, place: u64, x: f32) -> f32 {
        let number = splitmix64(self.seed.wrapping_add(place)) >> 32;
        if number < self.dropped { 0.0 } else { self.kept * x }
    }
}

impl CustomOp1 for DropElements {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(x, layout, self.name())?;
        let write = |y: &mut [MaybeUninit<f32>]| {
            let parts = y.par_chunks_mut(PART).zip(x.par_chunks(PART)).enumerate();
            parts.for_each(|(part, (y, x))| drop_elements(*self, (part * PART) as u64, x, y));
        };
        // SAFETY: the parts cover both slices, which are equally long, and each is written as a whole.
        let y = unsafe { filled(x.len(), write) };
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (count, from) = (layout.shape().elem_count(), card::pointer::<f32>(x, layout, self.name())?);
        let choice = (self.seed, self.dropped, self.kept);
        // SAFETY: both have `count` floats.
        let fill = |card: &Card, y| unsafe { cuda::dropout::drop_elements(card, [from, y], count, choice) };
        // SAFETY: the kernel writes every element.
        let y = unsafe { card::filled::<f32>(&x.device, count, fill) }?;
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        upstream.contiguous()?.watched_op1_no_bwd(self).map(Some)
    }
}

vectorised! {
    fn drop_elements(choice: DropElements, start: u64, x: &[f32], y: &mut [MaybeUninit<f32>]) {
        for ((y, &x), place) in y.iter_mut().zip(x).zip(start..) {
            y.write(choice.apply(place, x));
        }
    }
}

/// x -> x times a factor for each image and channel
struct ScaleChannels {
    factors: Arc<[f32]>,
}

impl CustomOp1 for ScaleChannels {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(x, layout, self.name())?;
        let pixels = (x.len() / self.factors.len().max(1)).max(1);
        let write = |y: &mut [MaybeUninit<f32>]| {
            let planes =
                y.par_chunks_exact_mut(pixels).zip(x.par_chunks_exact(pixels)).zip(self.factors.par_iter());
            planes
                .with_min_len(host::items_per_job(pixels))
                .for_each(|((y, x), &factor)| scale(factor, x, y));
        };
        // SAFETY: there are as many planes as factors, all of the same size, and each is written as a whole.
        let y = unsafe { filled(x.len(), write) };
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (count, from) = (layout.shape().elem_count(), card::pointer::<f32>(x, layout, self.name())?);
        let pixels = count / self.factors.len().max(1);
        // SAFETY: both have as many planes of so many pixels as there are factors.
        let fill =
            |card: &Card, y| unsafe { cuda::dropout::scale_planes(card, [from, y], &self.factors, pixels) };
        // SAFETY: the kernel writes every element.
        let y = unsafe { card::filled::<f32>(&x.device, count, fill) }?;
        Ok((y, layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let again = Self { factors: self.factors.clone() };
        upstream.contiguous()?.watched_op1_no_bwd(&again).map(Some)
    }
}

vectorised! {
    fn scale(factor: f32, x: &[f32], y: &mut [MaybeUninit<f32>]) {
        for (y, &x) in y.iter_mut().zip(x) {
            y.write(factor * x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{assert_same_on_any_threads, assert_views_work};
    use crate::testing::{check_gradient, hashed_signed};
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    /// The factor of each channel, which must be the same at all its pixels.
    fn factors(p: f64, seed: u64, shape: (usize, usize, usize, usize)) -> Result<Vec<f32>> {
        let y = dropout_channels(&Tensor::ones(shape, DType::F32, &Device::Cpu)?, p, seed)?;
        let planes = y.flatten_to(1)?.flatten_from(1)?.to_vec2::<f32>()?;
        assert!(planes.iter().all(|plane| plane.iter().all(|&value| value == plane[0])));
        Ok(planes.iter().map(|plane| plane[0]).collect())
    }

    /// The factor of each element of ones.
    fn element_factors(p: f64, seed: u64, count: usize) -> Result<Vec<f32>> {
        dropout(&Tensor::ones(count, DType::F32, &Device::Cpu)?, p, seed)?.to_vec1()
    }

    #[test]
    fn about_a_share_p_of_the_elements_is_dropped() -> Result<()> {
        let factors = element_factors(0.25, 7, 100_000)?;
        for part in factors.chunks(10_000) {
            let dropped = part.iter().filter(|&&factor| factor == 0.0).count();
            assert!((2_300..2_700).contains(&dropped), "{dropped}");
        }
        assert!(factors.iter().all(|&factor| factor == 0.0 || factor == 4.0 / 3.0));
        Ok(())
    }

    #[test]
    fn neighbours_are_dropped_independently() -> Result<()> {
        let factors = element_factors(0.5, 3, 100_000)?;
        for distance in [1, 2, 64, 1000] {
            let pairs = factors.iter().zip(&factors[distance..]);
            let equal = pairs.filter(|(a, b)| a == b).count() as f64 / (factors.len() - distance) as f64;
            assert!((equal - 0.5).abs() < 0.01, "{distance}: {equal}");
        }
        Ok(())
    }

    #[test]
    fn the_seed_alone_decides_which_elements() -> Result<()> {
        assert_eq!(element_factors(0.5, 1, 40_000)?, element_factors(0.5, 1, 70_000)?[..40_000]);
        assert_ne!(element_factors(0.5, 1, 64)?, element_factors(0.5, 2, 64)?);
        let x = hashed_signed("x", (3, 200, 123), 1.0);
        assert_same_on_any_threads(&x, |x| dropout(x, 0.3, 5))?;
        assert_views_work(&x.unsqueeze(0)?, |x| dropout(x, 0.3, 5))
    }

    #[test]
    fn the_ends_of_the_range_of_elements() -> Result<()> {
        assert_eq!(element_factors(0.0, 1, 3)?, [1.0; 3]);
        assert_eq!(element_factors(1.0, 1, 3)?, [0.0; 3]);
        for p in [-0.1, 1.1, f64::NAN] {
            let error = dropout(&hashed_signed("x", (1, 1), 1.0), p, 0).unwrap_err().to_string();
            assert!(error.contains(&p.to_string()), "{error}");
        }
        Ok(())
    }

    #[test]
    fn about_a_share_p_of_the_channels_is_dropped() -> Result<()> {
        let factors = factors(0.25, 7, (4, 1000, 2, 3))?;
        let dropped = factors.iter().filter(|&&factor| factor == 0.0).count();
        assert!((900..1100).contains(&dropped), "{dropped}");
        assert!(factors.iter().all(|&factor| factor == 0.0 || factor == 4.0 / 3.0));
        Ok(())
    }

    #[test]
    fn the_seed_alone_decides() -> Result<()> {
        let shape = (2, 64, 1, 1);
        assert_eq!(factors(0.5, 1, shape)?, factors(0.5, 1, (2, 64, 3, 5))?);
        assert_ne!(factors(0.5, 1, shape)?, factors(0.5, 2, shape)?);
        assert_ne!(factors(0.5, 1, shape)?[..64], factors(0.5, 1, shape)?[64..], "images differ");
        Ok(())
    }

    #[test]
    fn the_ends_of_the_range() -> Result<()> {
        assert_eq!(factors(0.0, 1, (1, 3, 2, 2))?, [1.0; 3]);
        assert_eq!(factors(1.0, 1, (1, 3, 2, 2))?, [0.0; 3]);
        for p in [-0.1, 1.1, f64::NAN] {
            let error = dropout_channels(&hashed_signed("x", (1, 1), 1.0), p, 0).unwrap_err().to_string();
            assert!(error.contains(&p.to_string()), "{error}");
        }
        assert!(dropout_channels(&hashed_signed("x", 3, 1.0), 0.5, 0).is_err());
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn gradients_agree_with_finite_differences(
            shape in (1usize..4, 1usize..8, 1usize..4, 1usize..4), seed: u64,
        ) {
            let x = hashed_signed("x", shape, 1.0);
            let inputs = [x];
            check_gradient(|x| dropout_channels(&x[0], 0.4, seed), &inputs, seed).unwrap();
            check_gradient(|x| dropout_channels(&x[0].t()?, 0.4, seed), &inputs, seed).unwrap();
            check_gradient(|x| dropout(&x[0], 0.4, seed), &inputs, seed).unwrap();
            check_gradient(|x| dropout(&x[0].t()?, 0.4, seed), &inputs, seed).unwrap();
        }
    }
}
