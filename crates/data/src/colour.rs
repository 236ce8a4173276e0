//! Changes of a picture's colours.

use image::RgbImage;

/// One change of a picture: three factors and a turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Jitter {
    /// Multiplies all values.
    pub(crate) brightness: f32,
    /// Stretches values about the picture's mean gray.
    pub(crate) contrast: f32,
    /// Stretches values about each pixel's own gray; 0 makes the picture gray.
    pub(crate) saturation: f32,
    /// Turns every hue by this share of the colour circle; red becomes green at 1/3.
    pub(crate) hue: f32,
}

impl Jitter {
    /// Leaves the picture as it is.
    pub(crate) const NONE: Self = Self { brightness: 1.0, contrast: 1.0, saturation: 1.0, hue: 0.0 };

    /// Applies brightness, contrast, saturation and hue in this order and rounds once.
    pub(crate) fn apply(self, image: &mut RgbImage) {
        if self == Self::NONE || image.is_empty() {
            return;
        }
        let total: f64 = image.pixels().map(|p| f64::from(gray(p.0.map(f32::from)))).sum();
        let mean = (total / f64::from(image.width()) / f64::from(image.height())) as f32 * self.brightness;
        let (gain, offset) = (self.brightness * self.contrast, mean * (1.0 - self.contrast));
        for pixel in image.pixels_mut() {
            let colour = pixel.0.map(|value| f32::from(value) * gain + offset);
            let gray = gray(colour);
            let mut colour = colour.map(|value| gray + (value - gray) * self.saturation);
            if self.hue != 0.0 {
                colour = turned(colour.map(|value| value.clamp(0.0, 255.0)), self.hue);
            }
            // A float cast saturates at 0 and 255.
            pixel.0 = colour.map(|value| (value + 0.5) as u8);
        }
    }
}

/// Luma of red, green, blue (ITU-R BT.601).
fn gray([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// A colour whose hue is turned by a share of the circle; its greatest and least channel value stay (HSV).
fn turned([red, green, blue]: [f32; 3], turn: f32) -> [f32; 3] {
    let most = red.max(green).max(blue);
    let range = most - red.min(green).min(blue);
    if range <= 0.0 {
        return [red, green, blue];
    }
    let sextant = if most == red {
        (green - blue) / range
    } else if most == green {
        2.0 + (blue - red) / range
    } else {
        4.0 + (red - green) / range
    };
    [5.0, 3.0, 1.0].map(|channel| {
        let place = (channel + sextant + 6.0 * turn).rem_euclid(6.0);
        most - range * place.min(4.0 - place).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pixels: &[u8], brightness: f32, contrast: f32, saturation: f32) -> Vec<u8> {
        let mut image = RgbImage::from_raw(pixels.len() as u32 / 3, 1, pixels.to_vec()).unwrap();
        Jitter { brightness, contrast, saturation, hue: 0.0 }.apply(&mut image);
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

    #[test]
    fn hues_turn_about_the_circle_and_gray_has_none() {
        let turned = |pixel: [u8; 3], hue| {
            let mut image = RgbImage::from_pixel(1, 1, image::Rgb(pixel));
            Jitter { hue, ..Jitter::NONE }.apply(&mut image);
            image.into_raw()
        };
        assert_eq!(turned([200, 20, 20], 1.0 / 3.0), [20, 200, 20]);
        assert_eq!(turned([200, 20, 20], -1.0 / 3.0), [20, 20, 200]);
        assert_eq!(turned([200, 20, 20], 0.5), [20, 200, 200]);
        assert_eq!(turned([10, 160, 60], 1.0 / 6.0), [10, 110, 160]);
        assert_eq!(turned([90, 90, 90], 0.3), [90, 90, 90]);
    }
}
