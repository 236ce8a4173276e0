//! The maximum over a given number of windows.

use super::adaptive_window;
#[cfg(feature = "cuda")]
use super::adaptive_windows;
#[cfg(feature = "cuda")]
use super::scatter::pooled_on_card;
use super::scatter::{Scatter, Sources};
use crate::checked::Watched;
use crate::filled::zeros;
use crate::host;
use crate::kept::Values;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::Arc;

const NAME: &str = "adaptive_max_pool2d";

/// The maximum over `rows` x `columns` windows that cover the map, whatever its size: those of
/// [`adaptive_avg_pool2d`](crate::adaptive_avg_pool2d). Of equal values the first in reading order receives the gradient. A NaN
/// anywhere in a window gives NaN.
///
/// # Shapes
/// x (N, C, H, W) f32 -> (N, C, rows, columns).
///
/// # Errors
/// If `x` is not f32 of rank 4, or a size is 0.
pub fn adaptive_max_pool2d(x: &Tensor, (rows, columns): (usize, usize)) -> Result<Tensor> {
    let (_, _, h, w) = host::dims4(x, NAME)?;
    if rows * columns == 0 || h * w == 0 {
        bail!("{NAME}: cannot pool {:?} to {rows} x {columns} windows", x.shape());
    }
    let op = AdaptiveMaxPool { input: (h, w), output: (rows, columns), sources: Arc::default() };
    x.contiguous()?.watched_op1(op)
}

struct AdaptiveMaxPool {
    /// Height and width.
    input: (usize, usize),
    /// Rows and columns of windows.
    output: (usize, usize),
    sources: Sources,
}

