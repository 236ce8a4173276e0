//! The model on a device.

use sconce_kernels::Runtime;

use super::compatibility::Costs;
use super::filter::Filter;
use super::{gradient, mean_field};
use crate::error::{check_finite, check_length};
use crate::{
    Bilateral, Compatibility, Error, Features, Gaussian, Gradient, MeanField, Posterior, Shape, Unary,
};

/// A [`DenseCrf`](crate::DenseCrf) whose lattices lie in a device's memory and whose iterations run there: `CudaCrf` with the feature
/// `cuda`. Results differ from the processor's by rounding.
///
/// The device's work goes to one stream of the calling thread; results are on the processor.
pub struct DeviceCrf<R: Runtime> {
    pub(super) runtime: R,
    pub(super) shape: Shape,
    pub(super) classes: usize,
    pub(super) kernels: Vec<Kernel<R>>,
}

/// A Gaussian filter and what its messages cost.
pub(super) struct Kernel<R: Runtime> {
    pub(super) filter: Filter<R>,
    pub(super) costs: Costs<R>,
}

impl<R: Runtime> DeviceCrf<R> {
    /// A CRF without kernels on a device; 1 to 256 classes.
    pub fn with_runtime(shape: Shape, classes: usize, runtime: R) -> Result<Self, Error> {
        shape.check()?;
        if !(1..=256).contains(&classes) {
            return Err(Error::Classes(classes));
        }
        Ok(Self { runtime, shape, classes, kernels: Vec::new() })
    }

    /// As [`DenseCrf::gaussian`](crate::DenseCrf::gaussian).
    pub fn gaussian(self, gaussian: &Gaussian, compatibility: Compatibility) -> Result<Self, Error> {
        let features = Features::positions(self.shape)?;
        self.kernel(&features, gaussian, compatibility)
    }

    /// As [`DenseCrf::bilateral`](crate::DenseCrf::bilateral).
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

    /// As [`DenseCrf::kernel`](crate::DenseCrf::kernel).
    pub fn kernel(
        mut self,
        features: &Features,
        gaussian: &Gaussian,
        compatibility: Compatibility,
    ) -> Result<Self, Error> {
        compatibility.check(self.classes)?;
        check_length("features", "width × height × depth", self.shape.pixels(), features.pixels())?;
        let whitened = gaussian.covariance.whiten(features)?;
        let filter = Filter::new(&self.runtime, &whitened, gaussian.normalisation)?;
        let costs = Costs::new(&self.runtime, compatibility, self.classes)?;
        self.kernels.push(Kernel { filter, costs });
        Ok(self)
    }

    /// As [`DenseCrf::infer`](crate::DenseCrf::infer).
    pub fn infer(&self, unary: &Unary, iterations: usize) -> Result<Posterior, Error> {
        self.infer_with(unary, &MeanField::iterations(iterations))
    }

    /// As [`DenseCrf::infer_with`](crate::DenseCrf::infer_with). A stop or divergences make the processor wait for every iteration.
    pub fn infer_with(&self, unary: &Unary, settings: &MeanField) -> Result<Posterior, Error> {
        unary.check(self.classes, self.shape.pixels())?;
        Ok(mean_field::infer(self, unary, settings)?)
    }

    /// As [`DenseCrf::gradient`](crate::DenseCrf::gradient).
    pub fn gradient(
        &self,
        unary: &Unary,
        iterations: usize,
        probabilities: &[f32],
    ) -> Result<Gradient, Error> {
        unary.check(self.classes, self.shape.pixels())?;
        let (what, formula) = ("gradient of the probabilities", "classes × width × height × depth");
        check_length(what, formula, self.classes * self.shape.pixels(), probabilities.len())?;
        check_finite(what, probabilities)?;
        Ok(gradient::backward(self, unary, iterations, probabilities)?)
    }

    /// As [`DenseCrf::set_compatibility`](crate::DenseCrf::set_compatibility).
    pub fn set_compatibility(&mut self, index: usize, compatibility: Compatibility) -> Result<(), Error> {
        compatibility.check(self.classes)?;
        let kernels = self.kernels.len();
        let kernel = self.kernels.get_mut(index).ok_or(Error::Kernel { index, kernels })?;
        kernel.costs = Costs::new(&self.runtime, compatibility, self.classes)?;
        Ok(())
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The size of the image or volume.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}
