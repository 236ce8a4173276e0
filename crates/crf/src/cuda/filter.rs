//! A lattice with the factors of its normalisation: the Gaussian sums of one kernel.

use sconce_kernels::Runtime;

use super::array::Array;
use super::lattice::Lattice;
use super::normalisation::normalisation;
use crate::features::Features;
use crate::lattice::{Axes, Packing};
use crate::{Error, Normalisation};

pub(super) struct Filter<R: Runtime> {
    pub(super) lattice: Lattice<R>,
    /// A factor per pixel for what is splatted.
    pub(super) before: Array<R, f32>,
    /// A factor per pixel for what is sliced.
    pub(super) after: Array<R, f32>,
}

impl<R: Runtime> Filter<R> {
    /// The filter of whitened features.
    pub(super) fn new(runtime: &R, whitened: &Features, kind: Normalisation) -> Result<Self, Error> {
        let packing = Packing::new(whitened)?;
        let lattice = Lattice::new(runtime, whitened, &packing)?;
        let sums = Array::upload(runtime, &vec![1.0; lattice.pixels])?;
        if kind != Normalisation::None {
            let (ones, scale) = (Array::upload(runtime, &vec![1.0; lattice.pixels])?, lattice.scale());
            let values = lattice.spread(runtime, (&ones, &ones), 1, Axes::Ascending)?;
            let scale = Array::upload(runtime, &[scale])?;
            lattice.slice(runtime, &values, (&ones, &scale), None, &sums)?;
        }
        let (before, after) = normalisation(runtime, kind, &sums, lattice.scale())?;
        Ok(Self { lattice, before, after })
    }
}

impl<R: Runtime> Lattice<R> {
    /// What is splatted of rows, each times the pixel's factor, and blurred: a row for each vertex.
    pub(super) fn spread(
        &self,
        runtime: &R,
        (rows, factors): (&Array<R, f32>, &Array<R, f32>),
        classes: usize,
        axes: Axes,
    ) -> sconce_kernels::Result<Array<R, f32>> {
        let mut values = Array::scratch(runtime, self.vertices * classes)?;
        let mut spare = Array::scratch(runtime, self.vertices * classes)?;
        self.splat(runtime, rows, factors, &values, classes)?;
        self.blur(runtime, &mut values, &mut spare, classes, axes)?;
        Ok(values)
    }
}
