//! Texture maps: where skin is darker than its surroundings.
//!
//! T = (1 − I / (1 + G(I))) · 255, where I is the gray picture at 0..=255 and G a Gaussian of 21 x 21 pixels with a
//! deviation of 5 pixels. Wrinkles and pores, darker than what lies around them, become bright lines and spots on black.
//! The weak labels of FFHQ-Wrinkle are made from it (arXiv 2408.10060).

use candle_core::{DType, Device, Result, Tensor};
use image::{GrayImage, RgbImage};
use rayon::prelude::*;

/// Taps to either side of the middle one.
const REACH: usize = 10;
/// Deviation of the Gaussian in pixels.
const DEVIATION: f64 = 5.0;

/// The texture map of a picture, 0..=255.
///
/// All steps are computed in f32 and rounded once. Gray is ITU-R BT.601 luma. Beyond its border the picture is mirrored
/// without repeating the outermost pixel, which is OpenCV's default border (reflect 101: `dcb|abcd|cba`). OpenCV rounds
/// gray and blurred values of 8-bit pictures to whole numbers in between, and so differs by some units.
#[must_use]
pub fn texture_map(image: &RgbImage) -> GrayImage {
    let gray: Vec<f32> = image.pixels().map(|pixel| luma(pixel.0.map(f32::from))).collect();
    let map = texture(&gray, image.width() as usize);
    let values = map.into_iter().map(|value| (value + 0.5) as u8).collect();
    GrayImage::from_raw(image.width(), image.height(), values).unwrap_or_default()
}

/// Appends the texture map of each picture as a fourth channel; it carries no gradient.
///
/// # Shapes
/// (N, 3, H, W), red, green, blue, 0..=1, gives (N, 4, H, W), f32, 0..=1, on the same device. The map differs from
/// [`texture_map`] only in that it is not rounded to 1/255.
///
/// # Errors
/// Another number of channels or axes, or a device that fails.
pub fn with_texture(image: &Tensor) -> Result<Tensor> {
    let (pictures, 3, height, width) = image.dims4()? else {
        candle_core::bail!("a texture map needs (N, 3, H, W), found {:?}", image.dims())
    };
    let image = image.detach().to_dtype(DType::F32)?;
    let values = image.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    let area = height * width;
    let mut maps = Vec::with_capacity(pictures * area);
    for planes in values.chunks_exact((3 * area).max(1)) {
        let at = |pixel: usize| luma([0, 1, 2].map(|plane| 255.0 * planes[plane * area + pixel]));
        let gray: Vec<f32> = (0..area).map(at).collect();
        maps.extend(texture(&gray, width).into_iter().map(|value| value / 255.0));
    }
    let maps = Tensor::from_vec(maps, (pictures, 1, height, width), &Device::Cpu)?;
    Tensor::cat(&[&image, &maps.to_device(image.device())?], 1)
}

