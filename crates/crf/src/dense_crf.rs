//! The model: classes, unary energies and any number of Gaussian kernels.

use crate::compatibility::Compatibility;
use crate::error::{Error, check_finite};
use crate::features::Features;
use crate::gradient::{self, Gradient};
use crate::kernel::{Bilateral, Gaussian};
use crate::layout::Layout;
use crate::mean_field::{self, MeanField};
use crate::normalisation::Filter;
use crate::posterior::Posterior;
use crate::shape::Shape;
use crate::simd::Lanes;
use crate::unary::Unary;

/// A fully connected CRF over the pixels of one image or volume (Krähenbühl and Koltun 2011).
///
/// Adding a kernel builds its lattice, from then on only the classes' messages are computed. Results do not depend on the
/// number of threads, bit for bit.
#[derive(Debug)]
pub struct DenseCrf {
    pub(crate) shape: Shape,
    pub(crate) layout: Layout,
    pub(crate) kernels: Vec<Kernel>,
}

/// A Gaussian filter and what its messages cost.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) filter: Filter,
    pub(crate) compatibility: Compatibility,
    pub(crate) class_factors: Vec<Lanes>,
}

impl DenseCrf {
    /// A CRF without kernels, whose result is the softmax of its unary; 1 to 256 classes.
    pub fn new(shape: Shape, classes: usize) -> Result<Self, Error> {
        shape.check()?;
        if !(1..=256).contains(&classes) {
            return Err(Error::Classes(classes));
        }
        Ok(Self { shape, layout: Layout::new(classes), kernels: Vec::new() })
    }

    /// Adds a Gaussian of positions, in pixels: near pixels have the same label.
    pub fn gaussian(self, gaussian: &Gaussian, compatibility: Compatibility) -> Result<Self, Error> {
        let features = Features::positions(self.shape)?;
        self.kernel(&features, gaussian, compatibility)
    }

    /// Adds a Gaussian of positions and colours: near pixels of the same colour have the same label.
    ///
    /// # Shapes
    ///
    /// `rgb` is pixels × 3, the 8-bit image as it was read from its file. A normalised image would make the colours'
    /// deviation meaningless, so no other type is taken.
    pub fn bilateral(
        self,
        rgb: &[u8],
        bilateral: &Bilateral,
        compatibility: Compatibility,
    ) -> Result<Self, Error> {
        let features = Features::positions(self.shape)?.with_rgb(rgb)?;
        let gaussian = bilateral.gaussian(self.shape.axes());
        self.kernel(&features, &gaussian, compatibility)
    }

    /// Adds a Gaussian of any features.
    pub fn kernel(
        mut self,
        features: &Features,
        gaussian: &Gaussian,
        compatibility: Compatibility,
    ) -> Result<Self, Error> {
        compatibility.check(self.layout.classes)?;
        crate::error::check_length(
            "features",
            "width × height × depth",
            self.shape.pixels(),
            features.pixels(),
        )?;
        let whitened = gaussian.covariance.whiten(features)?;
        let filter = Filter::new(&whitened, gaussian.normalisation)?;
        let class_factors = compatibility.class_factors(self.layout);
        self.kernels.push(Kernel { filter, compatibility, class_factors });
        Ok(self)
    }

    /// Mean field: marginal probabilities after some iterations, 5 to 10 as a rule; after 0 the softmax of the unary.
    pub fn infer(&self, unary: &Unary, iterations: usize) -> Result<Posterior, Error> {
        self.infer_with(unary, &MeanField::iterations(iterations))
    }

    /// As [`DenseCrf::infer`], with a stop when nothing changes any more, or the divergence of every iteration.
    pub fn infer_with(&self, unary: &Unary, settings: &MeanField) -> Result<Posterior, Error> {
        unary.check(self.classes(), self.shape.pixels())?;
        Ok(mean_field::infer(self, unary, settings))
    }

    /// Gradients of a loss of what [`DenseCrf::infer`] returns with respect to the unary and to every kernel's weights,
    /// given its gradient with respect to the probabilities.
    ///
    /// # Shapes
    ///
    /// `probabilities` is (classes, pixels).
    pub fn gradient(
        &self,
        unary: &Unary,
        iterations: usize,
        probabilities: &[f32],
    ) -> Result<Gradient, Error> {
        let (classes, pixels) = (self.classes(), self.shape.pixels());
        unary.check(classes, pixels)?;
        let (what, formula) = ("gradient of the probabilities", "classes × width × height × depth");
        crate::error::check_length(what, formula, classes * pixels, probabilities.len())?;
        check_finite(what, probabilities)?;
        Ok(gradient::backward(self, unary, iterations, probabilities))
    }

    /// Replaces the compatibility of kernel `index`, in the order of their adding; the lattices stay. For training.
    pub fn set_compatibility(&mut self, index: usize, compatibility: Compatibility) -> Result<(), Error> {
        compatibility.check(self.layout.classes)?;
        let kernels = self.kernels.len();
        let kernel = self.kernels.get_mut(index).ok_or(Error::Kernel { index, kernels })?;
        kernel.class_factors = compatibility.class_factors(self.layout);
        kernel.compatibility = compatibility;
        Ok(())
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.layout.classes
    }

    /// The size of the image or volume.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}
