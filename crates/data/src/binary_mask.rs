//! Masks of two values: PNG or PBM files in which a thing is white, or 1.

use std::io::Cursor;
use std::path::Path;

use image::codecs::pnm::PnmDecoder;
use image::{GrayImage, ImageDecoder};

use crate::error::Error;
use crate::files;
use crate::label::read_indices;
use crate::rgb::within_limit;

/// Reads a mask whose pixels are 0 and 1, or 0 and 255; both become 0 and 1.
///
/// Takes gray and palette PNG as [`read_labels`](crate::read_labels) does, and PBM, plain or packed, whatever the file is
/// called. In a PBM white is 1, as in a picture made of it; its stored bits say the opposite.
///
/// # Errors
/// [`Error::NotBinary`] for the first pixel, in reading order, of a third value; otherwise as for
/// [`read_labels`](crate::read_labels).
pub fn read_binary_mask(path: &Path) -> Result<GrayImage, Error> {
    let bytes = files::read(path, "mask")?;
    if bytes.starts_with(b"P1") || bytes.starts_with(b"P4") {
        return read_pbm(path, &bytes);
    }
    let map = read_indices(path)?;
    let white = map.first(|value| value != 0).map_or(1, |(_, _, value)| value);
    let is_white = matches!(white, 1 | 255);
    match map.first(|value| value != 0 && !(is_white && value == white)) {
        Some((row, column, value)) => Err(Error::NotBinary { path: path.to_path_buf(), row, column, value }),
        None => map.into_gray(path, |value| u8::from(value != 0)),
    }
}

fn read_pbm(path: &Path, bytes: &[u8]) -> Result<GrayImage, Error> {
    let damaged = |e: image::ImageError| Error::image(path, e);
    let decoder = PnmDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    within_limit(path, (width, height))?;
    if width == 0 || height == 0 {
        return Err(Error::image(path, "it declares no pixels"));
    }
    let mut pixels = vec![0; width as usize * height as usize];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    pixels.iter_mut().for_each(|value| *value = u8::from(*value != 0));
    GrayImage::from_raw(width, height, pixels)
        .ok_or_else(|| Error::image(path, "the pixels do not fill the declared size"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rgb::MAX_PIXELS;
    use crate::testing::{gray_png, jpeg_bytes, png_bytes, put};
    use png::{BitDepth, ColorType};

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Frame00007-gt.pbm");
        put(&path, bytes);
        read_binary_mask(&path).map(GrayImage::into_raw).map_err(|e| e.to_string())
    }

    fn gray(values: &[u8]) -> Result<Vec<u8>, String> {
        read(&gray_png(&GrayImage::from_raw(2, 2, values.to_vec()).unwrap()))
    }

    #[test]
    fn one_bit_and_eight_bit_png_agree() {
        let bits = png_bytes((3, 2), ColorType::Grayscale, BitDepth::One, &[0b0110_0000, 0b1000_0000]);
        assert_eq!(read(&bits).unwrap(), [0, 1, 1, 1, 0, 0]);
        assert_eq!(gray(&[0, 1, 1, 0]).unwrap(), [0, 1, 1, 0]);
        assert_eq!(gray(&[0, 255, 255, 0]).unwrap(), [0, 1, 1, 0]);
        assert_eq!((gray(&[0; 4]).unwrap(), gray(&[255; 4]).unwrap()), (vec![0; 4], vec![1; 4]));
    }

    #[test]
    fn white_is_one_in_a_pbm_plain_or_packed() {
        assert_eq!(read(b"P4\n# by hand\n10 2\n\x00\x00\xff\xc0").unwrap(), [[1; 10], [0; 10]].concat());
        assert_eq!(read(b"P4 3 1\n\x5f").unwrap(), [1, 0, 1], "bits beyond the row do not count");
        assert_eq!(read(b"P1\n3 2\n1 0 1\n011").unwrap(), [0, 1, 0, 1, 0, 0]);
    }

    #[test]
    fn a_third_value_is_named_with_its_pixel() {
        let error = gray(&[0, 255, 254, 0]).unwrap_err();
        assert!(error.contains("Frame00007-gt.pbm: value 254 at row 1, column 0"), "{error}");
        assert!(gray(&[0, 255, 1, 0]).unwrap_err().contains("value 1 at row 1, column 0"));
        assert!(gray(&[0, 128, 128, 0]).unwrap_err().contains("value 128 at row 0, column 1"));
    }

    #[test]
    fn damaged_foreign_and_huge_files_are_refused() {
        for bytes in [b"P4 10 2\n\x00".as_slice(), b"P4", b"P1 2 2\n0 1 2 0", b"P4 0 4\n", b""] {
            assert!(read(bytes).unwrap_err().contains("cannot read the image"), "{bytes:?}");
        }
        assert!(read(&jpeg_bytes(8, 8)).unwrap_err().contains("is a JPEG"));
        assert!(read(b"P5 1 1 255\n\x00").unwrap_err().contains("cannot read the image"));
        let huge = read(format!("P4 {MAX_PIXELS} 2\n").as_bytes()).unwrap_err();
        assert!(huge.contains("more than the limit"), "{huge}");
    }
}
