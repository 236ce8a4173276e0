//! Launches of vertices.cu.

use sconce_kernels::Argument::{Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;
use super::embed::Simplices;
use super::scan::scan;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "vertices", name }
}

/// The vertices of all corners, numbered in the order of their keys.
pub(super) struct Vertices<R: Runtime> {
    pub(super) count: usize,
    /// The vertex of every corner.
    pub(super) corners: Array<R, u32>,
    /// The pixel of every sorted corner.
    pub(super) sources: Array<R, u32>,
    /// The weight of every sorted corner.
    pub(super) weights: Array<R, f32>,
    /// A plane for each word.
    keys: Array<R, u64>,
    /// The vertex of every sorted corner.
    numbers: Array<R, u32>,
    /// Where each vertex's sorted corners start, and the last one's end.
    starts: Array<R, u32>,
}

/// What a vertex sums at once: parts of its sorted corners.
pub(super) struct Parts<R: Runtime> {
    /// The first part of every vertex, and the number of all parts.
    pub(super) of_vertex: Array<R, u32>,
    /// The first corner of every part, and the number of all corners.
    pub(super) firsts: Array<R, u32>,
}

impl<R: Runtime> Vertices<R> {
    /// Given the numbers of the corners in the order of their keys.
    pub(super) fn new(
        runtime: &R,
        simplices: &Simplices<R>,
        order: &Array<R, u32>,
        corners_of_pixel: usize,
    ) -> Result<Self> {
        let entries = order.len();
        let words = simplices.keys.len() / entries;
        let numbers = Array::<R, u32>::scratch(runtime, entries + 1)?;
        let (keys, order, width) = (simplices.keys.pointer(), order.pointer(), Unsigned(words as u32));
        let arguments = [keys, order, numbers.pointer(), Size(entries), width];
        // SAFETY: a thread reads the keys of two entries and writes one of a place more than entries.
        unsafe { runtime.launch(kernel("mark_vertices"), blocks(entries + 1), &arguments) }?;
        scan(runtime, &numbers)?;
        let count = numbers.last(runtime)?.map_or(0, |count| count as usize);
        let found = Self {
            count,
            corners: Array::scratch(runtime, entries)?,
            sources: Array::scratch(runtime, entries)?,
            weights: Array::scratch(runtime, entries)?,
            keys: Array::scratch(runtime, words * count)?,
            numbers,
            starts: Array::scratch(runtime, count + 1)?,
        };
        let lists = [found.corners.pointer(), found.sources.pointer(), found.weights.pointer()];
        let of_vertices = [found.starts.pointer(), found.keys.pointer()];
        let inputs = [keys, order, found.numbers.pointer(), simplices.weights.pointer()];
        let sizes = [Size(entries), Size(count), width, Unsigned(corners_of_pixel as u32)];
        let arguments = [&inputs[..], &lists, &of_vertices, &sizes].concat();
        // SAFETY: `order` holds every entry once, and numbers are below `count`: all places are within their arrays.
        unsafe { runtime.launch(kernel("list_vertices"), blocks(entries), &arguments) }?;
        Ok(found)
    }

    pub(super) fn parts(&self, runtime: &R) -> Result<Parts<R>> {
        let (entries, vertices) = (self.corners.len(), self.count);
        let of_vertex = Array::<R, u32>::scratch(runtime, vertices + 1)?;
        let arguments = [self.starts.pointer(), of_vertex.pointer(), Size(vertices)];
        // SAFETY: a thread reads two starts and writes its vertex's number, or the place after the last.
        unsafe { runtime.launch(kernel("count_parts"), blocks(vertices + 1), &arguments) }?;
        scan(runtime, &of_vertex)?;
        let count = of_vertex.last(runtime)?.map_or(0, |count| count as usize);
        let firsts = Array::scratch(runtime, count + 1)?;
        let pointers = [&self.numbers, &self.starts, &of_vertex, &firsts].map(Array::pointer);
        let arguments = [&pointers[..], &[Size(entries), Size(vertices)]].concat();
        // SAFETY: a vertex has as many parts as were counted, so that all places are at most `count`.
        unsafe { runtime.launch(kernel("list_parts"), blocks(entries), &arguments) }?;
        Ok(Parts { of_vertex, firsts })
    }

    /// For every axis both neighbours of every vertex; the number of vertices stands for one that is not there.
    pub(super) fn neighbours(&self, runtime: &R, directions: &Array<R, u64>) -> Result<Array<R, u32>> {
        let words = self.keys.len() / self.count;
        let axes = directions.len() / words;
        let neighbours = Array::scratch(runtime, 2 * axes * self.count)?;
        let pointers = [self.keys.pointer(), directions.pointer(), neighbours.pointer()];
        let sizes = [Size(self.count), Unsigned(words as u32), Unsigned(axes as u32)];
        let arguments = [&pointers[..], &sizes].concat();
        // SAFETY: a thread writes two numbers for its axis and vertex, and reads keys below `count`.
        unsafe { runtime.launch(kernel("find_neighbours"), blocks(axes * self.count), &arguments) }?;
        Ok(neighbours)
    }
}
