//! Resizing of feature maps: bilinear and nearest, without antialiasing, with gradient.

use crate::host;
use crate::separable::{Axis, Separable};
use candle_core::{Result, Tensor, bail};

/// Where the corners of the source and of the target meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corners {
    /// The centres of the corner pixels coincide (PyTorch's `align_corners=True`): target pixel i lies at source
    /// coordinate i (inputs - 1) / (outputs - 1), or 0 for a single output.
    Aligned,
    /// The outer borders of the corner pixels coincide (PyTorch's `align_corners=False`): target pixel i lies at
    /// (i + 1/2) inputs / outputs - 1/2, and coordinates below 0 count as 0.
    HalfPixel,
}

/// Bilinear resize to `(height, width)` pixels, up or down. A map that has that size already is returned as it is.
///
/// # Shapes
/// x (N, C, H, W) f32 -> (N, C, height, width).
///
/// # Errors
/// If `x` is not f32 of rank 4, or a size is 0.
pub fn resize_bilinear(x: &Tensor, size: (usize, usize), corners: Corners) -> Result<Tensor> {
    resize(x, size, "resize_bilinear", |inputs, outputs| bilinear_axis(inputs, outputs, corners))
}

/// Nearest-neighbour resize to `(height, width)` pixels, up or down: target pixel i takes source pixel
/// floor(i inputs / outputs), computed in f32 as PyTorch's `nearest` does. A map that has that size already is returned
/// as it is.
///
/// # Shapes
/// x (N, C, H, W) f32 -> (N, C, height, width).
///
/// # Errors
/// If `x` is not f32 of rank 4, or a size is 0.
pub fn resize_nearest(x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    resize(x, size, "resize_nearest", nearest_axis)
}

fn resize(
    x: &Tensor,
    (height, width): (usize, usize),
    name: &'static str,
    axis: impl Fn(usize, usize) -> Axis,
) -> Result<Tensor> {
    let (_, _, h, w) = host::dims4(x, name)?;
    if height == 0 || width == 0 {
        bail!("{name}: cannot resize {:?} to {height} x {width} pixels", x.shape());
    }
    if (h, w) == (height, width) {
        return Ok(x.clone());
    }
    Separable { name, rows: axis(h, height), columns: axis(w, width) }.apply(x)
}

/// Bilinear resizing of planes of one size (height, width) to another.
pub(crate) fn bilinear(from: (usize, usize), to: (usize, usize), corners: Corners) -> Separable {
    let axis = |inputs, outputs| bilinear_axis(inputs, outputs, corners);
    Separable { name: "resize_bilinear", rows: axis(from.0, to.0), columns: axis(from.1, to.1) }
}

/// The same to the nearest pixel.
#[cfg(test)]
pub(crate) fn nearest(from: (usize, usize), to: (usize, usize)) -> Separable {
    Separable {
        name: "resize_nearest",
        rows: nearest_axis(from.0, to.0),
        columns: nearest_axis(from.1, to.1),
    }
}

fn bilinear_axis(inputs: usize, outputs: usize, corners: Corners) -> Axis {
    let mut axis = Axis::new(inputs);
    for o in 0..outputs {
        let source = source_coordinate(o, inputs, outputs, corners);
        let left = (source as usize).min(inputs - 1);
        let right = ((source - left as f64) as f32).clamp(0.0, 1.0);
        if left + 1 < inputs && right > 0.0 {
            axis.push(left, [1.0 - right, right]);
        } else {
            axis.push(left, [1.0]);
        }
    }
    axis
}

