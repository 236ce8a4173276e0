//! The permutohedral lattice in a device's memory.

use sconce_kernels::{Result, Runtime};

use super::array::Array;
use super::embed::{Simplices, embed};
use super::sort::sort;
use super::vertices::{Parts, Vertices};
use crate::features::Features;
use crate::lattice::{Axes, Packing};

/// The vertices that an image's pixels touch. All numbers of pixels, parts and vertices in it are within their ranges.
pub(super) struct Lattice<R: Runtime> {
    pub(super) pixels: usize,
    /// d + 1.
    pub(super) corners_of_pixel: usize,
    pub(super) vertices: usize,
    pub(super) parts: usize,
    /// For every pixel its corners.
    pub(super) corners: Array<R, u32>,
    /// For every pixel its corners' barycentric weights.
    pub(super) weights: Array<R, f32>,
    /// Pixels in the order of their corners' vertices.
    pub(super) sources: Array<R, u32>,
    /// Weights in the same order.
    pub(super) sorted_weights: Array<R, f32>,
    /// Which of the sorted corners a vertex sums at once.
    pub(super) list: Parts<R>,
    /// For every axis both neighbours of every vertex.
    pub(super) neighbours: Array<R, u32>,
}

impl<R: Runtime> Lattice<R> {
    /// The lattice of whitened features.
    pub(super) fn new(runtime: &R, features: &Features, packing: &Packing) -> Result<Self> {
        let corners_of_pixel = features.dimensions() + 1;
        let simplices = embed(runtime, features, packing)?;
        let order = sort(runtime, &simplices.keys, packing.bits())?;
        let found = Vertices::new(runtime, &simplices, &order, corners_of_pixel)?;
        drop(order);
        let (list, neighbours) = (found.parts(runtime)?, found.neighbours(runtime, &simplices.directions)?);
        let Simplices { weights, .. } = simplices;
        Ok(Self {
            pixels: features.pixels(),
            corners_of_pixel,
            vertices: found.count,
            parts: list.firsts.len() - 1,
            corners: found.corners,
            weights,
            sources: found.sources,
            sorted_weights: found.weights,
            list,
            neighbours,
        })
    }

    /// What makes the blurred and sliced values sums of a Gaussian whose peak is 1.
    pub(super) fn scale(&self) -> f32 {
        crate::lattice::scale(self.corners_of_pixel)
    }

    /// Axes in the order of a blur.
    pub(super) fn axes(&self, order: Axes) -> impl Iterator<Item = usize> {
        let count = self.corners_of_pixel;
        (0..count).map(move |index| if order == Axes::Ascending { index } else { count - 1 - index })
    }
}
