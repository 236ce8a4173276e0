//! F(2x2, 3x3).

use std::ops::RangeInclusive;

use super::{Filter, GradientFilter, Pixels};
use crate::conv::lanes::{Lanes, MOST_LANES};
use crate::conv::winograd::{POINTS, transform};

/// Tiles of 2x2 pixels: a product for each pixel and each of 4 kernel weights of 9.
#[derive(Clone, Copy)]
pub(in crate::conv::winograd) struct Two;

impl Filter for Two {
    const SIDE: usize = 2;
    const POINTS: usize = POINTS;
    const TILES: RangeInclusive<usize> = 12..=768;
    const LANES: usize = 192;
    const RESULTS: usize = 128;

    fn least_channels(_: usize) -> usize {
        64
    }

    #[inline(always)]
    unsafe fn tiles<L: Lanes>(pixels: impl Pixels<L>, to: *mut f32, point: usize) {
        // SAFETY: by contract.
        unsafe { transform::tiles(pixels, to, point) }
    }

    #[inline(always)]
    unsafe fn kernel<L: Lanes>(g: [L; 9], to: impl FnMut(usize, L)) {
        // SAFETY: by contract.
        unsafe { transform::kernel(g, to) }
    }

    #[inline(always)]
    unsafe fn pixels<L: Lanes>(from: *const f32, point: usize, bias: f32) -> [[L; 4]; 4] {
        // SAFETY: by contract.
        let [y00, y01, y10, y11] = unsafe { transform::pixels::<L>(from, point, bias) };
        let (top, bottom) = ([y00, y01, y01, y01], [y10, y11, y11, y11]);
        [top, bottom, bottom, bottom]
    }
}

impl GradientFilter for Two {
    #[inline(always)]
    unsafe fn gradients<L: Lanes>(from: *const f32, pixel: usize, to: *mut f32, point: usize) {
        // SAFETY: by contract.
        unsafe {
            let tile = std::array::from_fn(|number| L::load(from.add(number * pixel)));
            for (index, value) in transform::gradient(tile).into_iter().enumerate() {
                value.store(to.add(index * point));
            }
        }
    }

    #[inline(always)]
    fn kernel_gradient(sums: &[f32], point: usize) -> [[f32; MOST_LANES]; 9] {
        let mut products = [[0.0; MOST_LANES]; POINTS];
        for (products, sums) in products.iter_mut().zip(sums.chunks(point)) {
            products.copy_from_slice(&sums[..MOST_LANES]);
        }
        transform::kernel_gradient(&products)
    }
}
