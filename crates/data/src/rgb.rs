//! Pictures: JPEG and PNG files as 8-bit red, green, blue.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::error::Error;
use crate::files;

/// Most pixels that a picture or a label map may declare: 100 million, such as 10,000 x 10,000.
///
/// The header is held against it before memory is taken for pixels, so a file of a few bytes cannot ask for gigabytes.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Most memory that a decoder may take beside the pixels, for rows and for blocks such as colour profiles, in bytes.
pub(crate) const MAX_WORKSPACE: usize = 64 << 20;

/// Reads a JPEG or PNG as it is stored, without regard to its EXIF orientation.
///
/// This is what a training pair needs: a label map has no EXIF and lies over the stored pixels. Gray becomes
/// three equal channels, transparency is dropped and 16 bits are cut to 8.
///
/// # Errors
/// [`Error::TooLarge`] before the pixels are allocated, [`Error::Image`] for a damaged, cut off or foreign file.
pub fn read_rgb(path: &Path) -> Result<RgbImage, Error> {
    decode(path, false)
}

/// Reads a JPEG or PNG the way a viewer shows it: turned and mirrored as its EXIF orientation says.
///
/// # Errors
/// As for [`read_rgb`].
pub fn read_rgb_upright(path: &Path) -> Result<RgbImage, Error> {
    decode(path, true)
}

/// Writes a picture as a PNG. An existing file is replaced only once the new one is complete.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_rgb_png(path: &Path, image: &RgbImage) -> Result<(), Error> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|e| Error::io(path, "encode the picture", std::io::Error::other(e)))?;
    files::write_whole(path, bytes.get_ref())
}

/// Writes a picture as a JPEG of quality 95, as [`write_rgb_png`] does a PNG.
pub(crate) fn write_rgb_jpeg(path: &Path, image: &RgbImage) -> Result<(), Error> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95)
        .encode_image(image)
        .map_err(|e| Error::io(path, "encode the picture", std::io::Error::other(e)))?;
    files::write_whole(path, &bytes)
}

fn decode(path: &Path, upright: bool) -> Result<RgbImage, Error> {
    let bytes = files::read(path, "picture")?;
    let format = format_of(path, &bytes)?;
    let damaged = |e: image::ImageError| Error::image(path, e);
    if format == ImageFormat::Png {
        // The decoder below takes memory for a row as it opens a PNG, before it tells the size.
        within_limit(path, png_size(path, &bytes)?)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_PIXELS * 8 + MAX_WORKSPACE as u64);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    within_limit(path, decoder.dimensions())?;
    // A damaged EXIF block says nothing about the pixels: the picture is then taken as stored.
    let orientation = decoder.orientation().ok().filter(|_| upright);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Ok(picture.into_rgb8())
}

/// Refuses a picture that declares more than [`MAX_PIXELS`].
pub(crate) fn within_limit(path: &Path, (width, height): (u32, u32)) -> Result<(), Error> {
    if u64::from(width) * u64::from(height) <= MAX_PIXELS {
        return Ok(());
    }
    Err(Error::TooLarge { path: path.to_path_buf(), width, height, limit: MAX_PIXELS })
}

/// Width and height in a PNG's header; nothing behind the header is looked at.
fn png_size(path: &Path, bytes: &[u8]) -> Result<(u32, u32), Error> {
    let limits = png::Limits { bytes: MAX_WORKSPACE };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.read_header_info().map(png::Info::size).map_err(|e| Error::image(path, e))
}

/// The format by the first bytes, whatever the file is called; a JPEG must also reach its end marker, because the
/// decoder fills the rest of a cut off file with gray.
fn format_of(path: &Path, bytes: &[u8]) -> Result<ImageFormat, Error> {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) if !jpeg_reaches_end(bytes) => Err(Error::image(path, "the JPEG is cut off")),
        Ok(ImageFormat::Png) if !palette_is_whole(bytes) => {
            Err(Error::image(path, "the PNG's palette is not 1 to 256 whole colours"))
        }
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => Ok(format),
        _ => Err(Error::image(path, "it is neither JPEG nor PNG")),
    }
}

/// Whether a PNG's palette holds whole colours and at most 256 (PNG specification, section 11.2.2): at any other the
/// decoder panics. A file without one is left to the decoder.
fn palette_is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if &head[4..] == b"PLTE" {
            return length.is_multiple_of(3) && (3..=768).contains(&length);
        }
        rest = tail.get(length.saturating_add(4)..).unwrap_or_default();
    }
    true
}