/// Luma of red, green, blue (ITU-R BT.601).
fn luma([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// The texture of rows of gray at 0..=255.
fn texture(gray: &[f32], width: usize) -> Vec<f32> {
    let mut map = blur(gray, width);
    map.par_iter_mut().zip(gray).for_each(|(value, gray)| {
        *value = ((1.0 - gray / (1.0 + *value)) * 255.0).clamp(0.0, 255.0);
    });
    map
}

/// The Gaussian of every pixel: along the rows, then along the columns.
fn blur(gray: &[f32], width: usize) -> Vec<f32> {
    let width = width.max(1);
    let (taps, height) = (taps(), gray.len() / width);
    let mut across = vec![0.0; gray.len()];
    across.par_chunks_exact_mut(width).zip(gray.par_chunks_exact(width)).for_each(|(out, row)| {
        let padded: Vec<f32> = (0..width + 2 * REACH).map(|at| row[mirrored(at, width)]).collect();
        for (tap, weight) in taps.iter().enumerate() {
            add(out, &padded[tap..tap + width], *weight);
        }
    });
    let mut blurred = vec![0.0; gray.len()];
    blurred.par_chunks_exact_mut(width).enumerate().for_each(|(y, out)| {
        for (tap, weight) in taps.iter().enumerate() {
            add(out, &across[mirrored(y + tap, height) * width..][..width], *weight);
        }
    });
    blurred
}

fn add(out: &mut [f32], row: &[f32], weight: f32) {
    out.iter_mut().zip(row).for_each(|(out, value)| *out += weight * value);
}

/// Weights of the Gaussian, which sum to 1 (OpenCV's `getGaussianKernel(21, 5)`).
fn taps() -> [f32; 2 * REACH + 1] {
    let bell = |tap: usize| (-(tap as f64 - REACH as f64).powi(2) / (2.0 * DEVIATION * DEVIATION)).exp();
    let sum: f64 = (0..=2 * REACH).map(bell).sum();
    std::array::from_fn(|tap| (bell(tap) / sum) as f32)
}

/// The pixel shown at a place of a side that is extended by [`REACH`] at both ends; a short side is mirrored again.
fn mirrored(at: usize, side: usize) -> usize {
    let period = 2 * (side - 1).max(1);
    // Enough periods to stay above 0, whatever the side.
    let at = (at + period * REACH - REACH) % period;
    if side == 1 { 0 } else { at.min(period - at) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_tensor;
    use image::Rgb;
    use proptest::prelude::*;

    fn noise(width: u32, height: u32, seed: u32) -> RgbImage {
        let value = |x: u32, y: u32, c: u32| {
            ((x * 7919 + y * 104_729 + c * 31 + seed).wrapping_mul(2_654_435_761) >> 24) as u8
        };
        RgbImage::from_fn(width, height, |x, y| Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]))
    }

    /// The formula at one pixel, with both sums written out in f64.
    fn plain(image: &RgbImage, x: i64, y: i64) -> f64 {
        let reflect = |at: i64, side: i64| {
            let mut at = at;
            while side > 1 && !(0..side).contains(&at) {
                at = if at < 0 { -at } else { 2 * (side - 1) - at };
            }
            if side == 1 { 0 } else { at as u32 }
        };
        let gray = |x: i64, y: i64| {
            let at = (reflect(x, image.width().into()), reflect(y, image.height().into()));
            let [r, g, b] = image.get_pixel(at.0, at.1).0.map(f64::from);
            0.299 * r + 0.587 * g + 0.114 * b
        };
        let (mut sum, mut weights) = (0.0, 0.0);
        for (dx, dy) in (-10..=10).flat_map(|dx| (-10..=10).map(move |dy| (dx, dy))) {
            let weight = (-((dx * dx + dy * dy) as f64) / 50.0).exp();
            sum += weight * gray(x + dx, y + dy);
            weights += weight;
        }
        ((1.0 - gray(x, y) / (1.0 + sum / weights)) * 255.0).clamp(0.0, 255.0)
    }

    #[test]
    fn a_dark_line_is_bright_and_plain_skin_is_black() {
        let dark = |x: u32, y: u32| Rgb([if x == 20 && y > 5 { 90 } else { 180 }; 3]);
        let map = texture_map(&RgbImage::from_fn(41, 41, dark));
        assert!(map.get_pixel(20, 30)[0] > 110, "{:?}", map.get_pixel(20, 30));
        assert_eq!((map.get_pixel(0, 0)[0], map.get_pixel(40, 40)[0]), (1, 1), "1 - 180 / 181, times 255");
        assert_eq!(texture_map(&RgbImage::new(0, 0)).len(), 0);
    }

    #[test]
    fn white_and_black_stay_in_range() {
        let checks = RgbImage::from_fn(30, 30, |x, y| Rgb([255 * ((x + y) % 2) as u8; 3]));
        let map = texture_map(&checks);
        assert_eq!((map.get_pixel(10, 10)[0], map.get_pixel(11, 10)[0]), (255, 0));
    }

    #[test]
    fn a_batch_gets_the_map_of_each_picture() {
        let images = [noise(33, 24, 1), noise(33, 24, 2)];
        let batch = image_tensor(&images, &Device::Cpu).unwrap();
        let four = with_texture(&batch).unwrap();
        assert_eq!(four.dims(), [2, 4, 24, 33]);
        let colours = four.narrow(1, 0, 3).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(colours, batch.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        let maps = four.narrow(1, 3, 1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let want = images.iter().flat_map(|image| texture_map(image).into_raw());
        assert!(maps.iter().zip(want).all(|(is, want)| (255.0 * is - f32::from(want)).abs() < 0.51));
        assert!(with_texture(&four).unwrap_err().to_string().contains("needs (N, 3, H, W)"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_fast_map_is_the_formula(width in 1u32..40, height in 1u32..40, seed in 0u32..1000, x in 0u32..40, y in 0u32..40) {
            let image = noise(width, height, seed);
            let (x, y) = (x % width, y % height);
            let (fast, plain) = (texture_map(&image).get_pixel(x, y)[0], plain(&image, x.into(), y.into()));
            prop_assert!((f64::from(fast) - plain).abs() < 0.51, "{fast} is not {plain} at {x}, {y}");
        }
    }
}
