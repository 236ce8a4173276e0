//! Dark lines by a filter: the baseline that a trained network must beat.

use image::RgbImage;

use crate::error::Error;

/// Largest scale, pixels: beyond it a line is an area.
const LARGEST: f32 = 64.0;

/// How strongly elongated structures are preferred to blobs (Frangi's β).
const BLOBNESS: f32 = 0.5;

/// Curvature at which a line counts as clear, as a share of full brightness (Frangi's c). It is a constant, not half of the
/// image's greatest as in the paper, so that one threshold means the same in every image.
const CLEAR: f32 = 0.04;

/// How much each pixel looks like part of a dark line, 0..=1, row by row: the vesselness of Frangi et al. 1998 ("Multiscale
/// vessel enhancement filtering", equation 15) in two dimensions.
///
/// At each scale, a standard deviation in pixels, the luminance is taken as seen through a Gaussian, and the eigenvalues
/// of its second derivatives times the scale's square tell how it bends: across a dark line it bends up, along it it does not
/// bend. A pixel takes the greatest answer of all scales. A line answers most to a scale near half of its width. Beyond
/// the border the outermost pixels repeat.
///
/// # Errors
/// [`Error::Config`] without scales, or with one that is not above 0 and at most 64 pixels.
///
/// ```
/// use image::{Rgb, RgbImage};
///
/// let skin = RgbImage::from_fn(32, 32, |x, _| Rgb([if (15..17).contains(&x) { 120 } else { 190 }; 3]));
/// let strength = sconce_data::ridge_strength(&skin, &[1.0, 2.0])?;
/// assert!(strength[16 * 32 + 15] > 0.8 && strength[16 * 32 + 4] < 0.01);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn ridge_strength(image: &RgbImage, scales: &[f32]) -> Result<Vec<f32>, Error> {
    let wrong = |scale: &&f32| !(**scale > 0.0 && **scale <= LARGEST);
    if let Some(scale) = scales.iter().find(wrong) {
        let reason = format!("{scale} pixels; a scale is above 0 and at most {LARGEST}");
        return Err(Error::Config { key: "scales", reason });
    }
    if scales.is_empty() {
        return Err(Error::Config { key: "scales", reason: "none; at least one is needed".into() });
    }
    let gray = Plane::luminance(image);
    let mut strongest = vec![0.0_f32; gray.values.len()];
    for &scale in scales {
        for (best, value) in strongest.iter_mut().zip(at_scale(&gray, scale)) {
            *best = best.max(value);
        }
    }
    Ok(strongest)
}

/// The answers at one scale.
fn at_scale(gray: &Plane, scale: f32) -> impl Iterator<Item = f32> {
    let [smooth, slope, bend] = kernels(scale);
    let (along_smooth, along_slope) = (gray.along_rows(&smooth), gray.along_rows(&slope));
    let xx = gray.along_rows(&bend).along_columns(&smooth);
    let (xy, yy) = (along_slope.along_columns(&slope), along_smooth.along_columns(&bend));
    let square = scale * scale;
    let second = xx.values.into_iter().zip(xy.values).zip(yy.values);
    second.map(move |((xx, xy), yy)| vesselness(square * xx, square * xy, square * yy))
}

/// Frangi's measure for dark lines from the scaled second derivatives.
fn vesselness(xx: f32, xy: f32, yy: f32) -> f32 {
    let (mean, half) = (0.5 * (xx + yy), (0.25 * (xx - yy) * (xx - yy) + xy * xy).sqrt());
    let (across, along) = if mean >= 0.0 { (mean + half, mean - half) } else { (mean - half, mean + half) };
    if across <= 0.0 {
        return 0.0;
    }
    let ratio = along / across;
    let strength = across * across + along * along;
    (-ratio * ratio / (2.0 * BLOBNESS * BLOBNESS)).exp() * (1.0 - (-strength / (2.0 * CLEAR * CLEAR)).exp())
}

/// A Gaussian of this standard deviation and its first two derivatives, sampled to four deviations.
fn kernels(scale: f32) -> [Vec<f32>; 3] {
    let reach = (4.0 * scale).ceil().max(1.0) as i32;
    let places: Vec<f32> = (-reach..=reach).map(|i| i as f32).collect();
    let bell = |x: &f32| (-0.5 * x * x / (scale * scale)).exp();
    let sum: f32 = places.iter().map(bell).sum();
    let smooth: Vec<f32> = places.iter().map(|x| bell(x) / sum).collect();
    let slope = places.iter().zip(&smooth).map(|(x, g)| x / (scale * scale) * g).collect();
    let raw = |(x, g): (&f32, &f32)| (x * x / (scale * scale) - 1.0) / (scale * scale) * g;
    let bend: Vec<f32> = places.iter().zip(&smooth).map(raw).collect();
    // Sampled, the second derivative does not quite sum to 0, and a plain bright area would seem to bend.
    let rest = bend.iter().sum::<f32>();
    let bend = bend.iter().zip(&smooth).map(|(b, g)| b - rest * g).collect();
    [smooth, slope, bend]
}

