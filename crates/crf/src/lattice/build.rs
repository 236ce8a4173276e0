//! The vertices that the pixels touch, their numbers, and their neighbours.

use std::ops::Range;

use rayon::prelude::*;

use super::embed::{MOST_CORNERS, POINTS, Simplices, embed, scales};
use super::hash::Table;
use super::key::{Key, Packing, plus};
use super::{CHUNK, Lattice};
use crate::Error;
use crate::features::Features;

impl Lattice {
    /// The lattice of whitened features.
    ///
    /// Every chunk of pixels first numbers the vertices that it touches itself; these are the rows that it splats to
    /// without regard to other chunks. Then equal vertices of all chunks get one number. Chunks do not depend on the
    /// number of threads, so nothing in the lattice does.
    pub(crate) fn new(features: &Features) -> Result<Self, Error> {
        let packing = Packing::new(features)?;
        Ok(match packing.words() {
            1 => build::<1>(features, &packing),
            2 => build::<2>(features, &packing),
            4 => build::<4>(features, &packing),
            _ => build::<8>(features, &packing),
        })
    }
}

fn build<const WORDS: usize>(features: &Features, packing: &Packing) -> Lattice {
    let (pixels, corners_of_pixel) = (features.pixels(), features.dimensions() + 1);
    let axes: Vec<Key<WORDS>> =
        (0..corners_of_pixel).map(|axis| direction(packing, axis, corners_of_pixel)).collect();
    let mut corners = vec![0; pixels * corners_of_pixel];
    let mut weights = vec![0.0; pixels * corners_of_pixel];
    let keys = corners
        .par_chunks_mut(CHUNK * corners_of_pixel)
        .zip(weights.par_chunks_mut(CHUNK * corners_of_pixel))
        .enumerate()
        .map_init(
            || Placing { packing, axes: &axes, table: Table::with_room(1 << 12) },
            |placing, (chunk, (corners, weights))| {
                let first = chunk * CHUNK;
                placing.place(features, first..(first + CHUNK).min(pixels), corners, weights)
            },
        );
    let keys: Vec<Vec<Key<WORDS>>> = keys.collect();
    let (row_starts, vertex_of, table) = number(&keys);
    let vertices = table.keys().len();
    let (gather_starts, gather_rows) = gather_lists(&vertex_of, vertices);
    let neighbours = axes.par_iter().map(|axis| neighbours(&table, axis)).collect();
    Lattice {
        pixels,
        corners_of_pixel,
        vertices,
        corners,
        weights,
        row_starts,
        vertex_of,
        gather_starts,
        gather_rows,
        neighbours,
    }
}

/// The difference of two neighbours along an axis: every coordinate grows by 1, that of the axis falls by d.
pub(crate) fn direction<const WORDS: usize>(packing: &Packing, axis: usize, axes: usize) -> Key<WORDS> {
    let steps = (0..axes).map(|i| packing.step(i, if i == axis { 1 - axes as i64 } else { 1 }));
    steps.fold([0; WORDS], plus)
}

/// Numbers the vertices of a chunk of pixels.
struct Placing<'a, const WORDS: usize> {
    packing: &'a Packing,
    axes: &'a [Key<WORDS>],
    table: Table<WORDS>,
}

