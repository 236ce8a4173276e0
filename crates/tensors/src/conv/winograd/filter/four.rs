//! F(4x4, 3x3) at the points 0, ±√½, ±√2 and infinity.
//!
//! The usual points 0, ±1, ±2 have simpler numbers, and more than twice the rounding error: that of these is about twice that of plain
//! sums (Barabasz, Anderson, Soodhalter, Gregg 2020, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
//! Networks", on the choice of points). The matrices are those of Toom and Cook, with the divisors on the kernel's side.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::ops::RangeInclusive;

use super::sides::{self, Side};
use super::{Filter, GradientFilter, Pixels};
use crate::conv::lanes::{Lanes, MOST_LANES};

/// Tiles of 4x4 pixels: 2.25 products for each pixel instead of 9.
#[derive(Clone, Copy)]
pub(in crate::conv::winograd) struct Four;

/// Points of a side.
const POINTS: usize = 6;

impl Filter for Four {
    const SIDE: usize = 4;
    const POINTS: usize = POINTS * POINTS;
    const TILES: RangeInclusive<usize> = 16..=usize::MAX;
    const LANES: usize = 128;
    const RESULTS: usize = 96;

    /// Where there are many tiles, the bands of smaller ones are fast with few channels.
    fn least_channels(tiles: usize) -> usize {
        if tiles <= 300 { 64 } else { 192 }
    }

    #[inline(always)]
    unsafe fn tiles<L: Lanes>(pixels: impl Pixels<L>, to: *mut f32, point: usize) {
        // SAFETY: by contract.
        unsafe { sides::tiles::<L, Self, 4, POINTS>(pixels, to, point) }
    }

    #[inline(always)]
    unsafe fn kernel<L: Lanes>(g: [L; 9], to: impl FnMut(usize, L)) {
        // SAFETY: by contract.
        unsafe { sides::kernel::<L, Self, 4, POINTS>(g, to) }
    }

    #[inline(always)]
    unsafe fn pixels<L: Lanes>(from: *const f32, point: usize, bias: f32) -> [[L; 4]; 4] {
        // SAFETY: by contract.
        unsafe { sides::pixels::<L, Self, 4, POINTS>(from, point, bias) }
    }
}

impl Side<4, POINTS> for Four {
    #[inline(always)]
    unsafe fn input<L: Lanes>([d0, d1, d2, d3, d4, d5]: [L; POINTS]) -> [L; POINTS] {
        // SAFETY: by contract.
        unsafe {
            let times = |x: L, factor: f32, plus: L| x.mul_add(L::splat(factor), plus);
            let (even_half, odd_half) = (times(d2, -2.0, d4), times(d1, -2.0, d3));
            let (even_two, odd_two) = (times(d2, -0.5, d4), times(d1, -0.5, d3));
            [
                times(d2, -2.5, d0.add(d4)),
                times(odd_half, FRAC_1_SQRT_2, even_half),
                times(odd_half, -FRAC_1_SQRT_2, even_half),
                times(odd_two, SQRT_2, even_two),
                times(odd_two, -SQRT_2, even_two),
                times(d3, -2.5, d1.add(d5)),
            ]
        }
    }