/// One value a pixel.
struct Plane {
    width: usize,
    values: Vec<f32>,
}

impl Plane {
    /// Brightness, 0..=1 (ITU-R BT.601).
    fn luminance(image: &RgbImage) -> Self {
        let gray = |p: &image::Rgb<u8>| {
            let [r, g, b] = p.0.map(f32::from);
            (0.299 * r + 0.587 * g + 0.114 * b) / 255.0
        };
        Self { width: image.width() as usize, values: image.pixels().map(gray).collect() }
    }

    fn along_rows(&self, kernel: &[f32]) -> Self {
        let reach = kernel.len() / 2;
        let mut values = vec![0.0; self.values.len()];
        let mut padded = vec![0.0; self.width + 2 * reach];
        let rows = self.values.chunks_exact(self.width.max(1));
        for (row, out) in rows.zip(values.chunks_exact_mut(self.width.max(1))) {
            padded[..reach].fill(row[0]);
            padded[reach..][..self.width].copy_from_slice(row);
            padded[reach + self.width..].fill(row[self.width - 1]);
            for (k, &weight) in kernel.iter().enumerate() {
                out.iter_mut().zip(&padded[k..]).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        Self { width: self.width, values }
    }

    fn along_columns(&self, kernel: &[f32]) -> Self {
        let (width, reach) = (self.width.max(1), kernel.len() / 2);
        let height = self.values.len() / width;
        let mut values = vec![0.0; self.values.len()];
        for (y, out) in values.chunks_exact_mut(width).enumerate() {
            for (k, &weight) in kernel.iter().enumerate() {
                let from = (y + k).saturating_sub(reach).min(height - 1);
                let row = &self.values[from * width..][..width];
                out.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        Self { width: self.width, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    const SIZE: u32 = 48;

    /// The answer at the middle of a picture whose brightness at a place from its middle is given.
    fn at_middle(scales: &[f32], gray: impl Fn(f32, f32) -> u8) -> f32 {
        let middle = SIZE as f32 / 2.0;
        let pixel = |x, y| Rgb([gray(x as f32 - middle, y as f32 - middle); 3]);
        let strength = ridge_strength(&RgbImage::from_fn(SIZE, SIZE, pixel), scales).unwrap();
        strength[(SIZE / 2 * SIZE + SIZE / 2) as usize]
    }

    fn line(width: f32, angle: f32) -> impl Fn(f32, f32) -> u8 {
        let (sin, cos) = angle.sin_cos();
        move |x, y| if (x * cos + y * sin).abs() <= width / 2.0 { 170 } else { 190 }
    }

    #[test]
    fn a_line_answers_most_at_half_its_width_in_every_direction() {
        for angle in [0.0, 0.4, 0.8, 1.6, 2.3] {
            let thin = [1.0, 4.0].map(|scale| at_middle(&[scale], line(2.0, angle)));
            let wide = [1.0, 4.0].map(|scale| at_middle(&[scale], line(8.0, angle)));
            assert!(thin[0] > 1.5 * thin[1] && wide[1] > 1.5 * wide[0], "{angle}: {thin:?} {wide:?}");
            assert_eq!(at_middle(&[1.0, 4.0], line(2.0, angle)), thin[0].max(thin[1]));
        }
    }

    #[test]
    fn edges_blobs_and_bright_lines_answer_less() {
        let dark = at_middle(&[1.5], line(3.0, 0.3));
        let bright = at_middle(&[1.5], |x, y| 255 - line(3.0, 0.3)(x, y));
        let edge = at_middle(&[1.5], |x, _| if x < 0.0 { 170 } else { 190 });
        let blob = at_middle(&[1.5], |x, y| if x.hypot(y) <= 1.5 { 170 } else { 190 });
        assert!(dark > 0.2 && bright == 0.0, "{dark} {bright}");
        assert!(edge < 0.5 * dark && blob < 0.3 * dark, "{dark} {edge} {blob}");
    }

    #[test]
    fn plain_and_tilted_areas_are_no_lines_up_to_the_border() {
        let plain = ridge_strength(&RgbImage::from_pixel(20, 9, Rgb([255; 3])), &[0.7, 1.0, 6.0]).unwrap();
        assert!(plain.len() == 180 && plain.iter().all(|v| *v < 1e-6));
        let tilted = at_middle(&[2.0], |x, y| (128.0 + 3.0 * x + 2.0 * y) as u8);
        assert!(tilted < 0.05, "{tilted}");
        let empty = ridge_strength(&RgbImage::new(0, 0), &[1.0]).unwrap();
        assert!(empty.is_empty());
    }

    #[test]
    fn a_scale_out_of_range_is_told() {
        let told = |scales: &[f32]| ridge_strength(&RgbImage::new(2, 2), scales).unwrap_err().to_string();
        assert_eq!(told(&[1.0, 0.0]), "scales: 0 pixels; a scale is above 0 and at most 64");
        assert_eq!(told(&[f32::NAN]), "scales: NaN pixels; a scale is above 0 and at most 64");
        assert_eq!(told(&[]), "scales: none; at least one is needed");
    }
}
