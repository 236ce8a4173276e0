//! The maximum over windows. The forward pass keeps where each maximum came from, so that backward is a scatter.

use super::PoolConfig;
#[cfg(feature = "cuda")]
use super::scatter::pooled_on_card;
use super::scatter::{Scatter, Sources};
use crate::checked::Watched;
use crate::filled::zeros;
use crate::host;
use crate::kept::Values;
use crate::simd::vectorised;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

const NAME: &str = "max_pool2d";

/// The maximum over windows; padding never wins. Of equal values the first in reading order receives the gradient. A
/// NaN anywhere in a window gives NaN.
///
/// # Shapes
/// x (N, C, H, W) f32 -> (N, C, H', W') with H' = floor((H + 2 padding - kernel) / stride) + 1, or the ceiling.
///
/// # Errors
/// If `x` is not f32 of rank 4, the window is impossible, or no window fits.
pub fn max_pool2d(x: &Tensor, config: PoolConfig) -> Result<Tensor> {
    let (_, _, h, w) = host::dims4(x, NAME)?;
    let (height, width) = config.output_size((h, w), NAME)?;
    x.contiguous()?
        .watched_op1(MaxPool { plane: Plane { h, w, height, width, config }, sources: Arc::default() })
}

/// Sizes of one plane: `h` x `w` pixels in, `height` x `width` out.
#[derive(Debug, Clone, Copy)]
struct Plane {
    h: usize,
    w: usize,
    height: usize,
    width: usize,
    config: PoolConfig,
}

impl Plane {
    fn inputs(&self) -> usize {
        self.h * self.w
    }

    #[cfg(feature = "cuda")]
    fn windows(&self) -> Result<crate::cuda::max_pool::Windows> {
        self.config.windows((self.h, self.w))
    }

    fn outputs(&self) -> usize {
        self.height * self.width
    }

    /// Elements between two rows of one phase; see [`split_phases`].
    fn phase_width(&self) -> usize {
        self.w.div_ceil(self.config.stride)
    }

    fn scratch(&self) -> usize {
        self.h * self.config.stride * self.phase_width()
    }
}

struct MaxPool {
    plane: Plane,
    sources: Sources,
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let src = host::slice::<f32>(storage, layout, NAME)?;
        let (n, c, _, _) = layout.shape().dims4()?;
        let plane = &self.plane;
        let mut best = zeros(n * c * plane.outputs());
        let mut sources = zeros(best.len());
        best.par_chunks_mut(plane.outputs())
            .zip(sources.par_chunks_mut(plane.outputs()))
            .zip(src.par_chunks(plane.inputs()))
            .with_min_len(host::items_per_job(plane.inputs()))
            .for_each_init(
                || vec![0f32; plane.scratch()],
                |scratch, ((best, sources), src)| pool_plane(plane, src, scratch, best, sources),
            );
        let _ = self.sources.set(Values::Host(sources));
        Ok((CpuStorage::F32(best), (n, c, plane.height, plane.width).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        pooled_on_card((x, layout), &self.plane.windows()?, &self.sources, NAME)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let input = (self.plane.h, self.plane.w);
        let op = Scatter {
            name: "max_pool2d backward",
            input,
            sources: self.sources.clone(),
            #[cfg(feature = "cuda")]
            windows: self.plane.windows()?,
        };
        gradient.contiguous()?.watched_op1_no_bwd(&op).map(Some)
    }
}

vectorised! {
    fn pool_plane(plane: &Plane, src: &[f32], scratch: &mut [f32], best: &mut [f32], sources: &mut [u32]) {
        let stride = plane.config.stride;
        let phases: &[f32] = match stride {
            1 => src,
            _ => split_phases(plane, src, scratch),
        };
        let rows = best.chunks_exact_mut(plane.width).zip(sources.chunks_exact_mut(plane.width));
        for (o, (best, sources)) in rows.enumerate() {
            pool_row(plane, phases, o, best, sources);
        }
    }
}

/// Sorts the columns of every row by their remainder modulo the stride, so that neighbouring windows read neighbouring
/// elements: pixel (y, x) goes to row y * stride + x % stride, column x / stride.
#[inline(always)]
fn split_phases<'a>(plane: &Plane, src: &[f32], scratch: &'a mut [f32]) -> &'a [f32] {
    let (stride, width) = (plane.config.stride, plane.phase_width());
    for (row, phases) in src.chunks_exact(plane.w).zip(scratch.chunks_exact_mut(stride * width)) {
        if stride == 2 {
            split_even_odd(row, phases);
            continue;
        }
        for (x, pixel) in row.iter().enumerate() {
            phases[x % stride * width + x / stride] = *pixel;
        }
    }
    scratch
}

