//! Pooling over windows of a map: maximum and average, and both over a given number of windows.

mod adaptive_max;
mod max;
mod scatter;

pub use adaptive_max::adaptive_max_pool2d;
pub use max::max_pool2d;

#[cfg(any(feature = "cuda", test))]
use crate::cuda::max_pool::Windows;
use crate::host;
use crate::separable::{Axis, Separable};
use candle_core::{Result, Tensor, bail};
use std::ops::Range;

/// Windows of a pooling, the same along both axes; sizes in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// Side of the square window.
    pub kernel: usize,
    /// Distance between the starts of neighbouring windows.
    pub stride: usize,
    /// Pixels added at each border, at most half the kernel.
    pub padding: usize,
    /// Whether a last window that reaches over the far border counts, if it starts inside the input or the near padding.
    pub ceil_mode: bool,
}

/// The mean over windows. Padding counts as zeros (PyTorch's `count_include_pad=True`); what a last window of
/// `ceil_mode` covers beyond the padding does not count.
///
/// # Shapes
/// x (N, C, H, W) f32 -> (N, C, H', W') with H' = floor((H + 2 padding - kernel) / stride) + 1, or the ceiling.
///
/// # Errors
/// If `x` is not f32 of rank 4, the window is impossible, or no window fits.
pub fn avg_pool2d(x: &Tensor, config: PoolConfig) -> Result<Tensor> {
    let (_, _, h, w) = host::dims4(x, AVERAGE)?;
    config.average((h, w))?.apply(x)
}

/// The mean over `rows` x `columns` windows that cover the map, whatever its size: window i of an axis goes from
/// floor(i inputs / outputs) to ceil((i + 1) inputs / outputs), as in PyTorch. Windows may overlap and repeat.
///
/// # Shapes
/// x (N, C, H, W) f32 -> (N, C, rows, columns).
///
/// # Errors
/// If `x` is not f32 of rank 4, or a size is 0.
pub fn adaptive_avg_pool2d(x: &Tensor, (rows, columns): (usize, usize)) -> Result<Tensor> {
    const NAME: &str = "adaptive_avg_pool2d";
    let (_, _, h, w) = host::dims4(x, NAME)?;
    if rows == 0 || columns == 0 {
        bail!("{NAME}: cannot pool {:?} to {rows} x {columns} windows", x.shape());
    }
    adaptive_average((h, w), (rows, columns)).apply(x)
}

/// The mean over windows that cover planes of `(h, w)` pixels.
pub(crate) fn adaptive_average((h, w): (usize, usize), (rows, columns): (usize, usize)) -> Separable {
    let axis = |inputs, outputs| {
        let mut axis = Axis::new(inputs);
        for o in 0..outputs {
            let window = adaptive_window(o, inputs, outputs);
            let weight = (1.0 / window.len() as f64) as f32;
            axis.push(window.start, window.map(|_| weight));
        }
        axis
    };
    Separable { name: "adaptive_avg_pool2d", rows: axis(h, rows), columns: axis(w, columns) }
}

/// The windows of an adaptive pooling of planes of `(h, w)` pixels.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn adaptive_windows((h, w): (usize, usize), (rows, columns): (usize, usize)) -> Windows {
    let axis = |inputs, outputs| (0..outputs).map(|o| adaptive_window(o, inputs, outputs)).collect();
    Windows { input: (h, w), rows: axis(h, rows), columns: axis(w, columns) }
}

/// The pixels of window `o` of `outputs` windows along an axis.
fn adaptive_window(o: usize, inputs: usize, outputs: usize) -> Range<usize> {
    o * inputs / outputs..((o + 1) * inputs).div_ceil(outputs)
}

const AVERAGE: &str = "avg_pool2d";

impl PoolConfig {
    /// The mean over windows of planes of `(h, w)` pixels.
    pub(crate) fn average(self, (h, w): (usize, usize)) -> Result<Separable> {
        let (height, width) = self.output_size((h, w), AVERAGE)?;
        let axis = |inputs, outputs| {
            let mut axis = Axis::new(inputs);
            for o in 0..outputs {
                let covered = self.kernel.min(inputs + 2 * self.padding - o * self.stride);
                let window = self.window(o, inputs);
                axis.push(window.start, window.map(|_| (1.0 / covered as f64) as f32));
            }
            axis
        };
        Ok(Separable { name: AVERAGE, rows: axis(h, height), columns: axis(w, width) })
    }

