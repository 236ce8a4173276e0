//! The arithmetic of one channel: its pixels of one image are a slice, a plane.

use std::mem::MaybeUninit;

use crate::activation::{Curve, Relu};
use crate::simd::vectorised;

/// Mean and variance (biased) of a channel, and `1 / sqrt(variance + epsilon)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub(super) mean: f32,
    pub(super) variance: f32,
    pub(super) inverse_deviation: f32,
}

impl Moments {
    pub(super) fn new(mean: f64, variance: f64, epsilon: f64) -> Self {
        let inverse_deviation = (1.0 / (variance + epsilon).sqrt()) as f32;
        Self { mean: mean as f32, variance: variance as f32, inverse_deviation }
    }

    /// Of all planes of a channel, in two passes: the second sees only differences from the mean, so that
    /// nothing cancels.
    pub(super) fn of<'a>(planes: impl Iterator<Item = &'a [f32]> + Clone, epsilon: f64) -> Self {
        let count = planes.clone().map(<[f32]>::len).sum::<usize>() as f64;
        let mean = planes.clone().map(sum).sum::<f64>() / count;
        let variance = planes.map(|plane| squares(mean as f32, plane)).sum::<f64>() / count;
        Self::new(mean, variance, epsilon)
    }
}

/// `(x - mean) * scale + bias`: what goes into the activation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    mean: f32,
    scale: f32,
    bias: f32,
}

impl Affine {
    pub(super) fn new(moments: Moments, weight: f32, bias: f32) -> Self {
        Self { mean: moments.mean, scale: moments.inverse_deviation * weight, bias }
    }

    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        (x - self.mean) * self.scale + self.bias
    }

    /// The gradient for [`Affine::at`] of `x`, given that of the activation.
    #[inline(always)]
    fn gradient(self, curve: impl Curve, x: f32, upstream: f32) -> f32 {
        curve.gradient(self.at(x), upstream)
    }
}

/// Sums over a channel of the gradients that arrive at `at(x)`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) plain: f64,
    /// Times `x - mean`.
    pub(super) centred: f64,
}

impl Sums {
    pub(super) fn of<'a>(
        affine: Affine,
        curve: impl Curve,
        planes: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    ) -> Self {
        planes.fold(Self::default(), |total, (x, upstream)| {
            let (plain, centred) = upstream_sums(affine, curve, x, upstream);
            Self { plain: total.plain + plain, centred: total.centred + centred }
        })
    }
}

/// What the statistics of the batch take from the gradient of each of its values: `constant + slope * (x -
/// mean)`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Correction {
    constant: f32,
    slope: f32,
}

impl Correction {
    pub(super) fn new(sums: Sums, moments: Moments, count: usize) -> Self {
        let inverse_variance = f64::from(moments.inverse_deviation).powi(2);
        Self {
            constant: (sums.plain / count as f64) as f32,
            slope: (sums.centred / count as f64 * inverse_variance) as f32,
        }
    }
}

vectorised! {
    /// Writes the activation of `affine.at(x)`.
    pub(super) fn normalize(affine: Affine, curve: impl Curve, x: &[f32], y: &mut [MaybeUninit<f32>]) {
        for (y, &x) in y.iter_mut().zip(x) {
            y.write(curve.value(affine.at(x)));
        }
    }
}

vectorised! {
    /// Writes what is positive of the sum of the activation of `affine.at(x)` and `residual`.
    pub(super) fn normalize_add(
        affine: Affine,
        curve: impl Curve,
        x: &[f32],
        residual: &[f32],
        y: &mut [MaybeUninit<f32>],
    ) {
        for ((y, &x), &residual) in y.iter_mut().zip(x).zip(residual) {
            y.write(Relu.value(curve.value(affine.at(x)) + residual));
        }
    }
}

vectorised! {
    /// As [`normalize`], in place.
    pub(super) fn renormalize(affine: Affine, curve: impl Curve, y: &mut [f32]) {
        for y in y {
            *y = curve.value(affine.at(*y));
        }
    }
}

vectorised! {
    /// As [`normalize_add`], in place.
    pub(super) fn renormalize_add(affine: Affine, curve: impl Curve, residual: &[f32], y: &mut [f32]) {
        for (y, &residual) in y.iter_mut().zip(residual) {
            *y = Relu.value(curve.value(affine.at(*y)) + residual);
        }
    }
}

