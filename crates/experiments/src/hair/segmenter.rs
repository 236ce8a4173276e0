//! A trained network that finds hair in a picture of any size.

use std::path::PathBuf;

use anyhow::Result;
use candle_core::{Device, Tensor};
use candle_nn::ops::sigmoid;
use image::{RgbImage, imageops};
use sconce_data::{image_tensor, resize_image};
use sconce_runs::{Run, Which};
use sconce_tensors::{Corners, resize_bilinear};

use super::Config;
use super::network::Network;

/// The network sees sides that are multiples of this, as in the published evaluation: its backbone halves them five times.
const MULTIPLE: u32 = 32;

pub(super) struct Segmenter {
    network: Network,
    /// Rows and columns that a whole picture is stretched to, if the network was trained on such; without it a picture is seen as it is.
    stretched: Option<(usize, usize)>,
    device: Device,
    /// The file of its weights.
    pub(super) path: PathBuf,
}

impl Segmenter {
    /// The checkpoint that `which` names; the best one if it names none.
    pub(super) fn load(config: &Config, run: &Run, which: Option<&Which>) -> Result<Self> {
        let loaded = run.checkpoints().load_part(which.unwrap_or(&Which::Best), "model.", &config.device)?;
        if let Some(warning) = &loaded.warning {
            eprintln!("warning: {warning}; using {}", loaded.path.display());
        }
        let network = Network::for_inference(&config.model, loaded.checkpoint.part("model."), &config.device)
            .map_err(|error| loaded.foreign(format!("its weights do not fit the config: {error}")))?;
        Ok(Self::new(config, network, loaded.path))
    }

    /// `path` tells where the weights are. Without `[augment.crop]` a network learns from whole pictures at `augment.size`, and so it
    /// sees them here.
    pub(super) fn new(config: &Config, network: Network, path: PathBuf) -> Self {
        let [rows, columns] = config.augment.size;
        let stretched = config.augment.crop.is_none().then_some((rows, columns));
        Self { network, stretched, device: config.device.clone(), path }
    }

    /// The logits of a picture, (1, 1, H, W) at its own size.
    pub(super) fn logits(&self, image: &RgbImage) -> Result<Tensor> {
        match self.stretched {
            None => self.logits_in_a_frame(image),
            Some(size) => {
                let (width, height) = image.dimensions();
                let logits = self.logits_in_a_frame(&resize_image(image, size)?)?;
                Ok(resize_bilinear(&logits, (height as usize, width as usize), Corners::HalfPixel)?)
            }
        }
    }

    /// The picture lies in the middle of the black frame that fills its sides up, and what is said of the frame is cut off.
    fn logits_in_a_frame(&self, image: &RgbImage) -> Result<Tensor> {
        let (width, height) = image.dimensions();
        let (framed, (left, top)) = framed(image);
        let input = image_tensor([&framed], &self.device)?;
        drop(framed);
        let logits = self.network.forward_t(&input, false)?;
        let logits =
            logits.narrow(2, top as usize, height as usize)?.narrow(3, left as usize, width as usize)?;
        Ok(logits.contiguous()?)
    }

    /// The probability of hair at every pixel, 0..=1, row after row.
    pub(super) fn probabilities(&self, image: &RgbImage) -> Result<Vec<f32>> {
        probabilities(&self.logits(image)?)
    }
}

/// Of logits (1, 1, H, W), row after row.
pub(super) fn probabilities(logits: &Tensor) -> Result<Vec<f32>> {
    Ok(sigmoid(logits)?.flatten_all()?.to_vec1()?)
}

/// The picture in a black frame that makes both sides a multiple of [`MULTIPLE`], and its left and upper edge in it.
fn framed(image: &RgbImage) -> (RgbImage, (u32, u32)) {
    let (width, height) = image.dimensions();
    let full = |side: u32| side.max(1).next_multiple_of(MULTIPLE);
    let mut framed = RgbImage::new(full(width), full(height));
    let (left, top) = ((framed.width() - width) / 2, (framed.height() - height) / 2);
    imageops::replace(&mut framed, image, left.into(), top.into());
    (framed, (left, top))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_picture_lies_in_the_middle_of_its_frame() {
        let image = RgbImage::from_pixel(33, 64, Rgb([9; 3]));
        let (framed, corner) = framed(&image);
        assert_eq!((framed.dimensions(), corner), ((64, 64), (15, 0)));
        let inside = |x: u32| (15..48).contains(&x);
        assert!(framed.enumerate_pixels().all(|(x, _, pixel)| (pixel.0 == [9; 3]) == inside(x)));
        assert_eq!(super::framed(&RgbImage::new(1, 32)).0.dimensions(), (32, 32));
    }
}
