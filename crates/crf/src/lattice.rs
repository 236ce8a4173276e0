//! Gaussian filtering in many dimensions in time linear in the pixels: the permutohedral lattice.
//!
//! Adams, Baek and Davis, Fast High-Dimensional Filtering Using the Permutohedral Lattice, 2010. Each pixel's feature lies
//! in a simplex whose d + 1 corners get the pixel's values by barycentric weight (splat); values spread to neighbouring
//! corners (blur); pixels read them back with the same weights (slice).
//!
//! Pixels are splatted in chunks, each to rows of its own, which are then summed per vertex in a fixed order: threads never
//! write to the same place, and the sums do not depend on how many there are.

mod blur;
mod build;
mod embed;
mod hash;
mod key;
mod slice;
mod splat;
mod sums;

use std::ops::Range;

use rayon::prelude::*;

pub(crate) use self::blur::Axes;
pub(crate) use self::slice::{Vertices, slice_add};
pub(crate) use self::splat::{Corners, splat};
#[cfg(any(feature = "cuda", test))]
pub(crate) use self::{
    build::direction,
    embed::scales,
    key::{Key, MOST_WORDS, Packing},
};
use crate::layout::{Layout, with_groups};
use crate::simd::{Lanes, vectorised, zeros};

/// Pixels that one thread splats at once.
pub(crate) const CHUNK: usize = 1 << 14;

/// The vertices that an image's pixels touch.
#[derive(Debug)]
pub(crate) struct Lattice {
    pixels: usize,
    /// d + 1.
    corners_of_pixel: usize,
    vertices: usize,
    /// For every pixel its corners, numbered within its chunk.
    corners: Vec<u32>,
    /// For every pixel its corners' barycentric weights.
    weights: Vec<f32>,
    /// Where each chunk's rows start, and the last chunk's end.
    row_starts: Vec<usize>,
    /// The vertex of every row of every chunk.
    vertex_of: Vec<u32>,
    /// Where each vertex's list of rows starts, and the last one ends.
    gather_starts: Vec<u32>,
    gather_rows: Vec<u32>,
    /// For every axis both neighbours of every vertex.
    neighbours: Vec<Vec<[u32; 2]>>,
}

/// Memory that a filter works in.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// A row per vertex and chunk that touches it.
    pub(crate) scattered: Vec<Lanes>,
    /// A row per vertex, and one of zeros.
    pub(crate) values: Vec<Lanes>,
    spare: Vec<Lanes>,
}

impl Lattice {
    /// Memory for rows of this layout.
    pub(crate) fn workspace(&self, layout: Layout) -> Workspace {
        let row = layout.row();
        let values = || zeros((self.vertices + 1) * row);
        Workspace { scattered: zeros(self.vertex_of.len() * row), spare: values(), values: values() }
    }

    /// What makes the blurred and sliced values sums of a Gaussian whose peak is 1, as in Krähenbühl's code.
    pub(crate) fn scale(&self) -> f32 {
        scale(self.corners_of_pixel)
    }

