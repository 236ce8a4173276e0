//! The dense CRF of a photograph, on the processor or on a GPU.

use candle_core::Device;
use sconce_crf::Compatibility::Potts;
#[cfg(feature = "cuda")]
use sconce_crf::CudaCrf;
use sconce_crf::{Bilateral, DenseCrf, Error, Gaussian, Posterior, Shape, Unary};

/// What draws pixels to the same class, and with what weight.
pub(crate) struct Kernels {
    /// Near pixels.
    pub(crate) gaussian: (Gaussian, f32),
    /// Near pixels of the same colour.
    pub(crate) bilateral: (Bilateral, f32),
}

impl Kernels {
    /// Mean field over the classes of an image, whose size in pixels is (width, height); `rgb` is the 8-bit one of its file.
    pub(crate) fn infer(
        &self,
        (width, height): (usize, usize),
        classes: usize,
        rgb: &[u8],
        unary: &Unary,
        iterations: usize,
        device: &Device,
    ) -> Result<Posterior, Error> {
        let shape = Shape::image(width, height);
        let (gaussian, near) = &self.gaussian;
        let (bilateral, alike) = &self.bilateral;
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(card) => CudaCrf::new(shape, classes, card)?
                .gaussian(gaussian, Potts(*near))?
                .bilateral(rgb, bilateral, Potts(*alike))?
                .infer(unary, iterations),
            _ => DenseCrf::new(shape, classes)?
                .gaussian(gaussian, Potts(*near))?
                .bilateral(rgb, bilateral, Potts(*alike))?
                .infer(unary, iterations),
        }
    }
}
