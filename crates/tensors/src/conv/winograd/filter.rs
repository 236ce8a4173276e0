//! The sizes of tiles that there are, with their transforms in vectors, in which each lane is a tile.

mod four;
mod sides;
mod three;
mod two;

use std::ops::RangeInclusive;

use crate::conv::lanes::{Lanes, MOST_LANES};

pub(super) use four::Four;
pub(super) use three::Three;
pub(super) use two::Two;

/// Output tiles of `SIDE` x `SIDE` pixels, and input tiles that are larger by 2.
///
/// # Safety
///
/// The processor must have the instructions of `L`, and all vectors must be valid, in all methods.
pub(super) trait Filter: Copy + Send + Sync {
    const SIDE: usize;
    /// Of a transformed tile.
    const POINTS: usize;
    /// Numbers of tiles, of all images, for which working on them all at once may pay.
    const TILES: RangeInclusive<usize>;
    /// Most tiles whose products stay in the second-level cache all at once, for so many results.
    const LANES: usize;
    const RESULTS: usize;

    /// Fewest channels, as a mean of both sides, that pay for the transforms of so many tiles.
    fn least_channels(tiles: usize) -> usize;

    /// Reads input tiles and writes their transforms, `point` floats apart.
    unsafe fn tiles<L: Lanes>(pixels: impl Pixels<L>, to: *mut f32, point: usize);

    /// Transforms as many kernels as vectors have lanes and hands over one point after the other.
    unsafe fn kernel<L: Lanes>(g: [L; 9], to: impl FnMut(usize, L));

    /// Reads products, `point` floats apart, and returns the output pixels, to which it adds `bias`: the first `SIDE` of
    /// the first `SIDE` rows.
    unsafe fn pixels<L: Lanes>(from: *const f32, point: usize, bias: f32) -> [[L; 4]; 4];
}

/// The pixels of as many input tiles as vectors have lanes.
///
/// # Safety
///
/// As [`Filter`].
pub(super) trait Pixels<L: Lanes> {
    /// That of each tile with a number, row after row.
    unsafe fn at(&self, number: usize) -> L;
}

/// Tiles whose pixels are neighbours, at `offsets` from the first's.
pub(super) struct Neighbours<'a> {
    pub(super) first: *const f32,
    pub(super) offsets: &'a [usize],
}

impl<L: Lanes> Pixels<L> for Neighbours<'_> {
    #[inline(always)]
    unsafe fn at(&self, number: usize) -> L {
        // SAFETY: by contract.
        unsafe { L::load(self.first.add(self.offsets[number])) }
    }
}

/// Filters for the gradient for the weights as well.
///
/// # Safety
///
/// As [`Filter`].
pub(super) trait GradientFilter: Filter {
    /// Reads the gradients of output pixels, `pixel` floats apart, and writes their transforms, `point` floats apart.
    unsafe fn gradients<L: Lanes>(from: *const f32, pixel: usize, to: *mut f32, point: usize);

    /// From products, summed over the tiles, `point` floats apart, to the gradients of as many kernels as vectors have lanes at most.
    fn kernel_gradient(sums: &[f32], point: usize) -> [[f32; MOST_LANES]; 9];
}