/// The source coordinate of target pixel `o`, in pixels, never negative.
fn source_coordinate(o: usize, inputs: usize, outputs: usize, corners: Corners) -> f64 {
    match corners {
        Corners::Aligned if outputs == 1 => 0.0,
        Corners::Aligned => o as f64 * (inputs - 1) as f64 / (outputs - 1) as f64,
        Corners::HalfPixel => ((o as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5).max(0.0),
    }
}

fn nearest_axis(inputs: usize, outputs: usize) -> Axis {
    let scale = inputs as f32 / outputs as f32;
    let mut axis = Axis::new(inputs);
    for o in 0..outputs {
        axis.push(((o as f32 * scale) as usize).min(inputs - 1), [1.0]);
    }
    axis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{assert_golden, assert_same_on_any_threads, assert_views_work, tabulate};
    use crate::testing::{assert_close, check_gradient, hashed_signed};
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    #[test]
    fn bilinear_equals_pytorch() -> Result<()> {
        let sizes =
            ["6x6_to_33x41", "1x1_to_9x7", "8x8_to_16x16", "17x19_to_8x5", "5x7_to_5x7", "3x2_to_1x1"];
        for size in sizes {
            let (height, width) =
                size.split("_to_").nth(1).and_then(|size| size.split_once('x')).expect("HxW");
            let size_to = (height.parse().expect("a height"), width.parse().expect("a width"));
            assert_golden(&format!("bilinear_{size}"), |x| resize_bilinear(x, size_to, Corners::HalfPixel))?;
            assert_golden(&format!("bilinear_align_{size}"), |x| {
                resize_bilinear(x, size_to, Corners::Aligned)
            })?;
        }
        Ok(())
    }

    #[test]
    fn nearest_equals_pytorch() -> Result<()> {
        assert_golden("nearest_5x6_to_10x13", |x| resize_nearest(x, (10, 13)))
    }

    #[test]
    fn the_same_size_is_the_same_map() -> Result<()> {
        let x = hashed_signed("x", (1, 2, 3, 4), 1.0).transpose(2, 3)?;
        let y = resize_bilinear(&x, (4, 3), Corners::Aligned)?;
        assert_eq!(x.flatten_all()?.to_vec1::<f32>()?, y.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }

    #[test]
    fn nearest_rounds_in_f32_as_pytorch() {
        // 41 * 2 / 82 is 1, but 2 / 82 in f32 is so little below that 41 times it stays under 1.
        let axis = nearest_axis(2, 82);
        let first = (0..82).filter(|o| axis.start(*o) == 0).count();
        assert_eq!(first, 42);
    }

    #[test]
    fn bad_input_is_named() {
        let x = Tensor::zeros((1, 2, 3, 4), DType::F32, &Device::Cpu).unwrap();
        let error = resize_bilinear(&x, (0, 4), Corners::Aligned).unwrap_err().to_string();
        assert!(error.contains("resize_bilinear") && error.contains("[1, 2, 3, 4]"), "{error}");
        let error = resize_nearest(&x.to_dtype(DType::U8).unwrap(), (2, 2)).unwrap_err().to_string();
        assert!(error.contains("resize_nearest") && error.contains("U8"), "{error}");
        let error = resize_nearest(&x.squeeze(0).unwrap(), (2, 2)).unwrap_err().to_string();
        assert!(error.contains("(N, C, H, W)") && error.contains("[2, 3, 4]"), "{error}");
    }

    #[test]
    fn threads_and_views_change_nothing() -> Result<()> {
        let x = hashed_signed("x", (2, 3, 33, 60), 1.0);
        assert_same_on_any_threads(&x, |x| resize_bilinear(x, (128, 111), Corners::Aligned))?;
        assert_same_on_any_threads(&x, |x| resize_nearest(x, (15, 111)))?;
        assert_views_work(&x, |x| resize_bilinear(x, (20, 40), Corners::HalfPixel))
    }

    fn corners() -> impl Strategy<Value = Corners> {
        prop::sample::select(vec![Corners::Aligned, Corners::HalfPixel])
    }

    /// The source pixels and weight of target pixel `o`, from the definition.
    fn taps(o: usize, inputs: usize, outputs: usize, corners: Corners) -> (usize, usize, f64) {
        let (o, i, n) = (o as f64, inputs as f64, outputs as f64);
        let at = match corners {
            Corners::Aligned => o * (i - 1.0) / (n - 1.0).max(1.0),
            Corners::HalfPixel => (o + 0.5) * i / n - 0.5,
        };
        let at = at.clamp(0.0, i - 1.0);
        (at.floor() as usize, at.ceil() as usize, at.fract())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bilinear_equals_its_definition(
            (h, w) in (1usize..9, 1usize..9),
            (height, width) in (1usize..24, 1usize..24),
            corners in corners(),
        ) {
            let x = hashed_signed("x", (2, 2, h, w), 1.0);
            let values = x.flatten_all()?.to_vec1::<f32>()?;
            let want = tabulate((2, 2, height, width), |n, c, row, column| {
                let (top, bottom, v) = taps(row, h, height, corners);
                let (left, right, u) = taps(column, w, width, corners);
                let at = |y: usize, x: usize| f64::from(values[((n * 2 + c) * h + y) * w + x]);
                let in_row = |y| (1.0 - u) * at(y, left) + u * at(y, right);
                (1.0 - v) * in_row(top) + v * in_row(bottom)
            })?;
            assert_close(&resize_bilinear(&x, (height, width), corners)?, &want, "bilinear");
        }

        #[test]
        fn gradients_equal_finite_differences(
            (h, w) in (1usize..8, 1usize..8),
            (height, width) in (1usize..20, 1usize..20),
            corners in corners(),
            seed in 0u64..99,
        ) {
            let x = [hashed_signed("x", (2, 1, h, w), 1.0)];
            check_gradient(|x| resize_bilinear(&x[0], (height, width), corners), &x, seed)?;
            check_gradient(|x| resize_nearest(&x[0], (height, width)), &x, seed)?;
        }
    }
}