/// The most frequent stride, in a form that the compiler turns into shuffles.
#[inline(always)]
fn split_even_odd(row: &[f32], phases: &mut [f32]) {
    let (even, odd) = phases.split_at_mut(row.len().div_ceil(2));
    let (pairs, last) = row.as_chunks::<2>();
    for ((even, odd), [first, second]) in even.iter_mut().zip(odd).zip(pairs) {
        *even = *first;
        *odd = *second;
    }
    if let ([.., even], [last]) = (even, last) {
        *even = *last;
    }
}

/// One row of outputs: the taps of the window one after the other, each over the whole row.
#[inline(always)]
fn pool_row(plane: &Plane, phases: &[f32], o: usize, best: &mut [f32], sources: &mut [u32]) {
    let PoolConfig { kernel, stride, padding, .. } = plane.config;
    let rows = plane.config.window(o, plane.h);
    best.fill(f32::NEG_INFINITY);
    for (x, source) in sources.iter_mut().enumerate() {
        *source = (rows.start * plane.w + (x * stride).saturating_sub(padding)) as u32;
    }
    let phase_width = plane.phase_width();
    for y in rows {
        for tap in 0..kernel {
            // The tap of window x lies in column x * stride + tap - padding; windows where that is outside are left out.
            let first = padding.saturating_sub(tap).div_ceil(stride);
            let Some(room) = (plane.w + padding).checked_sub(tap + 1) else { continue };
            let end = (room / stride + 1).min(plane.width);
            if first >= end {
                continue;
            }
            let column = first * stride + tap - padding;
            let phase = (y * stride + column % stride) * phase_width + column / stride;
            let values = &phases[phase..phase + end - first];
            let source = (y * plane.w + column) as u32;
            take_larger(values, source, stride as u32, &mut best[first..end], &mut sources[first..end]);
        }
    }
}

