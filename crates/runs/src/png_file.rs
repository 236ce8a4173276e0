//! PNG files of pictures and of label maps.

use std::io;
use std::path::Path;

use image::{GrayImage, RgbImage};
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

use crate::atomic::Writer;
use crate::palette::Colour;
use crate::{Error, write_atomically};

/// Writes a colour picture.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_picture(path: &Path, picture: &RgbImage) -> Result<(), Error> {
    write_atomically(path, |file| {
        let mut encoder = Encoder::new(file, picture.width(), picture.height());
        encoder.set_color(ColorType::Rgb);
        finish(encoder, picture.as_raw())
    })
}

/// Writes a label map as a palette PNG with 8 bits per pixel: programs read the class indices, people see colours.
///
/// The palette is filled up with gray as far as the labels need it, for instance for an ignore label.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_labels(path: &Path, labels: &GrayImage, palette: &[Colour]) -> Result<(), Error> {
    let needed = labels.as_raw().iter().max().map_or(1, |label| usize::from(*label) + 1);
    let mut colours = palette.to_vec();
    colours.resize(palette.len().max(needed).min(256), UNKNOWN);
    write_atomically(path, |file| {
        let mut encoder = Encoder::new(file, labels.width(), labels.height());
        encoder.set_color(ColorType::Indexed);
        encoder.set_palette(colours.concat());
        finish(encoder, labels.as_raw())
    })
}

/// Of labels without a class.
const UNKNOWN: Colour = [128, 128, 128];

fn finish(mut encoder: Encoder<'_, &mut Writer>, pixels: &[u8]) -> io::Result<()> {
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Balanced);
    let mut writer = encoder.write_header().map_err(reason)?;
    writer.write_image_data(pixels).map_err(reason)?;
    writer.finish().map_err(reason)
}

/// The operating system's own error where there is one, so that a full disk is still told apart.
fn reason(error: EncodingError) -> io::Error {
    match error {
        EncodingError::IoError(reason) => reason,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette;
    use std::fs::File;
    use std::io::BufReader;

    fn raw(path: &Path) -> (png::Info<'static>, Vec<u8>) {
        let mut reader = png::Decoder::new(BufReader::new(File::open(path).unwrap())).read_info().unwrap();
        let info = reader.info().clone();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (info, pixels)
    }

    #[test]
    fn labels_keep_their_indices_and_get_colours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions/a.png");
        let labels = GrayImage::from_fn(19, 3, |x, y| image::Luma([if y == 2 { 255 } else { x as u8 }]));
        write_labels(&path, &labels, &palette(19)).unwrap();
        let (info, pixels) = raw(&path);
        assert_eq!((info.color_type, info.bit_depth), (ColorType::Indexed, BitDepth::Eight));
        assert_eq!(pixels, *labels.as_raw());
        let colours = info.palette.unwrap();
        assert_eq!(colours[..19 * 3], palette(19).concat());
        assert_eq!(colours[255 * 3..], UNKNOWN);
        let shown = image::open(&path).unwrap().into_rgb8();
        assert_eq!(shown.get_pixel(7, 0).0, palette(19)[7]);
    }

    #[test]
    fn a_picture_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let picture = RgbImage::from_fn(5, 7, |x, y| image::Rgb([x as u8, y as u8, 200]));
        write_picture(&path, &picture).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgb8(), picture);
    }

    #[test]
    fn an_impossible_picture_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let error = write_picture(&path, &RgbImage::new(0, 4)).unwrap_err();
        assert!(matches!(error, Error::Write { .. }), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