impl<const WORDS: usize> Placing<'_, WORDS> {
    /// Fills the corners, as numbers within the chunk, and weights of pixels; returns the vertices by their numbers.
    fn place(
        &mut self,
        features: &Features,
        pixels: Range<usize>,
        corners: &mut [u32],
        weights: &mut [f32],
    ) -> Vec<Key<WORDS>> {
        let scales = scales(features.dimensions());
        let mut simplices = Simplices::new();
        let mut points = vec![[0.0; POINTS]; features.dimensions()];
        let step = POINTS * self.axes.len();
        let parts = corners.chunks_mut(step).zip(weights.chunks_mut(step));
        for (first, (corners, weights)) in pixels.step_by(POINTS).zip(parts) {
            let count = corners.len() / self.axes.len();
            for (point, plane) in points.iter_mut().zip(features.planes()) {
                point[..count].copy_from_slice(&plane[first..first + count]);
            }
            embed(&points, &scales, &mut simplices);
            self.look_up(&simplices, corners, weights);
        }
        self.table.take()
    }

    fn look_up(&mut self, simplices: &Simplices, corners: &mut [u32], weights: &mut [f32]) {
        match self.axes.len() {
            3 => self.look_up_corners::<3>(simplices, corners, weights),
            6 => self.look_up_corners::<6>(simplices, corners, weights),
            _ => self.look_up_corners::<MOST_CORNERS>(simplices, corners, weights),
        }
    }

    #[inline(always)]
    fn look_up_corners<const CORNERS: usize>(
        &mut self,
        simplices: &Simplices,
        corners: &mut [u32],
        weights: &mut [f32],
    ) {
        let count = if CORNERS < MOST_CORNERS { CORNERS } else { self.axes.len() };
        let parts = corners.chunks_exact_mut(count).zip(weights.chunks_exact_mut(count));
        for (p, (corners, weights)) in parts.enumerate() {
            let keys = self.keys_of::<CORNERS>(simplices, p, count);
            for (remainder, (corner, weight)) in corners.iter_mut().zip(weights).enumerate() {
                *corner = self.table.insert(keys[remainder]);
                *weight = simplices.weights[remainder][p];
            }
        }
    }

    /// The keys of a point's corners, by their remainders.
    #[inline(always)]
    fn keys_of<const CORNERS: usize>(
        &self,
        simplices: &Simplices,
        p: usize,
        count: usize,
    ) -> [Key<WORDS>; CORNERS] {
        let mut by_rank = [[0; WORDS]; CORNERS];
        for (i, axis) in self.axes.iter().enumerate().take(count) {
            by_rank[simplices.rank[i][p] as usize] = *axis;
        }
        let mut keys = [[0; WORDS]; CORNERS];
        keys[0] = self.packing.pack::<WORDS>(|i| simplices.origin[i][p]);
        // The corner of the next remainder lies one step along the axis of the smallest offset not yet stepped along.
        for remainder in 1..count {
            keys[remainder] = plus(keys[remainder - 1], by_rank[count - remainder]);
        }
        keys
    }
}

/// One number for equal vertices of all chunks, in the order in which they appear: where each chunk's rows start (and the
/// last ones end), the vertex of every row, and all vertices.
fn number<const WORDS: usize>(keys: &[Vec<Key<WORDS>>]) -> (Vec<usize>, Vec<u32>, Table<WORDS>) {
    let most = keys.iter().map(Vec::len).max().unwrap_or(0);
    let mut table = Table::with_room(2 * most);
    let mut starts = vec![0];
    let mut vertex_of = Vec::with_capacity(keys.iter().map(Vec::len).sum());
    for keys in keys {
        vertex_of.extend(keys.iter().map(|key| table.insert(*key)));
        starts.push(vertex_of.len());
    }
    (starts, vertex_of, table)
}

/// The rows of each vertex, in order: where each vertex's list starts (and the last one ends), and the lists.
fn gather_lists(vertex_of: &[u32], vertices: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; vertices + 1];
    for &vertex in vertex_of {
        starts[vertex as usize + 1] += 1;
    }
    for vertex in 0..vertices {
        starts[vertex + 1] += starts[vertex];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; vertex_of.len()];
    for (row, &vertex) in vertex_of.iter().enumerate() {
        let place = &mut next[vertex as usize];
        rows[*place as usize] = row as u32;
        *place += 1;
    }
    (starts, rows)
}

/// Both neighbours of every vertex along an axis; the number of vertices stands for one that is not there.
fn neighbours<const WORDS: usize>(table: &Table<WORDS>, axis: &Key<WORDS>) -> Vec<[u32; 2]> {
    let vertices = table.keys().len();
    let mut neighbours = vec![[vertices as u32; 2]; vertices];
    for (vertex, key) in table.keys().iter().enumerate() {
        if let Some(next) = table.find(&plus(*key, *axis)) {
            neighbours[vertex][1] = next;
            neighbours[next as usize][0] = vertex as u32;
        }
    }
    neighbours
}
