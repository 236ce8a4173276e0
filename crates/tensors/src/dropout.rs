//! Dropout of whole channels, from a seed.

use std::mem::MaybeUninit;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::filled::filled;
use crate::host;
use crate::simd::vectorised;

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
    if !(0.0..=1.0).contains(&p) {
        bail!("dropout: the probability {p} is not within 0..=1");
    }
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
    x.contiguous()?.apply_op1(ScaleChannels { factors })
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

    fn bwd(&self, _x: &Tensor, _y: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let again = Self { factors: self.factors.clone() };
        upstream.contiguous()?.apply_op1_no_bwd(&again).map(Some)
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
        }
    }
}