vectorised! {
    /// Writes the gradient for `x`, given the one for the result of [`normalize`].
    pub(super) fn input_gradient(
        affine: Affine,
        curve: impl Curve,
        correction: Correction,
        x: &[f32],
        upstream: &[f32],
        dx: &mut [MaybeUninit<f32>],
    ) {
        for ((dx, &x), &upstream) in dx.iter_mut().zip(x).zip(upstream) {
            let here = affine.gradient(curve, x, upstream);
            dx.write(affine.scale * (here - correction.constant - (x - affine.mean) * correction.slope));
        }
    }
}

vectorised! {
    fn sum(x: &[f32]) -> f64 {
        sum_of(x, |x| x)
    }
}

vectorised! {
    fn squares(mean: f32, x: &[f32]) -> f64 {
        sum_of(x, move |x| (x - mean) * (x - mean))
    }
}

vectorised! {
    fn upstream_sums(affine: Affine, curve: impl Curve, x: &[f32], upstream: &[f32]) -> (f64, f64) {
        sums_of(x, upstream, move |x, upstream| {
            let here = affine.gradient(curve, x, upstream);
            (here, here * (x - affine.mean))
        })
    }
}

/// Running sums that do not wait for each other, enough to fill the vector registers.
const LANES: usize = 64;
/// Each lane adds up to 32 terms in f32 before they go into f64. Plain arrays: nested ones stay in memory and
/// take thrice the time.
const BLOCK: usize = 32 * LANES;

/// The sum of a term for each value, in a fixed order.
#[inline(always)]
fn sum_of(values: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for block in values.chunks(BLOCK) {
        let mut lanes = [0.0; LANES];
        let rows = block.chunks_exact(LANES);
        for (lane, &value) in lanes.iter_mut().zip(rows.remainder()) {
            *lane = term(value);
        }
        for row in rows {
            for lane in 0..LANES {
                lanes[lane] += term(row[lane]);
            }
        }
        total += pairwise(lanes);
    }
    total
}

/// The sums of two terms for each pair of values, in the order of [`sum_of`].
#[inline(always)]
fn sums_of(a: &[f32], b: &[f32], terms: impl Fn(f32, f32) -> (f32, f32)) -> (f64, f64) {
    let mut totals = (0.0, 0.0);
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let (mut first, mut second) = ([0.0; LANES], [0.0; LANES]);
        let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        for (lane, (&a, &b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
            (first[lane], second[lane]) = terms(a, b);
        }
        for (a, b) in a.zip(b) {
            for lane in 0..LANES {
                let (x, y) = terms(a[lane], b[lane]);
                first[lane] += x;
                second[lane] += y;
            }
        }
        totals = (totals.0 + pairwise(first), totals.1 + pairwise(second));
    }
    totals
}

#[inline(always)]
fn pairwise(lanes: [f32; LANES]) -> f64 {
    let mut lanes = lanes.map(f64::from);
    let mut half = LANES / 2;
    while half > 0 {
        (0..half).for_each(|lane| lanes[lane] += lanes[lane + half]);
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed() {
        for len in [0, 1, 63, 64, 65, 1000, 2048, 2049, 4133] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            assert_eq!(sum(&values), (0..len).sum::<usize>() as f64, "{len}");
            let squared: f64 = (0..len).map(|i| (i as f64 - 1.0).powi(2)).sum();
            assert!((squares(1.0, &values) - squared).abs() <= 1e-6 * squared, "{len}");
        }
    }

    #[test]
    fn moments_survive_a_large_mean() {
        // Deviation 1 around 10000: the sum of squares alone would lose all digits of it in f32.
        let planes: Vec<Vec<f32>> =
            (0..3).map(|_| (0..65536).map(|i| if i % 2 == 0 { 9999.0 } else { 10001.0 }).collect()).collect();
        let moments = Moments::of(planes.iter().map(Vec::as_slice), 0.0);
        assert_eq!((moments.mean, moments.variance, moments.inverse_deviation), (10000.0, 1.0, 1.0));
    }
}