/// Walks the segments of a JPEG (ITU-T T.81, annex B) to its end-of-image marker.
fn jpeg_reaches_end(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 2;
    let mut in_scan = false;
    while let Some([first, marker]) = bytes.get(at..at + 2).map(|pair| [pair[0], pair[1]]) {
        match (first, marker) {
            (0xff, END_OF_IMAGE) => return true,
            // Fill bytes, then markers that stand alone: TEM and the restarts.
            (0xff, 0xff) => at += 1,
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => {
                let Some(length) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                in_scan = marker == START_OF_SCAN;
            }
            // Entropy-coded data follows a scan header; junk between segments is skipped as decoders do.
            _ if in_scan => at += 1 + bytes[at + 1..].iter().position(|b| *b == 0xff).unwrap_or(bytes.len()),
            _ => at += 1,
        }
    }
    false
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::{jpeg_bytes, put, raw_png};
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn with_file<R>(bytes: &[u8], read: impl Fn(&Path) -> R) -> R {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("7.jpg");
        put(&path, bytes);
        read(&path)
    }

    /// Puts an EXIF block with one orientation tag behind the start marker of a JPEG.
    pub(crate) fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let exif = [b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation]]
            .concat();
        let body = [exif.as_slice(), &[0; 6]].concat();
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xff, 0xd8, 0xff, 0xe1], length.as_slice(), &body, &jpeg[2..]].concat()
    }

    #[test]
    fn pictures_are_upright_only_when_asked() {
        let jpeg = oriented(&jpeg_bytes(16, 8), 6);
        let (stored, upright) =
            with_file(&jpeg, |path| (read_rgb(path).unwrap(), read_rgb_upright(path).unwrap()));
        assert_eq!((stored.dimensions(), upright.dimensions()), ((16, 8), (8, 16)));
        assert_eq!(image::imageops::rotate90(&stored), upright);
    }

    #[test]
    fn the_content_decides_and_gray_becomes_colour() {
        let gray = raw_png((2, 1), [8, 0, 0], &[0, 7, 200]);
        let image = with_file(&gray, |path| read_rgb(path).unwrap());
        assert_eq!(image.into_raw(), [7, 7, 7, 200, 200, 200]);
    }

    #[test]
    fn cut_off_foreign_and_huge_files_are_errors() {
        let jpeg = jpeg_bytes(64, 64);
        let png = raw_png((9, 9), [8, 2, 0], &[0; 28 * 9]);
        for bytes in [&jpeg, &png] {
            assert!(with_file(bytes, read_rgb).is_ok());
            for length in [0, 3, 30, bytes.len() / 2, bytes.len() - 20] {
                let error = with_file(&bytes[..length], |path| read_rgb(path).unwrap_err().to_string());
                assert!(error.contains("7.jpg: cannot read the image"), "{length}: {error}");
            }
        }
        assert!(
            with_file(&jpeg[..jpeg.len() - 2], |p| read_rgb(p).unwrap_err().to_string()).contains("cut off")
        );
        let foreign = with_file(b"GIF89a........", |path| read_rgb(path).unwrap_err().to_string());
        assert!(foreign.contains("neither JPEG nor PNG"), "{foreign}");
    }

    #[test]
    fn a_header_that_declares_too_much_is_refused_by_its_size() {
        let sizes = [(60_000, 60_000), (0x7fff_ffff, 1), (1, 0x7fff_ffff), (10_000, 10_001)];
        for ((width, height), header) in
            sizes.into_iter().flat_map(|size| [[8, 2, 0], [16, 6, 0], [8, 2, 1]].map(|header| (size, header)))
        {
            let error = with_file(&raw_png((width, height), header, &[]), read_rgb).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, Error::TooLarge { limit: MAX_PIXELS, .. }), "{text}");
            assert!(text.contains(&format!("7.jpg: declares {width} x {height} pixels")), "{text}");
        }
        let allowed = with_file(&raw_png((10_000, 1), [8, 2, 0], &[]), read_rgb).unwrap_err();
        assert!(matches!(allowed, Error::Image { .. }), "its size is no fault: {allowed}");
        for marker in [0xc0, 0xc2] {
            let error = with_file(&jpeg_of_headers(60_000, 60_000, marker), read_rgb).unwrap_err();
            assert!(matches!(error, Error::TooLarge { width: 60_000, height: 60_000, .. }), "{error}");
        }
    }

    /// A JPEG of a frame header (0xc0 baseline, 0xc2 progressive), a scan header and nothing more.
    fn jpeg_of_headers(width: u16, height: u16, marker: u8) -> Vec<u8> {
        let [[h1, h2], [w1, w2]] = [height, width].map(u16::to_be_bytes);
        let frame = [0xff, marker, 0, 17, 8, h1, h2, w1, w2, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
        let scan = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0];
        [&[0xff, 0xd8], frame.as_slice(), &scan, &[0xff, 0xd9]].concat()
    }

    #[test]
    fn junk_behind_the_picture_does_no_harm() {
        let bytes = [jpeg_bytes(8, 8), b"trailing".to_vec()].concat();
        assert_eq!(with_file(&bytes, |path| read_rgb(path).unwrap().dimensions()), (8, 8));
    }

    #[test]
    fn written_pictures_are_read_back() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.png");
        let image = RgbImage::from_fn(5, 4, |x, y| image::Rgb([x as u8 * 9, y as u8 * 30, 77]));
        write_rgb_png(&path, &image).unwrap();
        assert_eq!(read_rgb(&path).unwrap(), image);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_damage_panics(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..6), cut: u16) {
            let mut bytes = jpeg_bytes(48, 40);
            for (at, to) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = to;
            }
            let _ = with_file(&bytes, read_rgb_upright);
            bytes.truncate(usize::from(cut) % bytes.len());
            bytes.extend([0xff, 0xd9]);
            let _ = with_file(&bytes, read_rgb_upright);
        }
    }
}
