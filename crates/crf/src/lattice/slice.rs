//! Slice: values of the corners of a simplex back to its pixels.

use super::splat::Corners;
use crate::layout::{Layout, with_groups};
use crate::simd::{Lanes, vectorised};

/// What is read from a lattice's vertices.
#[derive(Clone, Copy)]
pub(crate) struct Vertices<'a> {
    /// A row per vertex.
    pub(crate) values: &'a [Lanes],
    /// The vertex of each number that the pixels' corners have.
    pub(crate) of_corner: &'a [u32],
    /// A factor per class.
    pub(crate) class_factors: &'a [Lanes],
}

/// Sets the rows of pixels to `base`, or leaves them as they are, and adds the weighted sums of their corners' rows, times
/// the pixel's factor, times a factor per class.
pub(crate) fn slice_add(
    rows: &mut [Lanes],
    base: Option<&[Lanes]>,
    layout: Layout,
    corners: Corners,
    vertices: Vertices,
) {
    with_groups!(layout, slice_rows, rows, base, layout.blocks, corners, vertices);
}

vectorised! {
    fn slice_rows[G: usize](
        rows: &mut [Lanes],
        base: Option<&[Lanes]>,
        blocks: usize,
        corners: Corners<'_>,
        vertices: Vertices<'_>,
    ) {
        // Known numbers of corners let the compiler unroll the loop over them.
        match (corners.of_pixel, base) {
            (3, None) => slice_corners::<G>(rows, None, blocks, 3, corners, vertices),
            (6, None) => slice_corners::<G>(rows, None, blocks, 6, corners, vertices),
            (3, Some(base)) => slice_corners::<G>(rows, Some(base), blocks, 3, corners, vertices),
            (6, Some(base)) => slice_corners::<G>(rows, Some(base), blocks, 6, corners, vertices),
            (count, base) => slice_corners::<G>(rows, base, blocks, count, corners, vertices),
        }
    }
}

#[inline(always)]
fn slice_corners<const G: usize>(
    rows: &mut [Lanes],
    base: Option<&[Lanes]>,
    blocks: usize,
    count: usize,
    corners: Corners<'_>,
    vertices: Vertices<'_>,
) {
    let (rows, _) = rows.as_chunks_mut::<G>();
    let base = base.map(|base| base.as_chunks::<G>().0);
    let (values, _) = vertices.values.as_chunks::<G>();
    let (class_factors, _) = vertices.class_factors.as_chunks::<G>();
    let pixels = corners.vertices.chunks_exact(count).zip(corners.weights.chunks_exact(count));
    let pixels = pixels.zip(corners.factors).enumerate();
    for (row, (pixel, ((numbers, weights), factor))) in rows.chunks_exact_mut(blocks).zip(pixels) {
        for (block, row) in row.iter_mut().enumerate() {
            let mut sums = [Lanes::ZERO; G];
            for (&number, &weight) in numbers.iter().zip(weights) {
                let vertex = vertices.of_corner[number as usize] as usize;
                for (sum, value) in sums.iter_mut().zip(values[vertex * blocks + block]) {
                    *sum = sum.plus_scaled(weight, value);
                }
            }
            let own = base.map_or(*row, |base| base[pixel * blocks + block]);
            for (g, lanes) in row.iter_mut().enumerate() {
                let message = sums[g].zip(class_factors[block][g], |s, c| s * c);
                *lanes = own[g].plus_scaled(*factor, message);
            }
        }
    }
}
