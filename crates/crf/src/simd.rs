//! Loops compiled for several instruction sets, and an exponential that the compiler can vectorise.

use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Eight floats, which lie in one vector register where the processor has them so wide.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(32))]
pub(crate) struct Lanes(pub(crate) [f32; LANES]);

/// Floats of one [`Lanes`].
pub(crate) const LANES: usize = 8;

impl Lanes {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    pub(crate) fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    /// `self + factor * other`, rounded twice.
    #[inline(always)]
    pub(crate) fn plus_scaled(self, factor: f32, other: Self) -> Self {
        self.zip(other, |own, term| own + factor * term)
    }

    #[inline(always)]
    pub(crate) fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(own, term)| *own = f(*own, term));
        self
    }

    #[inline(always)]
    pub(crate) fn map(mut self, f: impl Fn(f32) -> f32) -> Self {
        // A loop in place: `array::map` of a long function is a call, which the compiler does not inline.
        self.0.iter_mut().for_each(|own| *own = f(*own));
        self
    }

    /// All lanes combined, in a fixed order.
    #[inline(always)]
    pub(crate) fn fold(self, f: impl Fn(f32, f32) -> f32) -> f32 {
        let [a, b, c, d, e, g, h, i] = self.0;
        f(f(f(a, e), f(c, h)), f(f(b, g), f(d, i)))
    }
}

/// A vector of zeros, whose memory every thread touches a part of first: the system hands out pages when they are touched,
/// which takes longer than filling them.
pub(crate) fn zeros(length: usize) -> Vec<Lanes> {
    let mut vector = Vec::with_capacity(length);
    vector.spare_capacity_mut()[..length].par_chunks_mut(1 << 14).for_each(|part| {
        part.fill(MaybeUninit::new(Lanes::ZERO));
    });
    // SAFETY: the capacity is at least `length`, and as many elements were just written.
    unsafe { vector.set_len(length) };
    vector
}

/// Declares a function whose body is compiled three times: for AVX-512, for AVX2 and for the target's baseline. The best
/// one that the processor has is picked at each call. Products and sums are never contracted, so all three give the same
/// bits. Whatever the body calls must be `#[inline(always)]`, or it keeps the baseline's instructions.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident[$($generic:ident: $kind:ty),*]($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$(const $generic: $kind),*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn plain<$(const $generic: $kind),*>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512<$(const $generic: $kind),*>($($arg: $ty),*) $(-> $ret)? { plain::<$($generic),*>($($arg),*) }
                #[target_feature(enable = "avx2")]
                fn avx2<$(const $generic: $kind),*>($($arg: $ty),*) $(-> $ret)? { plain::<$($generic),*>($($arg),*) }
                let most = $crate::simd::most_lanes();
                if most >= 16 {
                    // SAFETY: the function needs nothing but the processor features that were just detected.
                    return unsafe { avx512::<$($generic),*>($($arg),*) };
                }
                if most >= 8 {
                    // SAFETY: as above.
                    return unsafe { avx2::<$($generic),*>($($arg),*) };
                }
            }
            plain::<$($generic),*>($($arg),*)
        }
    };
}
pub(crate) use vectorised;

/// Floats of the widest vectors that the processor has instructions for: 16 with the AVX-512 subsets that [`vectorised`]
/// compiles for, 8 with AVX2, or 4. Tests may ask for fewer.
#[cfg(target_arch = "x86_64")]
pub(crate) fn most_lanes() -> usize {
    use std::arch::is_x86_feature_detected as has;
    let lanes = if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
        16
    } else if has!("avx2") {
        8
    } else {
        4
    };
    #[cfg(test)]
    let lanes = lanes.min(tests::ALLOWED.load(std::sync::atomic::Ordering::Relaxed));
    lanes
}

/// Adding and subtracting it leaves the nearest integer, of two the even one, for |x| < 2^22.
pub(crate) const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23

/// e^x within about 1 unit in the last place for x in -87..=88; 0 below, NaN for NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; the Taylor polynomial of degree 7 in r errs by less than 6e-9 of the value.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 355.0 / 512.0; // few bits, so that n * LN_2_HIGH is exact
    const LN_2_LOW: f32 = (std::f64::consts::LN_2 - 355.0 / 512.0) as f32;
    let bounded = if x < -87.0 { -87.0 } else { x };
    let bounded = if bounded > 88.0 { 88.0 } else { bounded };
    let rounded = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (bounded - n * LN_2_HIGH) - n * LN_2_LOW;
    let tail = 1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0))));
    let power = 1.0 + (r + r * r * (0.5 + r * tail));
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    let value = power * f32::from_bits(exponent);
    if x < -87.0 { 0.0 } else { value }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{Bilateral, Compatibility, DenseCrf, Gaussian, MeanField, Posterior, Shape, Unary};

    /// Most floats in a vector. Tests beside this one may run with fewer, too; their results must not depend on it.
    pub(super) static ALLOWED: AtomicUsize = AtomicUsize::new(16);

    fn posterior(classes: usize) -> Posterior {
        let shape = Shape::image(37, 21);
        let rgb: Vec<u8> = (0..shape.pixels() * 3).map(|i| (i * 7919 % 251) as u8).collect();
        let logits: Vec<f32> = (0..shape.pixels() * classes).map(|i| (i * 31 % 17) as f32 * 0.3).collect();
        let costs = (0..classes * classes).map(|i| (i % 5) as f32 * 0.2).collect();
        let crf = DenseCrf::new(shape, classes).unwrap();
        let crf = crf.gaussian(&Gaussian::new(2.0), Compatibility::Matrix(costs)).unwrap();
        let crf = crf.bilateral(&rgb, &Bilateral::new(9.0, 60.0), Compatibility::Potts(2.0)).unwrap();
        let settings = MeanField { divergence: true, ..MeanField::iterations(3) };
        crf.infer_with(&Unary::from_logits(logits).unwrap(), &settings).unwrap()
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for classes in [2, 21, 40] {
            let results = [16, 8, 4].map(|lanes| {
                ALLOWED.store(lanes, Ordering::Relaxed);
                posterior(classes)
            });
            ALLOWED.store(16, Ordering::Relaxed);
            assert!(results[0] == results[1] && results[0] == results[2], "{classes} classes");
        }
    }

    #[test]
    fn exp_agrees_with_f64() {
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let want = f64::from(x).exp();
            let error = (f64::from(exp(x)) - want).abs() / want;
            assert!(error < 1.5e-7, "exp({x}) = {} but {want}", exp(x));
        }
    }

    #[test]
    fn exp_at_the_edges() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-87.5), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn every_lane_is_folded() {
        let lanes = Lanes([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
        assert_eq!(lanes.fold(|a, b| a + b), 255.0);
        assert_eq!(lanes.fold(f32::max), 128.0);
    }
}