    /// The windows of planes of `(h, w)` pixels.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn windows(self, (h, w): (usize, usize)) -> Result<Windows> {
        let (height, width) = self.output_size((h, w), "max_pool2d")?;
        let axis = |inputs, outputs| (0..outputs).map(|o| self.window(o, inputs)).collect();
        Ok(Windows { input: (h, w), rows: axis(h, height), columns: axis(w, width) })
    }

    fn output_size(&self, (height, width): (usize, usize), op: &str) -> Result<(usize, usize)> {
        let Self { kernel, stride, padding, .. } = *self;
        if kernel == 0 || stride == 0 || 2 * padding > kernel {
            bail!("{op}: kernel and stride must be at least 1 and padding at most half the kernel: {self:?}");
        }
        match (self.outputs(height), self.outputs(width)) {
            (Some(rows), Some(columns)) => Ok((rows, columns)),
            _ => bail!(
                "{op}: no window of {kernel} pixels fits into {height} x {width} with padding {padding}"
            ),
        }
    }

    /// Windows along an axis of `inputs` pixels.
    fn outputs(&self, inputs: usize) -> Option<usize> {
        let slack = if self.ceil_mode { self.stride - 1 } else { 0 };
        let last_start = (inputs + 2 * self.padding + slack).checked_sub(self.kernel)?;
        let outputs = last_start / self.stride + 1;
        let beyond = self.ceil_mode && (outputs - 1) * self.stride >= inputs + self.padding;
        Some(if beyond { outputs - 1 } else { outputs })
    }

    /// The pixels of window `o` that lie inside the input.
    fn window(&self, o: usize, inputs: usize) -> Range<usize> {
        let start = o * self.stride;
        start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{assert_golden, assert_same_on_any_threads, assert_views_work, tabulate};
    use crate::testing::{assert_close, check_gradient, hashed_signed};
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    const fn config(kernel: usize, stride: usize, padding: usize, ceil_mode: bool) -> PoolConfig {
        PoolConfig { kernel, stride, padding, ceil_mode }
    }

    #[test]
    fn averages_equal_pytorch() -> Result<()> {
        assert_golden("avg_pool_k3_s2_p1", |x| avg_pool2d(x, config(3, 2, 1, false)))?;
        for size in [1, 2, 3, 6] {
            for from in ["13x17", "12x12", "5x7"] {
                let case = format!("adaptive_avg_pool_{size}_from_{from}");
                assert_golden(&case, |x| adaptive_avg_pool2d(x, (size, size)))?;
            }
        }
        Ok(())
    }

    #[test]
    fn ceil_mode_keeps_a_last_window_only_if_it_starts_inside() {
        let sizes = |config: PoolConfig, inputs: &[usize]| -> Vec<_> {
            inputs.iter().map(|inputs| config.outputs(*inputs)).collect()
        };
        assert_eq!(sizes(config(3, 2, 1, false), &[1, 4, 5]), [Some(1), Some(2), Some(3)]);
        assert_eq!(sizes(config(3, 2, 0, true), &[2, 3, 4, 5]), [Some(1), Some(1), Some(2), Some(2)]);
        // The third window of 5 pixels would start in the far padding.
        assert_eq!(sizes(config(2, 3, 1, true), &[5, 6]), [Some(2), Some(3)]);
        assert_eq!(sizes(config(3, 1, 0, false), &[2]), [None]);
    }

    #[test]
    fn what_ceil_mode_covers_beyond_the_padding_does_not_count() -> Result<()> {
        let x = Tensor::new(&[1f32, 2., 3., 4.], &Device::Cpu)?.reshape((1, 1, 1, 4))?;
        let row = Tensor::cat(&[&x, &x, &x], 2)?;
        let y = avg_pool2d(&row, config(3, 2, 0, true))?;
        assert_close(&y, &Tensor::new(&[2f32, 3.5], &Device::Cpu)?.reshape((1, 1, 1, 2))?, "ceil");
        Ok(())
    }

    #[test]
    fn bad_input_is_named() {
        let x = Tensor::zeros((1, 2, 3, 4), DType::F32, &Device::Cpu).unwrap();
        for (config, expected) in [
            (config(0, 1, 0, false), "at least 1"),
            (config(2, 0, 0, false), "at least 1"),
            (config(3, 1, 2, false), "at most half the kernel"),
            (config(4, 1, 0, false), "no window of 4 pixels fits into 3 x 4"),
        ] {
            for error in [avg_pool2d(&x, config).unwrap_err(), max_pool2d(&x, config).unwrap_err()] {
                assert!(error.to_string().contains(expected), "{error}");
            }
        }
        let error = adaptive_avg_pool2d(&x, (0, 1)).unwrap_err().to_string();
        assert!(error.contains("[1, 2, 3, 4]") && error.contains("0 x 1"), "{error}");
        let error =
            max_pool2d(&x.to_dtype(DType::F64).unwrap(), config(2, 2, 0, false)).unwrap_err().to_string();
        assert!(error.contains("max_pool2d") && error.contains("F64"), "{error}");
    }

    #[test]
    fn threads_and_views_change_nothing() -> Result<()> {
        let x = hashed_signed("x", (2, 5, 61, 70), 1.0);
        assert_same_on_any_threads(&x, |x| avg_pool2d(x, config(3, 2, 1, false)))?;
        assert_same_on_any_threads(&x, |x| adaptive_avg_pool2d(x, (3, 6)))?;
        assert_views_work(&x, |x| adaptive_avg_pool2d(x, (3, 6)))
    }

    prop_compose! {
        fn any_config()(kernel in 1usize..5, stride in 1usize..5, ceil_mode in any::<bool>())
            (padding in 0..=kernel / 2, kernel in Just(kernel), stride in Just(stride), ceil_mode in Just(ceil_mode))
            -> PoolConfig { config(kernel, stride, padding, ceil_mode) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_average_equals_its_definition(h in 4usize..12, w in 4usize..12, config in any_config()) {
            let x = hashed_signed("x", (2, 2, h, w), 1.0);
            let values = x.flatten_all()?.to_vec1::<f32>()?;
            let y = avg_pool2d(&x, config)?;
            let span = |o: usize, inputs: usize| {
                let start = (o * config.stride) as isize - config.padding as isize;
                start..(start + config.kernel as isize).min((inputs + config.padding) as isize)
            };
            let want = tabulate(y.dims4()?, |n, c, row, column| {
                let (rows, columns) = (span(row, h), span(column, w));
                let count = (rows.len() * columns.len()) as f64;
                let inside = rows.flat_map(|y| columns.clone().map(move |x| (y, x)))
                    .filter(|(y, x)| (0..h as isize).contains(y) && (0..w as isize).contains(x));
                let at = |(y, x)| f64::from(values[((n * 2 + c) * h + y as usize) * w + x as usize]);
                inside.map(at).sum::<f64>() / count
            })?;
            assert_close(&y, &want, "average");
        }

        #[test]
        fn adaptive_windows_equal_their_definition(
            (h, w) in (1usize..12, 1usize..12),
            (rows, columns) in (1usize..15, 1usize..15),
        ) {
            let x = hashed_signed("x", (1, 2, h, w), 1.0);
            let values = x.flatten_all()?.to_vec1::<f32>()?;
            let span = |o: usize, inputs: usize, outputs: usize| {
                let edge = |o: usize| o as f64 * inputs as f64 / outputs as f64;
                edge(o).floor() as usize..edge(o + 1).ceil() as usize
            };
            let want = tabulate((1, 2, rows, columns), |_, c, row, column| {
                let (ys, xs) = (span(row, h, rows), span(column, w, columns));
                let count = (ys.len() * xs.len()) as f64;
                let pixels = ys.flat_map(|y| xs.clone().map(move |x| (y, x)));
                pixels.map(|(y, x)| f64::from(values[(c * h + y) * w + x])).sum::<f64>() / count
            })?;
            assert_close(&adaptive_avg_pool2d(&x, (rows, columns))?, &want, "adaptive");
        }

        #[test]
        fn gradients_equal_finite_differences(
            (h, w) in (4usize..9, 4usize..9),
            config in any_config(),
            size in (1usize..9, 1usize..9),
            seed in 0u64..99,
        ) {
            let x = [hashed_signed("x", (2, 1, h, w), 1.0)];
            check_gradient(|x| avg_pool2d(&x[0], config), &x, seed)?;
            check_gradient(|x| adaptive_avg_pool2d(&x[0], size), &x, seed)?;
        }
    }
}
