//! A preview of hair in another colour.
//!
//! Lightness stays as it is at every pixel, and with it strands, shadow and shine; hue and chroma become those of the new colour as far as
//! the pixel is hair. Shaded, a colour loses chroma in proportion to its lightness; shining, it fades into the white of the light.
//!
//! Lightness, hue and chroma are those of Oklab (B. Ottosson 2020, "A perceptual color space for image processing"), so a change of hue
//! changes no pixel's brightness to the eye.

use anyhow::{Result, bail};
use image::{Rgb, RgbImage};
use rayon::prelude::*;

/// Probabilities below this leave the pixel untouched.
const LEAST: f32 = 0.02;

/// The picture with its hair in the colour; `map` holds the probability of hair of every pixel.
///
/// # Errors
///
/// A map of another size.
pub(super) fn recolour(image: &RgbImage, map: &[f32], colour: [u8; 3]) -> Result<RgbImage> {
    let (width, height) = image.dimensions();
    if map.len() != width as usize * height as usize {
        bail!("a map of {} probabilities for {width} x {height} pixels", map.len());
    }
    let linear = linear_values();
    let dye = Oklab::of(colour.map(|value| linear[usize::from(value)]));
    let mut recoloured = image.clone();
    recoloured.par_chunks_exact_mut(3).zip(map).filter(|(_, hair)| **hair > LEAST).for_each(
        |(pixel, hair)| {
            let before = Oklab::of([0, 1, 2].map(|channel| linear[usize::from(pixel[channel])]));
            let after = before.towards(before.dyed(dye), *hair);
            pixel.copy_from_slice(&after.in_gamut().0);
        },
    );
    Ok(recoloured)
}

/// Lightness, 0..=1, and the two axes from green to red and from blue to yellow.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Oklab {
    lightness: f32,
    red: f32,
    yellow: f32,
}

impl Oklab {
    /// Of linear light in sRGB's primaries, 0..=1.
    fn of([red, green, blue]: [f32; 3]) -> Self {
        let [l, m, s] = [
            0.412_221_46 * red + 0.536_332_55 * green + 0.051_445_995 * blue,
            0.211_903_5 * red + 0.680_699_5 * green + 0.107_396_96 * blue,
            0.088_302_46 * red + 0.281_718_85 * green + 0.629_978_7 * blue,
        ]
        .map(f32::cbrt);
        Self {
            lightness: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            red: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            yellow: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }

    fn linear(self) -> [f32; 3] {
        let Self { lightness, red, yellow } = self;
        let [l, m, s] = [
            lightness + 0.396_337_78 * red + 0.215_803_76 * yellow,
            lightness - 0.105_561_346 * red - 0.063_854_17 * yellow,
            lightness - 0.089_484_18 * red - 1.291_485_5 * yellow,
        ]
        .map(|root| root * root * root);
        [
            4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
            -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
            -0.004_196_086 * l - 0.703_418_6 * m + 1.707_614_7 * s,
        ]
    }

    /// The dye's hue at this lightness.
    fn dyed(self, dye: Self) -> Self {
        let shaded = self.lightness / dye.lightness.max(1e-3);
        let shining = (1.0 - self.lightness) / (1.0 - dye.lightness).max(1e-3);
        let share = shaded.min(shining).clamp(0.0, 1.0);
        Self { red: share * dye.red, yellow: share * dye.yellow, ..self }
    }

    /// A share of the way to another colour.
    fn towards(self, other: Self, share: f32) -> Self {
        let between = |from: f32, to: f32| from + share * (to - from);
        Self {
            lightness: between(self.lightness, other.lightness),
            red: between(self.red, other.red),
            yellow: between(self.yellow, other.yellow),
        }
    }

    /// As a pixel: with as much of its chroma as a pixel of this lightness and hue can have.
    fn in_gamut(self) -> Rgb<u8> {
        const SLACK: f32 = 1e-3;
        let fits = |colour: Self| colour.linear().iter().all(|value| (-SLACK..=1.0 + SLACK).contains(value));
        let with = |share: f32| Self { red: share * self.red, yellow: share * self.yellow, ..self };
        let (mut share, mut step) = (1.0, 0.5);
        if !fits(self) {
            share = 0.0;
            while step > 1.0 / 128.0 {
                if fits(with(share + step)) {
                    share += step;
                }
                step /= 2.0;
            }
        }
        Rgb(with(share).linear().map(encoded))
    }
}

/// Linear light of each stored value (IEC 61966-2-1).
fn linear_values() -> [f32; 256] {
    std::array::from_fn(|value| {
        let value = value as f32 / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

fn encoded(linear: f32) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let value = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (255.0 * value + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIOLET: [u8; 3] = [0x8a, 0x2b, 0xe2];

    fn lab(pixel: &Rgb<u8>) -> Oklab {
        let linear = linear_values();
        Oklab::of(pixel.0.map(|value| linear[usize::from(value)]))
    }

    /// Browns from black to white.
    fn strands() -> RgbImage {
        RgbImage::from_fn(64, 4, |x, y| {
            let value = (4 * x + y) as f32;
            Rgb([value, 0.8 * value, 0.6 * value].map(|v| v as u8))
        })
    }

    #[test]
    fn colours_survive_the_way_there_and_back() {
        for value in (0..=255u32).step_by(5).flat_map(|a| (0..=255).step_by(51).map(move |b| (a, b))) {
            let pixel = Rgb([value.0 as u8, value.1 as u8, 255 - value.0 as u8]);
            let back = lab(&pixel).in_gamut();
            assert!((0..3).all(|channel| back[channel].abs_diff(pixel[channel]) <= 1), "{pixel:?} {back:?}");
        }
    }

    #[test]
    fn lightness_stays_and_hue_becomes_the_dyes() {
        let image = strands();
        let violet = recolour(&image, &[1.0; 256], VIOLET).unwrap();
        let dye = lab(&Rgb(VIOLET));
        for (before, after) in image.pixels().zip(violet.pixels()) {
            let (before, after) = (lab(before), lab(after));
            // Near black a step of a stored value is a large step of lightness.
            let step = if before.lightness < 0.2 { 0.05 } else { 0.02 };
            assert!((before.lightness - after.lightness).abs() < step, "{before:?} {after:?}");
            let chroma = after.red.hypot(after.yellow);
            assert!(chroma <= dye.red.hypot(dye.yellow) + 0.02);
            if chroma > 0.1 {
                let turn = after.yellow.atan2(after.red) - dye.yellow.atan2(dye.red);
                assert!(turn.abs() < 0.15, "{turn}");
            }
        }
        let (black, white) = (violet.get_pixel(0, 0), lab(violet.get_pixel(63, 3)));
        assert_eq!(black.0, [0; 3]);
        assert!(white.red.hypot(white.yellow) < 0.12, "shine fades: {white:?}");
    }

    #[test]
    fn what_is_no_hair_stays_and_what_is_half_hair_is_half_way() {
        let image = strands();
        assert_eq!(recolour(&image, &[0.0; 256], VIOLET).unwrap(), image);
        let [half, whole] = [0.5, 1.0].map(|hair| recolour(&image, &[hair; 256], VIOLET).unwrap());
        let [from, middle, to] = [&image, &half, &whole].map(|image| lab(image.get_pixel(30, 2)).red);
        assert!((middle - (from + to) / 2.0).abs() < 0.01, "{from} {middle} {to}");
        assert!(recolour(&image, &[1.0; 255], VIOLET).unwrap_err().to_string().contains("255 probabilities"));
    }
}
