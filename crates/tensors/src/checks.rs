//! Checks that the tests of several operations share.

use crate::testing::{Golden, assert_close, devices, hashed_signed};
use candle_core::{Result, Tensor, Var};
use rayon::ThreadPoolBuilder;
use std::path::Path;

/// The reference values of tests/golden/<case>.safetensors.
pub(crate) fn golden(case: &str) -> Result<Golden> {
    Golden::open(&Path::new("tests/golden").join(format!("{case}.safetensors")))
}

/// Compares `f(in.x)` and its gradient with the reference values of `case`, on every device.
pub(crate) fn assert_golden(case: &str, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    let golden = golden(case)?;
    for device in devices() {
        let [x, seed] = ["in.x", "seed.y"].map(|name| golden.tensor(name)?.to_device(&device));
        let (y, gradient) = with_gradient(&x?, &seed?, &f)?;
        assert_close(&y, &golden.tensor("out.y")?, case);
        assert_close(&gradient, &golden.tensor("grad.x")?, &format!("{case}: gradient"));
    }
    Ok(())
}

/// `f(x)` and the gradient of sum(seed * f(x)) for x.
pub(crate) fn with_gradient(
    x: &Tensor,
    seed: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<(Tensor, Tensor)> {
    let x = Var::from_tensor(x)?;
    let y = f(x.as_tensor())?;
    let gradient = (&y * seed)?.sum_all()?.backward()?.remove(x.as_tensor());
    Ok((y.detach(), gradient.expect("x has a gradient")))
}

/// Result and gradient must be the same, bit by bit, on one thread and on two.
pub(crate) fn assert_same_on_any_threads(
    x: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor> + Sync,
) -> Result<()> {
    let on = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(|| {
            let seed = hashed_signed("seed", f(x)?.shape(), 1.0);
            let (y, gradient) = with_gradient(x, &seed, &f)?;
            Ok::<_, candle_core::Error>((bits(&y)?, bits(&gradient)?))
        })
    };
    assert!(on(1)? == on(2)?);
    Ok(())
}

/// A transposed view must give the same result and gradient as its copy, also when the gradient that comes in is a view.
pub(crate) fn assert_views_work(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    let view = |x: &Tensor| f(&x.transpose(2, 3)?)?.transpose(0, 1);
    let copy = |x: &Tensor| f(&x.transpose(2, 3)?.contiguous()?)?.transpose(0, 1)?.contiguous();
    let seed = hashed_signed("seed", view(x)?.shape(), 1.0);
    let (got, want) = (with_gradient(x, &seed, view)?, with_gradient(x, &seed, copy)?);
    assert_close(&got.0, &want.0, "view");
    assert_close(&got.1, &want.1, "gradient of a view");
    Ok(())
}

/// The values of a plain function of (image, channel, row, column) of the result.
pub(crate) fn tabulate(
    (n, c, h, w): (usize, usize, usize, usize),
    f: impl Fn(usize, usize, usize, usize) -> f64,
) -> Result<Tensor> {
    let mut values = Vec::with_capacity(n * c * h * w);
    for i in 0..n * c * h * w {
        values.push(f(i / (c * h * w), i / (h * w) % c, i / w % h, i % w) as f32);
    }
    Tensor::from_vec(values, (n, c, h, w), &candle_core::Device::Cpu)
}

/// The elements as bit patterns, so that NaN equals NaN and 0 differs from -0.
pub(crate) fn bits(x: &Tensor) -> Result<Vec<u32>> {
    Ok(x.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}
