//! The transforms of tiles in vectors: each lane is a tile.

use super::POINTS;
use super::filter::Pixels;
use crate::conv::lanes::Lanes;

/// A tile of 4x4 for each lane.
pub(super) type Tile<L> = [L; POINTS];

/// The input's transform, `Bᵀ d B` with the rows of `Bᵀ`: (1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1).
///
/// # Safety
///
/// The processor must have the instructions of `L`; so in the other functions.
#[inline(always)]
unsafe fn input<L: Lanes>(d: &Tile<L>) -> Tile<L> {
    let mut t = *d;
    // SAFETY: by contract.
    unsafe {
        for j in 0..4 {
            let (a, b, c, e) = (d[j], d[4 + j], d[8 + j], d[12 + j]);
            (t[j], t[4 + j], t[8 + j], t[12 + j]) = (a.sub(c), b.add(c), c.sub(b), b.sub(e));
        }
        let mut v = t;
        for i in 0..4 {
            let (a, b, c, e) = (t[4 * i], t[4 * i + 1], t[4 * i + 2], t[4 * i + 3]);
            (v[4 * i], v[4 * i + 1], v[4 * i + 2], v[4 * i + 3]) = (a.sub(c), b.add(c), c.sub(b), b.sub(e));
        }
        v
    }
}

/// Reads tiles and writes their transforms, `point` floats apart.
///
/// # Safety
///
/// As [`input`]; all vectors must be valid.
#[inline(always)]
pub(super) unsafe fn tiles<L: Lanes>(pixels: impl Pixels<L>, to: *mut f32, point: usize) {
    // SAFETY: by contract.
    unsafe {
        let mut tile = [L::splat(0.0); POINTS];
        for (number, value) in tile.iter_mut().enumerate() {
            *value = pixels.at(number);
        }
        for (index, value) in input(&tile).into_iter().enumerate() {
            value.store(to.add(index * point));
        }
    }
}

/// Reads products, `point` floats apart, and returns the four output pixels, to which it adds `bias`.
///
/// # Safety
///
/// As [`input`]; all vectors must be valid.
#[inline(always)]
pub(super) unsafe fn pixels<L: Lanes>(from: *const f32, point: usize, bias: f32) -> [L; 4] {
    // SAFETY: by contract.
    unsafe {
        let mut tile = [L::splat(0.0); POINTS];
        for (index, value) in tile.iter_mut().enumerate() {
            *value = L::load(from.add(index * point));
        }
        output(&tile).map(|pixels| pixels.add(L::splat(bias)))
    }
}

/// From products to the four output pixels, `Aᵀ m A` with the rows of `Aᵀ`: (1, 1, 1, 0), (0, 1, -1, -1).
#[inline(always)]
unsafe fn output<L: Lanes>(m: &Tile<L>) -> [L; 4] {
    // SAFETY: by contract.
    unsafe {
        let mut rows = [[m[0]; 4]; 2];
        for j in 0..4 {
            let (a, b, c, d) = (m[j], m[4 + j], m[8 + j], m[12 + j]);
            (rows[0][j], rows[1][j]) = (a.add(b).add(c), b.sub(c).sub(d));
        }
        let pair = |[a, b, c, d]: [L; 4]| (a.add(b).add(c), b.sub(c).sub(d));
        let ((y00, y01), (y10, y11)) = (pair(rows[0]), pair(rows[1]));
        [y00, y01, y10, y11]
    }
}

/// The output gradient's transform, `A g Aᵀ`, for the four pixels `g`.
#[inline(always)]
pub(super) unsafe fn gradient<L: Lanes>([g00, g01, g10, g11]: [L; 4]) -> Tile<L> {
    // SAFETY: by contract.
    unsafe {
        let zero = L::splat(0.0);
        let row = |a: L, b: L| [a, a.add(b), a.sub(b), zero.sub(b)];
        let (top, bottom) = (row(g00, g01), row(g10, g11));
        let mut z = [zero; POINTS];
        for j in 0..4 {
            let (a, b) = (top[j], bottom[j]);
            (z[j], z[4 + j], z[8 + j], z[12 + j]) = (a, a.add(b), a.sub(b), zero.sub(b));
        }
        z
    }
}

/// The kernel's transform, `G g Gᵀ` with the rows of `G`: (1, 0, 0), (½, ½, ½), (½, -½, ½), (0, 0, 1); handed over point
/// after point.
#[inline(always)]
pub(super) unsafe fn kernel<L: Lanes>(g: [L; 9], mut to: impl FnMut(usize, L)) {
    // SAFETY: by contract.
    unsafe {
        let (left, middle) = (kernel_side([g[0], g[3], g[6]]), kernel_side([g[1], g[4], g[7]]));
        let right = kernel_side([g[2], g[5], g[8]]);
        for row in 0..4 {
            let values = kernel_side([left[row], middle[row], right[row]]);
            for (column, value) in values.into_iter().enumerate() {
                to(4 * row + column, value);
            }
        }
    }
}

#[inline(always)]
unsafe fn kernel_side<L: Lanes>([a, b, c]: [L; 3]) -> [L; 4] {
    // SAFETY: by contract.
    unsafe {
        let outer = a.add(c).mul_add(L::splat(0.5), L::splat(0.0));
        [a, b.mul_add(L::splat(0.5), outer), b.mul_add(L::splat(-0.5), outer), c]
    }
}

/// From products to the kernel's gradient, `Gᵀ s G`; for `N` kernels at once.
#[inline(always)]
pub(super) fn kernel_gradient<const N: usize>(s: &[[f32; N]; POINTS]) -> [[f32; N]; 9] {
    let mut rows = [[0.0; N]; 12];
    let mut g = [[0.0; N]; 9];
    for n in 0..N {
        for j in 0..4 {
            let (b, c) = (s[4 + j][n], s[8 + j][n]);
            rows[j][n] = s[j][n] + 0.5 * (b + c);
            rows[4 + j][n] = 0.5 * (b - c);
            rows[8 + j][n] = 0.5 * (b + c) + s[12 + j][n];
        }
        for i in 0..3 {
            let (b, c) = (rows[4 * i + 1][n], rows[4 * i + 2][n]);
            g[3 * i][n] = rows[4 * i][n] + 0.5 * (b + c);
            g[3 * i + 1][n] = 0.5 * (b - c);
            g[3 * i + 2][n] = 0.5 * (b + c) + rows[4 * i + 3][n];
        }
    }
    g
}