impl CustomOp1 for AdaptiveMaxPool {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let src = host::slice::<f32>(storage, layout, NAME)?;
        let (n, c, h, w) = layout.shape().dims4()?;
        let (rows, columns) = self.output;
        let mut best = zeros(n * c * rows * columns);
        let mut sources = zeros(best.len());
        best.par_chunks_mut(rows * columns)
            .zip(sources.par_chunks_mut(rows * columns))
            .zip(src.par_chunks(h * w))
            .with_min_len(host::items_per_job(h * w))
            .for_each(|((best, sources), src)| self.pool_plane(src, best, sources));
        let _ = self.sources.set(Values::Host(sources));
        Ok((CpuStorage::F32(best), (n, c, rows, columns).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        pooled_on_card((x, layout), &adaptive_windows(self.input, self.output), &self.sources, NAME)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let name = "adaptive_max_pool2d backward";
        let op = Scatter {
            name,
            input: self.input,
            sources: self.sources.clone(),
            #[cfg(feature = "cuda")]
            windows: adaptive_windows(self.input, self.output),
        };
        gradient.contiguous()?.watched_op1_no_bwd(&op).map(Some)
    }
}

impl AdaptiveMaxPool {
    fn pool_plane(&self, src: &[f32], best: &mut [f32], sources: &mut [u32]) {
        let ((h, w), (rows, columns)) = (self.input, self.output);
        for (o, (best, source)) in best.iter_mut().zip(sources).enumerate() {
            let (ys, xs) = (adaptive_window(o / columns, h, rows), adaptive_window(o % columns, w, columns));
            (*best, *source) = (f32::NEG_INFINITY, (ys.start * w + xs.start) as u32);
            for y in ys {
                for (x, &value) in xs.clone().zip(&src[y * w..][xs.clone()]) {
                    if value > *best || value.is_nan() {
                        (*best, *source) = (value, (y * w + x) as u32);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{assert_same_on_any_threads, assert_views_work, tabulate, with_gradient};
    use crate::testing::{assert_close, check_gradient, hashed_signed, hashed_uniform};
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    #[test]
    fn of_equal_values_the_first_receives_the_whole_gradient() -> Result<()> {
        let x = Tensor::ones((1, 1, 3, 5), DType::F32, &Device::Cpu)?;
        let seed = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
        let (y, gradient) = with_gradient(&x, &seed, |x| adaptive_max_pool2d(x, (2, 2)))?;
        assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1.0; 4]);
        // Windows of rows 0..2 and 1..3, columns 0..3 and 2..5.
        let wanted = [1., 0., 1., 0., 0., 1., 0., 1., 0., 0., 0., 0., 0., 0., 0.];
        assert_eq!(gradient.flatten_all()?.to_vec1::<f32>()?, wanted);
        Ok(())
    }

    #[test]
    fn more_windows_than_pixels_repeat_them() -> Result<()> {
        let x = Tensor::new(&[[[[1f32, 2.], [3., 4.]]]], &Device::Cpu)?;
        let seed = Tensor::ones((1, 1, 3, 3), DType::F32, &Device::Cpu)?;
        let (y, gradient) = with_gradient(&x, &seed, |x| adaptive_max_pool2d(x, (3, 3)))?;
        assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 2., 2., 3., 4., 4., 3., 4., 4.]);
        assert_eq!(gradient.flatten_all()?.to_vec1::<f32>()?, [1., 2., 2., 4.]);
        Ok(())
    }

    #[test]
    fn nan_and_infinities_pass_through() -> Result<()> {
        let row = [f32::NAN, 7.0, f32::NEG_INFINITY, f32::NEG_INFINITY];
        let x = Tensor::new(&row, &Device::Cpu)?.reshape((1, 1, 1, 4))?;
        let y = adaptive_max_pool2d(&x, (1, 2))?.flatten_all()?.to_vec1::<f32>()?;
        assert!(y[0].is_nan() && y[1] == f32::NEG_INFINITY, "{y:?}");
        Ok(())
    }

    #[test]
    fn bad_input_is_named() {
        let x = Tensor::zeros((1, 2, 3, 4), DType::F32, &Device::Cpu).unwrap();
        let error = adaptive_max_pool2d(&x, (0, 1)).unwrap_err().to_string();
        assert!(error.contains("[1, 2, 3, 4]") && error.contains("0 x 1"), "{error}");
        let error = adaptive_max_pool2d(&x.to_dtype(DType::F64).unwrap(), (1, 1)).unwrap_err().to_string();
        assert!(error.contains(NAME) && error.contains("F64"), "{error}");
    }

    #[test]
    fn threads_and_views_change_nothing() -> Result<()> {
        let x = hashed_signed("x", (2, 5, 61, 70), 1.0);
        assert_same_on_any_threads(&x, |x| adaptive_max_pool2d(x, (3, 6)))?;
        assert_views_work(&x, |x| adaptive_max_pool2d(x, (3, 6)))
    }

    /// Values at least 1/8 apart: a permutation of 0, 1/8, 2/8, ...
    fn far_apart(h: usize, w: usize) -> Result<Tensor> {
        let x = hashed_uniform("order", h * w).to_vec1::<f32>()?;
        let rank = |v: &f32| x.iter().filter(|other| *other < v).count() as f32 / 8.0;
        Tensor::from_vec(x.iter().map(rank).collect(), (1, 1, h, w), &Device::Cpu)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn equals_its_definition(
            (h, w) in (1usize..14, 1usize..14),
            (rows, columns) in (1usize..15, 1usize..15),
        ) {
            let x = hashed_signed("x", (2, 2, h, w), 1.0);
            let values = x.flatten_all()?.to_vec1::<f32>()?;
            let inside = |pixel: usize, o: usize, inputs: usize, outputs: usize| {
                let edge = |o: usize| o as f64 * inputs as f64 / outputs as f64;
                (edge(o).floor()..edge(o + 1).ceil()).contains(&(pixel as f64))
            };
            let want = tabulate((2, 2, rows, columns), |n, c, row, column| {
                (0..h * w)
                    .filter(|i| inside(i / w, row, h, rows) && inside(i % w, column, w, columns))
                    .map(|i| f64::from(values[(n * 2 + c) * h * w + i]))
                    .fold(f64::NEG_INFINITY, f64::max)
            })?;
            assert_close(&adaptive_max_pool2d(&x, (rows, columns))?, &want, "adaptive maximum");
        }

        #[test]
        fn the_gradient_equals_finite_differences(
            (h, w) in (2usize..10, 2usize..10),
            size in (1usize..9, 1usize..9),
            seed in 0u64..99,
        ) {
            check_gradient(|x| adaptive_max_pool2d(&x[0], size), &[far_apart(h, w)?], seed)?;
        }
    }
}
