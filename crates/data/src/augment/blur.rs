//! A random blur.

use image::{RgbImage, imageops};
use rand::Rng;
use serde::Deserialize;

use super::within;
use crate::error::Error;

/// A Gaussian blur of the image: `[augment.blur]`. PSPNet's training blurs half of its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Blur {
    /// Probability of a blur.
    pub probability: f64,
    /// Least and greatest standard deviation in pixels of the output, above 0 and at most 16; drawn evenly.
    pub deviation: [f64; 2],
}

impl Blur {
    pub(super) fn check(&self) -> Result<(), Error> {
        within("augment.blur.probability", self.probability, 1.0)?;
        let [least, most] = self.deviation;
        if least > 0.0 && least <= most && most <= 16.0 {
            return Ok(());
        }
        let reason = format!(
            "[{least}, {most}] must be two deviations above 0 and at most 16 pixels, the smaller one first"
        );
        Err(Error::Config { key: "augment.blur.deviation", reason })
    }

    /// A standard deviation in pixels of the output, 0 for none.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        let [least, most] = self.deviation;
        let (blurs, share) = (rng.random_bool(self.probability), rng.random::<f64>());
        if blurs { least + (most - least) * share } else { 0.0 }
    }
}

/// Blurs by a standard deviation in pixels of this image. Beyond its border its outermost pixels go on, so that nothing
/// from there comes in.
pub(super) fn blurred(image: RgbImage, deviation: f64) -> RgbImage {
    if deviation <= 0.0 || image.is_empty() { image } else { imageops::blur(&image, deviation as f32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_point_spreads_by_the_deviation() {
        let mut image = RgbImage::new(41, 41);
        image.put_pixel(20, 20, Rgb([255; 3]));
        image.put_pixel(20, 21, Rgb([255; 3]));
        let blurred = blurred(image.clone(), 1.5);
        let weight = |x: u32| (0..41).map(|y| f64::from(blurred.get_pixel(x, y)[0])).sum::<f64>();
        let total: f64 = (0..41).map(weight).sum();
        let variance: f64 = (0..41).map(|x| weight(x) * (f64::from(x) - 20.0).powi(2)).sum::<f64>() / total;
        assert!((total - 510.0).abs() < 40.0 && (variance - 2.25).abs() < 0.4, "{total} {variance}");
        assert_eq!(super::blurred(image.clone(), 0.0), image);
    }

    #[test]
    fn an_even_picture_stays_even_up_to_its_border() {
        let even = RgbImage::from_pixel(12, 9, Rgb([90, 120, 200]));
        assert_eq!(blurred(even.clone(), 3.0), even);
    }
}
