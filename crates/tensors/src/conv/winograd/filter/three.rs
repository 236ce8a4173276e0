//! F(3x3, 3x3) at the points 0, -1, 1/2, 2 and infinity.
//!
//! These points keep the rounding error at about 1.3 times that of plain sums (Barabasz, Anderson, Soodhalter, Gregg 2020, "Error
//! Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", on the choice of points). The matrices
//! are those of Toom and Cook, with the divisors on the kernel's side.

use std::ops::RangeInclusive;

use super::sides::{self, Side};
use super::{Filter, Pixels};
use crate::conv::lanes::Lanes;

/// Tiles of 3x3 pixels: 2.78 products for each pixel instead of 9. They fit the phases of large dilations, of few rows each.
#[derive(Clone, Copy)]
pub(in crate::conv::winograd) struct Three;

/// Points of a side.
const POINTS: usize = 5;

impl Filter for Three {
    const SIDE: usize = 3;
    const POINTS: usize = POINTS * POINTS;
    const TILES: RangeInclusive<usize> = 12..=usize::MAX;
    const LANES: usize = 144;
    const RESULTS: usize = 128;

    /// As for [`Four`](super::Four).
    fn least_channels(tiles: usize) -> usize {
        super::Four::least_channels(tiles)
    }

    #[inline(always)]
    unsafe fn tiles<L: Lanes>(pixels: impl Pixels<L>, to: *mut f32, point: usize) {
        // SAFETY: by contract.
        unsafe { sides::tiles::<L, Self, 3, POINTS>(pixels, to, point) }
    }

    #[inline(always)]
    unsafe fn kernel<L: Lanes>(g: [L; 9], to: impl FnMut(usize, L)) {
        // SAFETY: by contract.
        unsafe { sides::kernel::<L, Self, 3, POINTS>(g, to) }
    }

    #[inline(always)]
    unsafe fn pixels<L: Lanes>(from: *const f32, point: usize, bias: f32) -> [[L; 4]; 4] {
        // SAFETY: by contract.
        unsafe { sides::pixels::<L, Self, 3, POINTS>(from, point, bias) }
    }
}

impl Side<3, POINTS> for Three {
    #[inline(always)]
    unsafe fn input<L: Lanes>([d0, d1, d2, d3, d4]: [L; POINTS]) -> [L; POINTS] {
        // SAFETY: by contract.
        unsafe {
            let times = |x: L, factor: f32, plus: L| x.mul_add(L::splat(factor), plus);
            [
                times(d1.add(d2), -1.5, d0.add(d3)),
                times(d2, -2.5, d1.add(d3)),
                times(d1, 2.0, d2.sub(d3)),
                times(d3, 2.0, d2.sub(d1)),
                times(d2.add(d3), -1.5, d1.add(d4)),
            ]
        }
    }

    /// Over the divisors 1, -9/2, 9/8, 18 and 1.
    #[inline(always)]
    unsafe fn kernel<L: Lanes>([g0, g1, g2]: [L; 3]) -> [L; POINTS] {
        // SAFETY: by contract.
        unsafe {
            let times = |x: L, factor: f32, plus: L| x.mul_add(L::splat(factor), plus);
            let over = |x: L, divisor: f32| x.mul_add(L::splat(divisor.recip()), L::splat(0.0));
            [
                g0,
                over(g0.add(g2).sub(g1), -4.5),
                over(times(g2, 0.25, times(g1, 0.5, g0)), 1.125),
                over(times(g2, 4.0, times(g1, 2.0, g0)), 18.0),
                g2,
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<L: Lanes>([m0, m1, m2, m3, m4]: [L; POINTS]) -> [L; 3] {
        // SAFETY: by contract.
        unsafe {
            let times = |x: L, factor: f32, plus: L| x.mul_add(L::splat(factor), plus);
            [
                m0.add(m1).add(m2.add(m3)),
                times(m3, 2.0, times(m2, 0.5, L::splat(0.0))).sub(m1),
                times(m3, 4.0, times(m2, 0.25, m1.add(m4))),
            ]
        }
    }
}
