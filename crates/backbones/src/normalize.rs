//! The colour statistics that the published backbones were trained with.

use candle_core::{Result, Tensor};

/// Mean of ImageNet's red, green and blue, each in 0..=1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of ImageNet's red, green and blue, each in 0..=1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The network's input: each colour of `image` less [`IMAGENET_MEAN`], divided by [`IMAGENET_STD`].
///
/// # Shapes
///
/// `image` (N, 3, H, W), RGB in 0..=1, to the same shape.
///
/// # Errors
///
/// When `image` has not four dimensions or not three channels.
pub fn normalize(image: &Tensor) -> Result<Tensor> {
    let (_, channels, _, _) = image.dims4()?;
    if channels != 3 {
        candle_core::bail!(
            "normalize: the image has {channels} channels, expected 3 (RGB): {:?}",
            image.shape()
        );
    }
    let colour = |values: &[f32; 3]| Tensor::from_slice(values, (1, 3, 1, 1), image.device());
    image.broadcast_sub(&colour(&IMAGENET_MEAN)?)?.broadcast_div(&colour(&IMAGENET_STD)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn the_mean_colour_becomes_zero_and_one_deviation_more_becomes_one() -> Result<()> {
        let above: Vec<f32> = IMAGENET_MEAN.iter().zip(IMAGENET_STD).map(|(mean, std)| mean + std).collect();
        let pixels = [IMAGENET_MEAN.as_slice(), &above].concat();
        let image = Tensor::from_vec(pixels, (2, 3, 1, 1), &Device::Cpu)?;
        let got = normalize(&image)?.flatten_all()?.to_vec1::<f32>()?;
        for (value, want) in got.iter().zip([0., 0., 0., 1., 1., 1.]) {
            assert!((value - want).abs() < 1e-6, "{got:?}");
        }
        Ok(())
    }

    #[test]
    fn a_grey_image_is_refused() -> Result<()> {
        let grey = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
        assert!(normalize(&grey).unwrap_err().to_string().contains("1 channels"));
        Ok(())
    }
}