    /// Over the divisors 1, -3/2, -3/2, 6, 6 and 1.
    #[inline(always)]
    unsafe fn kernel<L: Lanes>([g0, g1, g2]: [L; 3]) -> [L; POINTS] {
        // SAFETY: by contract.
        unsafe {
            let times = |x: L, factor: f32, plus: L| x.mul_add(L::splat(factor), plus);
            let zero = L::splat(0.0);
            let even = times(times(g2, 0.5, g0), -2.0 / 3.0, zero);
            let even_two = times(times(g2, 2.0, g0), 1.0 / 6.0, zero);
            [
                g0,
                times(g1, FRAC_1_SQRT_2 * -2.0 / 3.0, even),
                times(g1, FRAC_1_SQRT_2 * 2.0 / 3.0, even),
                times(g1, SQRT_2 / 6.0, even_two),
                times(g1, SQRT_2 / -6.0, even_two),
                g2,
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<L: Lanes>([m0, m1, m2, m3, m4, m5]: [L; POINTS]) -> [L; 4] {
        // SAFETY: by contract.
        unsafe {
            let times = |x: L, factor: f32, plus: L| x.mul_add(L::splat(factor), plus);
            let (even, odd) = (m1.add(m2), m1.sub(m2));
            let (even_two, odd_two) = (m3.add(m4), m3.sub(m4));
            let zero = L::splat(0.0);
            [
                m0.add(even).add(even_two),
                times(times(odd_two, 2.0, odd), FRAC_1_SQRT_2, zero),
                times(times(even_two, 4.0, even), 0.5, zero),
                times(times(odd_two, 8.0, odd), 0.5 * FRAC_1_SQRT_2, m5),
            ]
        }
    }
}

impl GradientFilter for Four {
    #[inline(always)]
    unsafe fn gradients<L: Lanes>(from: *const f32, pixel: usize, to: *mut f32, point: usize) {
        // SAFETY: by contract.
        unsafe {
            let mut rows = [[L::splat(0.0); 4]; POINTS];
            for column in 0..4 {
                let pixels = std::array::from_fn(|row| L::load(from.add((4 * row + column) * pixel)));
                for (row, value) in rows.iter_mut().zip(gradient(pixels)) {
                    row[column] = value;
                }
            }
            for (row, values) in rows.into_iter().enumerate() {
                for (column, value) in gradient(values).into_iter().enumerate() {
                    value.store(to.add((row * POINTS + column) * point));
                }
            }
        }
    }

    #[inline(always)]
    fn kernel_gradient(sums: &[f32], point: usize) -> [[f32; MOST_LANES]; 9] {
        let mut rows = [[[0.0; MOST_LANES]; POINTS]; 3];
        for column in 0..POINTS {
            let mut products = [[0.0; MOST_LANES]; POINTS];
            for (row, products) in products.iter_mut().enumerate() {
                products.copy_from_slice(&sums[(row * POINTS + column) * point..][..MOST_LANES]);
            }
            for (row, values) in kernel_gradient(&products).into_iter().enumerate() {
                rows[row][column] = values;
            }
        }
        let [top, middle, bottom] = rows.each_ref().map(kernel_gradient);
        let [[g0, g1, g2], [g3, g4, g5], [g6, g7, g8]] = [top, middle, bottom];
        [g0, g1, g2, g3, g4, g5, g6, g7, g8]
    }
}

/// The output gradient's transform of one side, that of the output transposed: its polynomial's values at the points.
#[inline(always)]
unsafe fn gradient<L: Lanes>([g0, g1, g2, g3]: [L; 4]) -> [L; POINTS] {
    // SAFETY: by contract.
    unsafe {
        let times = |x: L, factor: f32, plus: L| x.mul_add(L::splat(factor), plus);
        let (even_half, odd_half) = (times(g2, 0.5, g0), times(g3, 0.5, g1));
        let (even_two, odd_two) = (times(g2, 2.0, g0), times(g3, 2.0, g1));
        [
            g0,
            times(odd_half, FRAC_1_SQRT_2, even_half),
            times(odd_half, -FRAC_1_SQRT_2, even_half),
            times(odd_two, SQRT_2, even_two),
            times(odd_two, -SQRT_2, even_two),
            g3,
        ]
    }
}

/// From products to the kernel's gradient, of one side: the kernel's transform transposed.
#[inline(always)]
fn kernel_gradient<const N: usize>(s: &[[f32; N]; POINTS]) -> [[f32; N]; 3] {
    let mut g = [[0.0; N]; 3];
    for n in 0..N {
        let (even, odd) = (s[1][n] + s[2][n], s[1][n] - s[2][n]);
        let (even_two, odd_two) = (s[3][n] + s[4][n], s[3][n] - s[4][n]);
        g[0][n] = s[0][n] + (even_two * (1.0 / 6.0) - even * (2.0 / 3.0));
        g[1][n] = odd_two * (SQRT_2 / 6.0) - odd * (FRAC_1_SQRT_2 * 2.0 / 3.0);
        g[2][n] = (even_two - even) * (1.0 / 3.0) + s[5][n];
    }
    g
}
