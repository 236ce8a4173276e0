//! Pictures of another size, filtered so that nothing aliases.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::error::Error;
use crate::rgb::MAX_PIXELS;

/// Resizes a picture to `(rows, columns)` with a bilinear filter that widens as the picture shrinks.
///
/// Pixel centres lie at half-integers; the picture is stretched when its shape differs.
///
/// # Errors
/// [`Error::Config`] for a size of 0 or beyond [`MAX_PIXELS`].
pub fn resize_image(image: &RgbImage, (rows, columns): (usize, usize)) -> Result<RgbImage, Error> {
    let (width, height) = output_size([rows, columns])?;
    if image.dimensions() == (width, height) {
        return Ok(image.clone());
    }
    let failed = |e: String| Error::Config { key: "size", reason: e };
    let source = ImageRef::new(image.width(), image.height(), image.as_raw(), PixelType::U8x3)
        .map_err(|e| failed(e.to_string()))?;
    let mut resized = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&source, &mut resized, &options).map_err(|e| failed(e.to_string()))?;
    RgbImage::from_raw(width, height, resized.into_vec())
        .ok_or_else(|| failed("the resize fell short".into()))
}

/// Width and height of an output of `[rows, columns]`, checked.
pub(crate) fn output_size([rows, columns]: [usize; 2]) -> Result<(u32, u32), Error> {
    let limit = usize::try_from(MAX_PIXELS).unwrap_or(usize::MAX);
    let fits = rows > 0 && columns > 0 && rows.checked_mul(columns).is_some_and(|area| area <= limit);
    match (u32::try_from(columns), u32::try_from(rows)) {
        (Ok(width), Ok(height)) if fits => Ok((width, height)),
        _ => {
            let reason = format!(
                "[{rows}, {columns}] must be rows and columns of at least 1 and at most {limit} pixels"
            );
            Err(Error::Config { key: "size", reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn halving_averages_and_doubling_interpolates() {
        let checks = RgbImage::from_fn(8, 8, |x, y| Rgb([if (x + y) % 2 == 0 { 0 } else { 200 }; 3]));
        let half = resize_image(&checks, (4, 4)).unwrap();
        assert!(half.iter().all(|v| v.abs_diff(100) <= 2), "{half:?}");
        let ramp = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8 * 100; 3]));
        let wide = resize_image(&ramp, (1, 4)).unwrap();
        let red: Vec<u8> = wide.pixels().map(|p| p[0]).collect();
        assert_eq!(red, [0, 25, 75, 100]);
    }

    #[test]
    fn impossible_sizes_are_errors() {
        let image = RgbImage::new(2, 2);
        for size in [(0, 4), (4, 0), (usize::MAX, 2), (20_000, 20_000)] {
            assert!(matches!(resize_image(&image, size), Err(Error::Config { key: "size", .. })));
        }
    }
}
