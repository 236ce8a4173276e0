//! A second map that the first of several layers reads.

use candle_core::{Result, Tensor, bail};

use super::NAME;
use crate::checked::Watched;
use crate::host;
use crate::resize::{Corners, bilinear};
use crate::separable::Separable;

/// A map (N, D, h, w) that lies beside another one (N, C, H, W), whose size it may not have yet. What is smaller comes
/// into the middle of zeros, with the smaller half of an odd rest above and to the left.
#[derive(Debug, Clone, Copy)]
pub enum Beside<'a> {
    /// As it is.
    Same(&'a Tensor),
    /// Doubled first, bilinearly with aligned corners.
    Doubled(&'a Tensor),
}

impl Beside<'_> {
    pub(super) fn tensor(&self) -> &Tensor {
        match self {
            Self::Same(tensor) | Self::Doubled(tensor) => tensor,
        }
    }
}

/// How one map comes to lie beside another one.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    doubled: Option<Separable>,
    /// Rows and columns before zeros are added, and after.
    from: (usize, usize),
    to: (usize, usize),
}

impl Placement {
    /// Of `beside` beside `x`.
    pub(super) fn new(beside: &Beside, x: &Tensor) -> Result<Self> {
        let (images, _, height, width) = host::dims4(x, NAME)?;
        let (n, _, h, w) = host::dims4(beside.tensor(), NAME)?;
        let (from, doubled) = match beside {
            Beside::Same(_) => ((h, w), None),
            Beside::Doubled(_) => ((2 * h, 2 * w), Some(bilinear((h, w), (2 * h, 2 * w), Corners::Aligned))),
        };
        if images != n || from.0 > height || from.1 > width {
            let (x, beside) = (x.dims(), beside.tensor().dims());
            bail!("{NAME}: {beside:?} does not fit beside {x:?}, in {} x {} pixels", from.0, from.1);
        }
        Ok(Self { doubled, from, to: (height, width) })
    }

    /// The map as it lies beside the other one, with gradient.
    pub(super) fn place(&self, map: &Tensor) -> Result<Tensor> {
        let map = match &self.doubled {
            None => map.clone(),
            Some(doubled) => doubled.clone().apply(map)?,
        };
        let (above, left) = self.margins();
        let padded = map.pad_with_zeros(2, above, self.to.0 - self.from.0 - above)?;
        padded.pad_with_zeros(3, left, self.to.1 - self.from.1 - left)
    }

    /// The gradient for the map, given the one for what [`Placement::place`] made of it.
    pub(super) fn adjoint(&self, gradient: Tensor) -> Result<Tensor> {
        let (above, left) = self.margins();
        let inside = gradient.narrow(2, above, self.from.0)?.narrow(3, left, self.from.1)?.contiguous()?;
        drop(gradient);
        match &self.doubled {
            None => Ok(inside),
            Some(doubled) => inside.watched_op1_no_bwd(&doubled.transposed()),
        }
    }

    /// Rows of zeros above, columns to the left.
    fn margins(&self) -> (usize, usize) {
        ((self.to.0 - self.from.0) / 2, (self.to.1 - self.from.1) / 2)
    }
}
