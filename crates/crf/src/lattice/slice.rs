//! Slice: values of the corners of a simplex back to its pixels.

use super::splat::Corners;
use crate::layout::{Layout, with_groups};
use crate::simd::{Lanes, vectorised};

/// Adds to the rows of pixels the weighted sums of their corners' rows, times the pixel's factor, times a factor per
/// class. A corner's row in `values` is found through `vertex_of`.
pub(crate) fn slice_add(
    rows: &mut [Lanes],
    layout: Layout,
    corners: Corners,
    vertex_of: &[u32],
    values: &[Lanes],
    class_factors: &[Lanes],
) {
    with_groups!(layout, slice_rows, rows, layout.blocks, corners, vertex_of, values, class_factors);
}

vectorised! {
    fn slice_rows[G: usize](
        rows: &mut [Lanes],
        blocks: usize,
        corners: Corners<'_>,
        vertex_of: &[u32],
        values: &[Lanes],
        class_factors: &[Lanes],
    ) {
        match corners.of_pixel {
            3 => slice_corners::<G>(rows, blocks, 3, corners, vertex_of, values, class_factors),
            6 => slice_corners::<G>(rows, blocks, 6, corners, vertex_of, values, class_factors),
            count => slice_corners::<G>(rows, blocks, count, corners, vertex_of, values, class_factors),
        }
    }
}

#[inline(always)]
fn slice_corners<const G: usize>(
    rows: &mut [Lanes],
    blocks: usize,
    count: usize,
    corners: Corners<'_>,
    vertex_of: &[u32],
    values: &[Lanes],
    class_factors: &[Lanes],
) {
    let (rows, _) = rows.as_chunks_mut::<G>();
    let (values, _) = values.as_chunks::<G>();
    let (class_factors, _) = class_factors.as_chunks::<G>();
    let pixels = corners.vertices.chunks_exact(count).zip(corners.weights.chunks_exact(count));
    for ((row, (vertices, weights)), factor) in rows.chunks_exact_mut(blocks).zip(pixels).zip(corners.factors)
    {
        for (block, row) in row.iter_mut().enumerate() {
            let mut sums = [Lanes::ZERO; G];
            for (&vertex, &weight) in vertices.iter().zip(weights) {
                let vertex = vertex_of[vertex as usize] as usize;
                for (sum, value) in sums.iter_mut().zip(values[vertex * blocks + block]) {
                    *sum = sum.plus_scaled(weight, value);
                }
            }
            for ((lanes, sum), class) in row.iter_mut().zip(sums).zip(class_factors[block]) {
                *lanes = lanes.plus_scaled(*factor, sum.zip(class, |s, c| s * c));
            }
        }
    }
}
