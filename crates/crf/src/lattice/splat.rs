//! Splat: pixels' values to the corners of their simplices.

use crate::layout::{Layout, with_groups};
use crate::simd::{Lanes, vectorised};

/// Pixels of a chunk and their corners: numbers of vertices, weights, and a factor per pixel.
#[derive(Clone, Copy)]
pub(crate) struct Corners<'a> {
    pub(crate) of_pixel: usize,
    pub(crate) vertices: &'a [u32],
    pub(crate) weights: &'a [f32],
    pub(crate) factors: &'a [f32],
}

/// Adds the rows of pixels, each times the pixel's factor, to the rows of their corners by weight.
pub(crate) fn splat(rows: &[Lanes], layout: Layout, corners: Corners, target: &mut [Lanes]) {
    with_groups!(layout, splat_rows, rows, layout.blocks, corners, target);
}

vectorised! {
    fn splat_rows[G: usize](rows: &[Lanes], blocks: usize, corners: Corners<'_>, target: &mut [Lanes]) {
        // Known numbers of corners let the compiler unroll the loop over them.
        match corners.of_pixel {
            3 => splat_corners::<G>(rows, blocks, 3, corners, target),
            6 => splat_corners::<G>(rows, blocks, 6, corners, target),
            count => splat_corners::<G>(rows, blocks, count, corners, target),
        }
    }
}

#[inline(always)]
fn splat_corners<const G: usize>(
    rows: &[Lanes],
    blocks: usize,
    count: usize,
    corners: Corners<'_>,
    target: &mut [Lanes],
) {
    let (rows, _) = rows.as_chunks::<G>();
    let (target, _) = target.as_chunks_mut::<G>();
    let pixels = corners.vertices.chunks_exact(count).zip(corners.weights.chunks_exact(count));
    for ((row, (vertices, weights)), factor) in rows.chunks_exact(blocks).zip(pixels).zip(corners.factors) {
        for (block, values) in row.iter().enumerate() {
            let values = values.map(|lanes| lanes.map(|value| value * factor));
            for (&vertex, &weight) in vertices.iter().zip(weights) {
                let sums = &mut target[vertex as usize * blocks + block];
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = sum.plus_scaled(weight, value);
                }
            }
        }
    }
}
