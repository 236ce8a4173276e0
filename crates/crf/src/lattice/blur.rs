//! Blur: every vertex and half of its neighbours along each axis of the lattice in turn.

use rayon::prelude::*;

use super::Lattice;
use crate::layout::{Layout, with_groups};
use crate::simd::{Lanes, vectorised};

/// Vertices that one thread blurs at once.
const VERTICES: usize = 1024;

/// The order of the axes. The filters of both orders are each other's transposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axes {
    Ascending,
    Descending,
}

impl Lattice {
    /// Blurs `values` along all axes; `spare` is overwritten. The last row of both must be 0, and stays so.
    pub(crate) fn blur(&self, values: &mut Vec<Lanes>, spare: &mut Vec<Lanes>, layout: Layout, axes: Axes) {
        for index in 0..self.neighbours.len() {
            let axis = if axes == Axes::Ascending { index } else { self.neighbours.len() - 1 - index };
            let all = &self.neighbours[axis];
            let output = spare[..self.vertices * layout.row()].par_chunks_mut(VERTICES * layout.row());
            output.zip(all.par_chunks(VERTICES)).enumerate().for_each(|(part, (output, neighbours))| {
                let first = part * VERTICES;
                with_groups!(layout, blur_rows, values, first, neighbours, layout.blocks, output);
            });
            std::mem::swap(values, spare);
        }
    }
}

vectorised! {
    fn blur_rows[G: usize](
        input: &[Lanes],
        first: usize,
        neighbours: &[[u32; 2]],
        blocks: usize,
        output: &mut [Lanes],
    ) {
        let (input, _) = input.as_chunks::<G>();
        let (output, _) = output.as_chunks_mut::<G>();
        let own = input[first * blocks..].chunks_exact(blocks);
        for ((output, own), near) in output.chunks_exact_mut(blocks).zip(own).zip(neighbours) {
            for (block, (output, own)) in output.iter_mut().zip(own).enumerate() {
                let before = &input[near[0] as usize * blocks + block];
                let after = &input[near[1] as usize * blocks + block];
                for g in 0..G {
                    let near = before[g].zip(after[g], |a, b| a + b);
                    output[g] = own[g].plus_scaled(0.5, near);
                }
            }
        }
    }
}
