//! From vertices back to pixels.

use candle_core::{Result, Tensor};
use sconce_tensors::reproject_from_vertices;

/// The features plus what the vertices tell each pixel: x + Hᵀ·P.
///
/// # Shapes
///
/// `features` (N, D, H, W), `vertices` H (N, V, D), `projection` P (N, V, H·W), to the features' shape.
///
/// # Errors
///
/// When the shapes do not fit.
pub fn reproject_to_pixels(features: &Tensor, vertices: &Tensor, projection: &Tensor) -> Result<Tensor> {
    reproject_from_vertices(&features.flatten_from(2)?, vertices, projection)?.reshape(features.shape())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::testing::{assert_close, check_gradient, hashed_signed};

    #[test]
    fn a_pixel_hears_the_vertices_it_projects_on() -> Result<()> {
        let x = hashed_signed("x", (1, 3, 1, 2), 1.);
        let vertices = Tensor::new(&[[[1f32, 2., 3.], [10., 20., 30.]]], &Device::Cpu)?;
        let projection = Tensor::new(&[[[1f32, 0.], [0., 0.5]]], &Device::Cpu)?;
        let told = Tensor::new(&[[[[1f32, 5.]], [[2., 10.]], [[3., 15.]]]], &Device::Cpu)?;
        assert_close(&reproject_to_pixels(&x, &vertices, &projection)?, &(x + told)?, "pixels");
        Ok(())
    }

    #[test]
    fn gradients_are_those_of_finite_differences() -> Result<()> {
        let inputs = [
            hashed_signed("x", (2, 3, 2, 4), 1.),
            hashed_signed("h", (2, 5, 3), 1.),
            hashed_signed("p", (2, 5, 8), 1.),
        ];
        check_gradient(|x| reproject_to_pixels(&x[0], &x[1], &x[2]), &inputs, 1)
    }
}
