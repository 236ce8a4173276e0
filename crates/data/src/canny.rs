//! Edges of a picture rather than of its labels.

use image::{GrayImage, RgbImage};

use crate::error::Error;

/// Canny's edge detector with its two thresholds.
///
/// A picture is made gray and blurred (deviation 1.4 pixels); along its steepest slopes (Sobel) a line one pixel wide
/// remains where the slope reaches `high` somewhere on the line and `low` everywhere. Slopes are in gray levels
/// (0..=255) times the weights of the Sobel filter, at most about 1140.
///
/// Source: J. Canny, "A Computational Approach to Edge Detection", IEEE PAMI 1986.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canny {
    low: f32,
    high: f32,
}

impl Canny {
    /// A detector of lines whose slope is everywhere at least `low` and somewhere at least `high`.
    ///
    /// # Errors
    /// [`Error::Config`] unless 0 <= `low` <= `high`.
    pub fn new(low: f32, high: f32) -> Result<Self, Error> {
        if (0.0..=high).contains(&low) && high.is_finite() {
            return Ok(Self { low, high });
        }
        let reason = format!("{low} and {high}: they must be 0 or more, and the first at most the second");
        Err(Error::Config { key: "thresholds", reason })
    }

    /// 1 on the edges of a picture, 0 elsewhere.
    #[must_use]
    pub fn edges(&self, image: &RgbImage) -> GrayImage {
        if image.width() == 0 || image.height() == 0 {
            return GrayImage::new(image.width(), image.height());
        }
        let gray = image::imageops::grayscale(image);
        let mut edges = imageproc::edges::canny(&gray, self.low, self.high);
        edges.iter_mut().for_each(|value| *value = u8::from(*value != 0));
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_step_becomes_a_line_if_it_is_steep_enough() {
        let step =
            |height: u8| RgbImage::from_fn(20, 12, |x, _| Rgb([100 + if x < 10 { 0 } else { height }; 3]));
        let marked = |height| -> Vec<u32> {
            let edges = Canny::new(50.0, 100.0).unwrap().edges(&step(height));
            (0..20).filter(|x| edges.get_pixel(*x, 6)[0] == 1).collect()
        };
        let line = marked(120);
        assert!(!line.is_empty() && line.iter().all(|x| (8..=11).contains(x)), "{line:?}");
        assert!(marked(10).is_empty());
        for side in [0, 1, 2] {
            assert_eq!(Canny::new(1.0, 2.0).unwrap().edges(&RgbImage::new(side, side)).width(), side);
        }
    }

    #[test]
    fn thresholds_that_make_no_sense_are_refused() {
        for (low, high) in [(2.0, 1.0), (-1.0, 1.0), (f32::NAN, 1.0), (0.0, f32::INFINITY)] {
            assert!(
                Canny::new(low, high).unwrap_err().to_string().starts_with("thresholds: "),
                "{low} {high}"
            );
        }
    }
}
