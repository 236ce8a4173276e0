//! How a kernel's sums are made independent of how many pixels are near.

use crate::Error;
use crate::features::Features;
use crate::lattice::{Axes, Lattice};
use crate::layout::Layout;
use crate::simd::Lanes;

/// With K the Gaussian sums and n = K 1 the sum of a pixel's weights, which messages a pixel gets from probabilities q.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalisation {
    /// K q: large where many pixels are alike.
    None,
    /// K (q / n)
    Before,
    /// (K q) / n: means.
    After,
    /// (K (q / √n)) / √n, which keeps the kernel symmetric. What pydensecrf and Krähenbühl's code do unless told otherwise.
    #[default]
    Symmetric,
}

impl Normalisation {
    /// What a pixel's values are multiplied by before and after the sums, given n.
    pub(crate) fn factors(self, sums: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let ones = || vec![1.0; sums.len()];
        let inverse = || sums.iter().map(|&n| 1.0 / (n + LEAST)).collect::<Vec<f32>>();
        let root = || sums.iter().map(|&n| 1.0 / (n + LEAST).sqrt()).collect::<Vec<f32>>();
        match self {
            Self::None => (ones(), ones()),
            Self::Before => (inverse(), ones()),
            Self::After => (ones(), inverse()),
            Self::Symmetric => (root(), root()),
        }
    }
}

/// Keeps the inverse of a sum finite.
const LEAST: f32 = 1e-20;

/// A lattice with the factors of its normalisation, which contain its scale.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) lattice: Lattice,
    /// A factor per pixel for what is splatted.
    pub(crate) before: Vec<f32>,
    /// A factor per pixel for what is sliced.
    pub(crate) after: Vec<f32>,
}

impl Filter {
    /// The filter of whitened features.
    pub(crate) fn new(whitened: &Features, normalisation: Normalisation) -> Result<Self, Error> {
        let lattice = Lattice::new(whitened)?;
        let scale = lattice.scale();
        let (before, mut after) = if normalisation == Normalisation::None {
            normalisation.factors(&vec![1.0; whitened.pixels()])
        } else {
            normalisation.factors(&lattice.sums())
        };
        after.iter_mut().for_each(|factor| *factor *= scale);
        Ok(Self { lattice, before, after })
    }

    /// Filters rows of pixels.
    pub(crate) fn apply(&self, rows: &[Lanes], layout: Layout) -> Vec<Lanes> {
        self.lattice.filter(rows, layout, (&self.before, &self.after), Axes::Ascending)
    }

    /// Filters with the transposed matrix.
    pub(crate) fn apply_transposed(&self, rows: &[Lanes], layout: Layout) -> Vec<Lanes> {
        self.lattice.filter(rows, layout, (&self.after, &self.before), Axes::Descending)
    }
}