    /// Each chunk's part of `scattered`.
    pub(crate) fn chunk_rows<'a>(
        &self,
        mut scattered: &'a mut [Lanes],
        layout: Layout,
    ) -> Vec<&'a mut [Lanes]> {
        let sizes = self.row_starts.windows(2).map(|pair| pair[1] - pair[0]);
        sizes.map(|size| scattered.split_off_mut(..size * layout.row()).unwrap_or_default()).collect()
    }

    /// The corners of pixels of one chunk, with a factor for every pixel of the image.
    pub(crate) fn corners<'a>(&'a self, pixels: Range<usize>, factors: &'a [f32]) -> Corners<'a> {
        let count = self.corners_of_pixel;
        let range = pixels.start * count..pixels.end * count;
        Corners {
            of_pixel: count,
            vertices: &self.corners[range.clone()],
            weights: &self.weights[range],
            factors: &factors[pixels],
        }
    }

    /// The vertices of a chunk's rows.
    pub(crate) fn vertex_of(&self, chunk: usize) -> &[u32] {
        &self.vertex_of[self.row_starts[chunk]..self.row_starts[chunk + 1]]
    }

    /// For every axis both neighbours of every vertex.
    #[cfg(test)]
    pub(crate) fn neighbours(&self) -> &[Vec<[u32; 2]>] {
        &self.neighbours
    }

    /// Every pixel's vertices and their weights.
    #[cfg(test)]
    pub(crate) fn numbers(&self) -> (Vec<u32>, &[f32]) {
        let chunks = self.corners.chunks(CHUNK * self.corners_of_pixel).enumerate();
        let vertices = chunks.flat_map(|(chunk, corners)| {
            corners.iter().map(move |&corner| self.vertex_of(chunk)[corner as usize])
        });
        (vertices.collect(), &self.weights)
    }

    /// Sums what was splatted per vertex, and blurs it.
    pub(crate) fn spread(&self, space: &mut Workspace, layout: Layout, axes: Axes) {
        const VERTICES: usize = 1024;
        let (row, scattered) = (layout.row(), &space.scattered);
        let parts = space.values[..self.vertices * row].par_chunks_mut(VERTICES * row);
        parts.enumerate().for_each(|(part, values)| {
            let starts = &self.gather_starts[part * VERTICES..];
            with_groups!(layout, gather_rows, scattered, layout.blocks, starts, &self.gather_rows, values);
        });
        self.blur(&mut space.values, &mut space.spare, layout, axes);
    }

    /// Filters rows of pixels: times `before`, splat, blur, slice, times `after`.
    pub(crate) fn filter(
        &self,
        rows: &[Lanes],
        layout: Layout,
        (before, after): (&[f32], &[f32]),
        axes: Axes,
    ) -> Vec<Lanes> {
        let mut space = self.workspace(layout);
        let chunks = self.chunk_rows(&mut space.scattered, layout);
        chunks.into_par_iter().enumerate().for_each(|(chunk, target)| {
            let pixels = chunk * CHUNK..((chunk + 1) * CHUNK).min(self.pixels);
            let part = &rows[pixels.start * layout.row()..pixels.end * layout.row()];
            splat(part, layout, self.corners(pixels, before), target);
        });
        self.spread(&mut space, layout, axes);
        let mut filtered = zeros(rows.len());
        let ones = vec![Lanes::splat(1.0); layout.row()];
        filtered.par_chunks_mut(CHUNK * layout.row()).enumerate().for_each(|(chunk, target)| {
            let pixels = chunk * CHUNK..((chunk + 1) * CHUNK).min(self.pixels);
            let of_corner = self.vertex_of(chunk);
            let vertices = Vertices { values: &space.values, of_corner, class_factors: &ones };
            slice_add(target, None, layout, self.corners(pixels, after), vertices);
        });
        filtered
    }
}

/// [`Lattice::scale`] with so many corners of a pixel.
pub(crate) fn scale(corners_of_pixel: usize) -> f32 {
    let dimensions = corners_of_pixel as i32 - 1;
    1.0 / (1.0 + 2.0f32.powi(-dimensions))
}

vectorised! {
    /// Sums the rows in each vertex's list.
    fn gather_rows[G: usize](
        scattered: &[Lanes],
        blocks: usize,
        starts: &[u32],
        lists: &[u32],
        values: &mut [Lanes],
    ) {
        let (scattered, _) = scattered.as_chunks::<G>();
        let (values, _) = values.as_chunks_mut::<G>();
        for (value, bounds) in values.chunks_exact_mut(blocks).zip(starts.windows(2)) {
            let list = &lists[bounds[0] as usize..bounds[1] as usize];
            for (block, value) in value.iter_mut().enumerate() {
                let mut sums = [Lanes::ZERO; G];
                for row in list {
                    for (sum, lanes) in sums.iter_mut().zip(scattered[*row as usize * blocks + block]) {
                        *sum = sum.zip(lanes, |a, b| a + b);
                    }
                }
                *value = sums;
            }
        }
    }
}
