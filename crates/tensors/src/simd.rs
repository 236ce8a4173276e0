//! Loops compiled for several instruction sets, and an exponential that the compiler can vectorise.

/// Declares a function whose body is compiled three times: for AVX-512, for AVX2 and for the target's baseline. The
/// best one that the processor has and [`most_lanes`](crate::vector_width::most_lanes) allows is picked at each call. Products and sums are never contracted, so all three give the
/// same bits. Whatever the body calls must be `#[inline(always)]`, or it keeps the baseline's instructions.
macro_rules! vectorised {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn plain($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($arg: $ty),*) $(-> $ret)? { plain($($arg),*) }
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $ty),*) $(-> $ret)? { plain($($arg),*) }
                let most = $crate::vector_width::most_lanes();
                if most >= 16 && $crate::simd::has_avx512() {
                    // SAFETY: the function needs nothing but the processor features that were just detected.
                    return unsafe { avx512($($arg),*) };
                }
                if most >= 8 && std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}
pub(crate) use vectorised;

/// Whether the processor has the AVX-512 subsets that [`vectorised`] compiles for.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl")
}

/// e^x within about 1 unit in the last place for x in -87..=88; 0 below, NaN for NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; the Taylor polynomial of degree 7 in r errs by less than 6e-9 of the value.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
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
mod tests {
    use super::*;
    use crate::vector_width::tests::with_lanes;

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
    fn every_instruction_set_is_reached_through_the_macro() {
        vectorised! {
            fn sums(values: &[f32], out: &mut [f32]) {
                for (o, v) in out.iter_mut().zip(values) {
                    *o += exp(*v);
                }
            }
        }
        let values: Vec<f32> = (0..37).map(|i| i as f32 * 0.1 - 2.0).collect();
        for lanes in [4, 8, 16] {
            let mut out = vec![1.0; 37];
            with_lanes(lanes, || sums(&values, &mut out));
            assert!(out.iter().zip(&values).all(|(o, v)| *o == 1.0 + exp(*v)), "{lanes} lanes");
        }
    }
}