/// Keeps, element by element, the larger of `best` and `values` and where it came from.
#[inline(always)]
fn take_larger(values: &[f32], first: u32, stride: u32, best: &mut [f32], sources: &mut [u32]) {
    let mut source = first;
    for ((value, best), kept) in values.iter().zip(best).zip(sources) {
        let take = *value > *best || value.is_nan();
        *best = if take { *value } else { *best };
        *kept = if take { source } else { *kept };
        source = source.wrapping_add(stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{
        assert_golden, assert_same_on_any_threads, assert_views_work, tabulate, with_gradient,
    };
    use crate::testing::{assert_close, check_gradient, hashed_signed, hashed_uniform};
    use candle_core::Device;
    use proptest::prelude::*;

    const fn config(kernel: usize, stride: usize, padding: usize, ceil_mode: bool) -> PoolConfig {
        PoolConfig { kernel, stride, padding, ceil_mode }
    }

    #[test]
    fn equals_pytorch() -> Result<()> {
        assert_golden("max_pool_k3_s2_p1", |x| max_pool2d(x, config(3, 2, 1, false)))?;
        assert_golden("max_pool_k3_s2_ceil", |x| max_pool2d(x, config(3, 2, 0, true)))?;
        assert_golden("max_pool_k2_s2", |x| max_pool2d(x, config(2, 2, 0, false)))
    }

    #[test]
    fn of_equal_values_the_first_receives_the_whole_gradient() -> Result<()> {
        let x = Tensor::ones((1, 1, 3, 3), candle_core::DType::F32, &Device::Cpu)?;
        let (y, gradient) = with_gradient(&x, &x, |x| max_pool2d(x, config(3, 1, 1, false)))?;
        assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1.0; 9]);
        assert_eq!(gradient.flatten_all()?.to_vec1::<f32>()?, [4., 2., 0., 2., 1., 0., 0., 0., 0.]);
        Ok(())
    }

    #[test]
    fn nan_and_infinities_pass_through() -> Result<()> {
        let row = |values: [f32; 4]| Tensor::new(&values, &Device::Cpu)?.reshape((1, 1, 1, 4));
        let pool = |x: &Tensor| max_pool2d(&Tensor::cat(&[x, x], 2)?, config(2, 2, 0, false));
        let y = pool(&row([f32::NAN, 7.0, 3.0, f32::INFINITY])?)?.flatten_all()?.to_vec1::<f32>()?;
        assert!(y[0].is_nan() && y[1] == f32::INFINITY, "{y:?}");
        let y = pool(&row([7.0, f32::NAN, f32::NEG_INFINITY, f32::NEG_INFINITY])?)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        assert!(y[0].is_nan() && y[1] == f32::NEG_INFINITY, "{y:?}");
        Ok(())
    }

    #[test]
    fn threads_and_views_change_nothing() -> Result<()> {
        let x = hashed_signed("x", (2, 5, 61, 70), 1.0);
        assert_same_on_any_threads(&x, |x| max_pool2d(x, config(3, 2, 1, false)))?;
        assert_views_work(&x, |x| max_pool2d(x, config(3, 2, 1, false)))
    }

    /// Values at least 1/8 apart: a permutation of 0, 1/8, 2/8, ...
    fn far_apart(h: usize, w: usize) -> Result<Tensor> {
        let x = hashed_uniform("order", h * w).to_vec1::<f32>()?;
        let rank = |v: &f32| x.iter().filter(|other| *other < v).count() as f32 / 8.0;
        Tensor::from_vec(x.iter().map(rank).collect(), (1, 1, h, w), &Device::Cpu)
    }

    prop_compose! {
        fn any_config()(kernel in 1usize..6, stride in 1usize..5, ceil_mode in any::<bool>())
            (padding in 0..=kernel / 2, kernel in Just(kernel), stride in Just(stride), ceil_mode in Just(ceil_mode))
            -> PoolConfig { config(kernel, stride, padding, ceil_mode) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn equals_its_definition(h in 5usize..30, w in 5usize..30, config in any_config()) {
            let x = hashed_signed("x", (2, 2, h, w), 1.0);
            let values = x.flatten_all()?.to_vec1::<f32>()?;
            let y = max_pool2d(&x, config)?;
            let want = tabulate(y.dims4()?, |n, c, row, column| {
                let mut best = f64::NEG_INFINITY;
                for i in 0..config.kernel * config.kernel {
                    let (y, x) = (row * config.stride + i / config.kernel, column * config.stride + i % config.kernel);
                    let (y, x) = (y.wrapping_sub(config.padding), x.wrapping_sub(config.padding));
                    if y < h && x < w {
                        best = best.max(f64::from(values[((n * 2 + c) * h + y) * w + x]));
                    }
                }
                best
            })?;
            assert_close(&y, &want, "maximum");
        }

        #[test]
        fn the_gradient_equals_finite_differences(h in 5usize..11, w in 5usize..11, config in any_config(), seed in 0u64..99) {
            check_gradient(|x| max_pool2d(&x[0], config), &[far_apart(h, w)?], seed)?;
        }
    }
}
