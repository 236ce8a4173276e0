//! Changes of a picture's colours.

use image::RgbImage;

/// Factors of one change; all 1 leaves the picture as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Jitter {
    /// Multiplies all values.
    pub(crate) brightness: f32,
    /// Stretches values about the picture's mean gray.
    pub(crate) contrast: f32,
    /// Stretches values about each pixel's own gray; 0 makes the picture gray.
    pub(crate) saturation: f32,
}

impl Jitter {
    /// Applies brightness, contrast and saturation in this order and rounds once.
    pub(crate) fn apply(self, image: &mut RgbImage) {
        if self == (Self { brightness: 1.0, contrast: 1.0, saturation: 1.0 }) || image.is_empty() {
            return;
        }
        let total: f64 = image.pixels().map(|p| f64::from(gray(p.0.map(f32::from)))).sum();
        let mean = (total / f64::from(image.width()) / f64::from(image.height())) as f32 * self.brightness;
        let (gain, offset) = (self.brightness * self.contrast, mean * (1.0 - self.contrast));
        for pixel in image.pixels_mut() {
            let colour = pixel.0.map(|value| f32::from(value) * gain + offset);
            let gray = gray(colour);
            // A float cast saturates at 0 and 255.
            pixel.0 = colour.map(|value| (gray + (value - gray) * self.saturation + 0.5) as u8);
        }
    }
}

/// Luma of red, green, blue (ITU-R BT.601).
fn gray([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pixels: &[u8], brightness: f32, contrast: f32, saturation: f32) -> Vec<u8> {
        let mut image = RgbImage::from_raw(pixels.len() as u32 / 3, 1, pixels.to_vec()).unwrap();
        Jitter { brightness, contrast, saturation }.apply(&mut image);
        image.into_raw()
    }

    #[test]
    fn each_factor_does_what_it_says() {
        let pixels = [100, 100, 100, 200, 200, 200];
        assert_eq!(changed(&pixels, 1.0, 1.0, 1.0), pixels);
        assert_eq!(changed(&pixels, 0.5, 1.0, 1.0), [50, 50, 50, 100, 100, 100]);
        assert_eq!(changed(&pixels, 1.0, 0.5, 1.0), [125, 125, 125, 175, 175, 175]);
        assert_eq!(changed(&pixels, 2.0, 1.0, 1.0), [200, 200, 200, 255, 255, 255]);
        assert_eq!(changed(&[255, 0, 0], 1.0, 1.0, 0.0), [76, 76, 76]);
        assert_eq!(changed(&[100, 50, 50], 1.0, 1.0, 2.0), [135, 35, 35]);
    }
}
