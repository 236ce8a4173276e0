use candle_core::{Result, Tensor};
use proptest::prelude::*;

use super::{at, at_mut, emulation, filled, floats};
use crate::checks::with_gradient;
use crate::cuda::{max_pool, separable};
use crate::resize::bilinear;
use crate::separable::Separable;
use crate::testing::{assert_close, hashed_signed};
use crate::{
    Corners, PoolConfig, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d, resize_bilinear,
    resize_nearest,
};

const PLANES: (usize, usize) = (2, 3);

/// Kernel against operation: result and gradient of planes of `from`.
fn compare_map(map: &Separable, from: (usize, usize), f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let planes = PLANES.0 * PLANES.1;
    let x = hashed_signed("x", (PLANES.0, PLANES.1, from.0, from.1), 1.0);
    let seed = hashed_signed("seed", f(&x)?.shape(), 1.0);
    let (want, want_gradient) = with_gradient(&x, &seed, f)?;
    let (values, upstream) = (floats(&x), floats(&seed));
    // SAFETY: the vectors have the sizes of the map's planes.
    let y = filled(want.shape(), |y| unsafe { separable::separable(card, map, planes, at(&values), y) })?;
    assert_close(&y, &want, "map");
    let back = map.transposed();
    // SAFETY: as above.
    let dx = filled(x.shape(), |dx| unsafe { separable::separable(card, &back, planes, at(&upstream), dx) })?;
    assert_close(&dx, &want_gradient, "gradient");
    Ok(())
}

fn compare_maximum(
    windows: &max_pool::Windows,
    x: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let planes = PLANES.0 * PLANES.1;
    let seed = hashed_signed("seed", f(x)?.shape(), 1.0);
    let (want, want_gradient) = with_gradient(x, &seed, f)?;
    let (values, upstream, mut sources) = (floats(x), floats(&seed), vec![u32::MAX; want.elem_count()]);
    let places = at_mut(&mut sources);
    // SAFETY: the vectors have the sizes of the planes.
    let y = filled(want.shape(), |y| unsafe {
        max_pool::max_pool(card, windows, planes, [at(&values), y, places])
    })?;
    assert_close(&y, &want, "maximum");
    // SAFETY: as above.
    let dx = filled(x.shape(), |dx| unsafe {
        max_pool::gradient(card, windows, planes, [at(&upstream), places, dx])
    })?;
    assert_close(&dx, &want_gradient, "gradient");
    Ok(())
}

/// Values with many ties.
fn stepped(size: (usize, usize)) -> Result<Tensor> {
    hashed_signed("x", (PLANES.0, PLANES.1, size.0, size.1), 3.0).round()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn resizing(from in (1usize..12, 1usize..12), to in (1usize..20, 1usize..20), aligned: bool) {
        let corners = if aligned { Corners::Aligned } else { Corners::HalfPixel };
        if from != to {
            compare_map(&bilinear(from, to, corners), from, |x| resize_bilinear(x, to, corners))?;
            compare_map(&crate::resize::nearest(from, to), from, |x| resize_nearest(x, to))?;
        }
    }

    #[test]
    fn pooling(
        from in (3usize..14, 3usize..14), kernel in 1usize..4, stride in 1usize..4, padded: bool, ceil_mode: bool,
    ) {
        let config = PoolConfig { kernel, stride, padding: if padded { kernel / 2 } else { 0 }, ceil_mode };
        compare_map(&config.average(from)?, from, |x| avg_pool2d(x, config))?;
        compare_maximum(&config.windows(from)?, &stepped(from)?, |x| max_pool2d(x, config))?;
    }

    #[test]
    fn adaptive_pooling(from in (1usize..14, 1usize..14), to in (1usize..7, 1usize..7)) {
        compare_map(&crate::pool::adaptive_average(from, to), from, |x| adaptive_avg_pool2d(x, to))?;
        let windows = crate::pool::adaptive_windows(from, to);
        compare_maximum(&windows, &stepped(from)?, |x| adaptive_max_pool2d(x, to))?;
    }
}

#[test]
fn a_maximum_is_not_a_number_if_any_value_is_not() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let windows = max_pool::Windows { input: (1, 3), rows: Vec::from([0..1; 1]), columns: vec![0..2, 1..3] };
    let (values, mut sources) = ([f32::NAN, 5.0, f32::NEG_INFINITY], [9u32; 2]);
    // SAFETY: one plane of three pixels and two windows.
    let y = filled((1, 2), |y| unsafe {
        max_pool::max_pool(card, &windows, 1, [at(&values), y, at_mut(&mut sources)])
    })?;
    let y = floats(&y);
    assert!(y[0].is_nan() && y[1] == 5.0 && sources == [0, 1], "{y:?} {sources:?}");
    Ok(())
}
