//! Tiles whose transforms are those of one side, applied to the columns and then to the rows.

use super::Pixels;
use crate::conv::lanes::Lanes;

/// The transforms of one side: tiles of `S` pixels with `P` points, `P` being `S` + 2.
///
/// # Safety
///
/// The processor must have the instructions of `L`, in all methods.
pub(super) trait Side<const S: usize, const P: usize> {
    /// The input's: values at the points of the polynomials that are 1 at one point and 0 at the others, but for their divisors.
    unsafe fn input<L: Lanes>(pixels: [L; P]) -> [L; P];

    /// The kernel's: its polynomial's values at the points over the divisors.
    unsafe fn kernel<L: Lanes>(weights: [L; 3]) -> [L; P];

    /// From products to pixels: sums over the points of their powers; infinity has the last alone.
    unsafe fn output<L: Lanes>(products: [L; P]) -> [L; S];
}

/// [`Filter::tiles`](super::Filter::tiles).
///
/// # Safety
///
/// As there; so for the other functions.
#[inline(always)]
pub(super) unsafe fn tiles<L: Lanes, T: Side<S, P>, const S: usize, const P: usize>(
    pixels: impl Pixels<L>,
    to: *mut f32,
    point: usize,
) {
    // SAFETY: by contract.
    unsafe {
        let mut rows = [[L::splat(0.0); P]; P];
        for column in 0..P {
            let mut side = [L::splat(0.0); P];
            for (row, value) in side.iter_mut().enumerate() {
                *value = pixels.at(row * P + column);
            }
            for (row, value) in rows.iter_mut().zip(T::input(side)) {
                row[column] = value;
            }
        }
        for (row, values) in rows.into_iter().enumerate() {
            for (column, value) in T::input(values).into_iter().enumerate() {
                value.store(to.add((row * P + column) * point));
            }
        }
    }
}

/// [`Filter::kernel`](super::Filter::kernel).
#[inline(always)]
pub(super) unsafe fn kernel<L: Lanes, T: Side<S, P>, const S: usize, const P: usize>(
    g: [L; 9],
    mut to: impl FnMut(usize, L),
) {
    // SAFETY: by contract.
    unsafe {
        let (left, middle) = (T::kernel([g[0], g[3], g[6]]), T::kernel([g[1], g[4], g[7]]));
        let right = T::kernel([g[2], g[5], g[8]]);
        for row in 0..P {
            let values = T::kernel([left[row], middle[row], right[row]]);
            for (column, value) in values.into_iter().enumerate() {
                to(row * P + column, value);
            }
        }
    }
}

/// [`Filter::pixels`](super::Filter::pixels).
#[inline(always)]
pub(super) unsafe fn pixels<L: Lanes, T: Side<S, P>, const S: usize, const P: usize>(
    from: *const f32,
    point: usize,
    bias: f32,
) -> [[L; 4]; 4] {
    // SAFETY: by contract.
    unsafe {
        let mut rows = [[L::splat(0.0); P]; S];
        for column in 0..P {
            let products = std::array::from_fn(|row| L::load(from.add((row * P + column) * point)));
            for (row, value) in rows.iter_mut().zip(T::output(products)) {
                row[column] = value;
            }
        }
        let bias = L::splat(bias);
        let mut pixels = [[bias; 4]; 4];
        for (pixels, products) in pixels.iter_mut().zip(rows) {
            for (pixel, value) in pixels.iter_mut().zip(T::output(products)) {
                *pixel = value.add(bias);
            }
        }
        pixels
    }
}
