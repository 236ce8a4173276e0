//! Label maps: PNG files whose pixel values are class indices.

use std::io::Cursor;
use std::path::Path;

use image::GrayImage;
use png::{BitDepth, ColorType};

use crate::dataset::VOID;
use crate::error::Error;
use crate::files;
use crate::rgb::{MAX_WORKSPACE, within_limit};

/// Reads a label map: one class index or [`VOID`] at each pixel.
///
/// Takes gray PNG of 1, 2, 4, 8 and 16 bits and palette PNG of any depth, interlaced or not. The stored numbers
/// are the indices: a gray level is not stretched to 0..=255 and a palette's colours are not looked at.
///
/// # Errors
/// [`Error::LabelFormat`] for a file with colours, [`Error::LabelRange`] for the first pixel (in reading order)
/// that is neither below `classes` nor 255, [`Error::TooLarge`] before anything is allocated for a file that
/// declares more than [`MAX_PIXELS`](crate::MAX_PIXELS) pixels, and [`Error::Image`] for a damaged file.
pub fn read_labels(path: &Path, classes: usize) -> Result<GrayImage, Error> {
    let map = read_indices(path)?;
    if let Some((row, column, value)) = map.first(|value| !is_label(value, classes)) {
        return Err(Error::LabelRange { path: path.to_path_buf(), row, column, value, classes });
    }
    map.into_gray(path, |value| value as u8)
}

/// Whether a stored number is a class or [`VOID`].
pub(crate) fn is_label(value: u16, classes: usize) -> bool {
    usize::from(value) < classes || value == u16::from(VOID)
}

/// Reads a 0/1 map, such as an edge map: any number but 0 counts as 1.
///
/// # Errors
/// As for [`read_labels`], without a range.
pub fn read_mask(path: &Path) -> Result<GrayImage, Error> {
    read_indices(path)?.into_gray(path, |value| u8::from(value != 0))
}

/// Writes a map as an 8-bit PNG that [`read_labels`] reads back unchanged: gray without a palette, indexed with one.
///
/// The palette gives the colour of index 0, 1, …; indices beyond it are shown black. An existing file is replaced
/// only once the new one is complete.
///
/// # Errors
/// [`Error::Io`] with the path; [`Error::Config`] for a palette of more than 256 colours.
pub fn write_index_png(path: &Path, map: &GrayImage, palette: Option<&[[u8; 3]]>) -> Result<(), Error> {
    if palette.is_some_and(|colours| colours.len() > 256) {
        return Err(Error::Config {
            key: "palette",
            reason: "a PNG palette holds at most 256 colours".into(),
        });
    }
    let mut bytes = Vec::new();
    encode(&mut bytes, map, palette)
        .map_err(|e| Error::io(path, "encode the map", std::io::Error::other(e)))?;
    files::write_whole(path, &bytes)
}

fn encode(
    bytes: &mut Vec<u8>,
    map: &GrayImage,
    palette: Option<&[[u8; 3]]>,
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(bytes, map.width(), map.height());
    encoder.set_depth(BitDepth::Eight);
    encoder.set_color(ColorType::Grayscale);
    if let Some(colours) = palette {
        let highest = map.iter().copied().max().unwrap_or(0);
        let mut table = colours.concat();
        table.resize(table.len().max(3 * (usize::from(highest) + 1)), 0);
        encoder.set_color(ColorType::Indexed);
        encoder.set_palette(table);
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(map)?;
    writer.finish()
}

/// What [`Error::LabelFormat`] finds in a JPEG.
pub(crate) const JPEG: &str = "a JPEG";

/// The numbers stored in an index PNG, row by row.
pub(crate) struct Indices {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) values: Vec<u16>,
}

impl From<GrayImage> for Indices {
    fn from(map: GrayImage) -> Self {
        let (width, height) = map.dimensions();
        Self { width, height, values: map.into_raw().into_iter().map(u16::from).collect() }
    }
}

impl Indices {
    /// Row, column and value of the first pixel, in reading order, that `is` true of.
    pub(crate) fn first(&self, is: impl Fn(u16) -> bool) -> Option<(u32, u32, u16)> {
        let offset = self.values.iter().position(|value| is(*value))?;
        Some((offset as u32 / self.width, offset as u32 % self.width, self.values[offset]))
    }

    pub(crate) fn into_gray(self, path: &Path, value: impl Fn(u16) -> u8) -> Result<GrayImage, Error> {
        let values = self.values.into_iter().map(value).collect();
        GrayImage::from_raw(self.width, self.height, values)
            .ok_or_else(|| Error::image(path, "the pixels do not fill the declared size"))
    }
}

pub(crate) fn read_indices(path: &Path) -> Result<Indices, Error> {
    let bytes = files::read(path, "label map")?;
    if bytes.starts_with(&[0xff, 0xd8]) {
        return Err(Error::LabelFormat { path: path.to_path_buf(), found: JPEG.into() });
    }
    let limits = png::Limits { bytes: MAX_WORKSPACE };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::IDENTITY);
    let header = decoder.read_header_info().map_err(|e| Error::image(path, e))?;
    let ((width, height), colour, depth) = (header.size(), header.color_type, header.bit_depth);
    within_limit(path, (width, height))?;
    if !matches!(colour, ColorType::Grayscale | ColorType::Indexed) {
        let found = format!("a PNG with colours or transparency ({colour:?}, {} bits)", depth as u8);
        return Err(Error::LabelFormat { path: path.to_path_buf(), found });
    }
    let mut reader = decoder.read_info().map_err(|e| Error::image(path, e))?;
    let size =
        reader.output_buffer_size().ok_or_else(|| Error::image(path, "its pixels do not fit in memory"))?;
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer).map_err(|e| Error::image(path, e))?;
    if (frame.width, frame.height) != (width, height) {
        return Err(Error::image(path, "its first frame does not fill the picture"));
    }
    Ok(Indices { width, height, values: unpack(&buffer, frame.line_size, width, depth) })
}

/// The numbers of packed rows: the first pixel of a byte is in its highest bits, 16-bit numbers are big-endian.
fn unpack(packed: &[u8], line: usize, width: u32, depth: BitDepth) -> Vec<u16> {
    let rows = packed.chunks_exact(line.max(1));
    match depth {
        BitDepth::Eight => packed.iter().map(|v| u16::from(*v)).collect(),
        BitDepth::Sixteen => packed.chunks_exact(2).map(|v| u16::from_be_bytes([v[0], v[1]])).collect(),
        BitDepth::One | BitDepth::Two | BitDepth::Four => {
            let bits = depth as u8 as usize;
            let (per_byte, mask) = (8 / bits, (1u8 << bits) - 1);
            let at = |row: &[u8], x: usize| row[x / per_byte] >> (8 - bits - bits * (x % per_byte)) & mask;
            rows.flat_map(|row| (0..width as usize).map(move |x| u16::from(at(row, x)))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{jpeg_bytes, png_bytes, put, raw_png};
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn labels(bytes: &[u8], classes: usize) -> Result<Vec<u8>, String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("7.png");
        put(&path, bytes);
        read_labels(&path, classes).map(GrayImage::into_raw).map_err(|e| e.to_string())
    }

    /// Rows of indices packed as PNG stores them.
    fn packed(values: &[u16], width: usize, bits: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in values.chunks(width) {
            let mut line = vec![0u8; (width * bits).div_ceil(8)];
            for (x, value) in row.iter().enumerate() {
                for bit in 0..bits {
                    let at = x * bits + bit;
                    line[at / 8] |= ((value >> (bits - 1 - bit) & 1) as u8) << (7 - at % 8);
                }
            }
            bytes.extend(line);
        }
        bytes
    }

    #[test]
    fn every_gray_and_palette_depth_gives_its_indices() {
        use BitDepth::{Eight, Four, One, Sixteen, Two};
        for (depth, colour) in [One, Two, Four, Eight]
            .into_iter()
            .flat_map(|depth| [(depth, ColorType::Grayscale), (depth, ColorType::Indexed)])
            .chain([(Sixteen, ColorType::Grayscale)])
        {
            let most = if depth == One { 2 } else { 4 };
            let values: Vec<u16> = (0..5 * 3).map(|i| i * 7 % most).collect();
            let bytes = png_bytes((5, 3), colour, depth, &packed(&values, 5, depth as usize));
            let want: Vec<u8> = values.iter().map(|v| *v as u8).collect();
            assert_eq!(labels(&bytes, 4).unwrap(), want, "{colour:?} {depth:?}");
        }
    }

    #[test]
    fn interlaced_palette_maps_are_untangled() {
        let (width, height) = (9, 6);
        let at = |x: usize, y: usize| ((x + 2 * y) % 4) as u16;
        // Adam7: start and step of each pass (PNG specification, section 8.2).
        let passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ];
        for bits in [2, 4, 8] {
            let mut lines = Vec::new();
            for (left, top, across, down) in passes {
                for y in (top..height).step_by(down) {
                    let row: Vec<u16> = (left..width).step_by(across).map(|x| at(x, y)).collect();
                    if !row.is_empty() {
                        lines.push(0);
                        lines.extend(packed(&row, row.len(), bits));
                    }
                }
            }
            let file = raw_png((width as u32, height as u32), [bits as u8, 3, 1], &lines);
            let want: Vec<u8> = (0..width * height).map(|i| at(i % width, i / width) as u8).collect();
            assert_eq!(labels(&file, 4).unwrap(), want, "{bits} bits");
        }
    }

    #[test]
    fn out_of_range_labels_are_named_with_file_pixel_and_value() {
        let mut values = [0, 1, 2, 255, 3, 0];
        let gray = |values: &[u8]| png_bytes((3, 2), ColorType::Grayscale, BitDepth::Eight, values);
        assert_eq!(labels(&gray(&values), 4).unwrap(), values);
        values[4] = 19;
        let error = labels(&gray(&values), 19).unwrap_err();
        assert!(error.contains("7.png: label 19 at row 1, column 1 is not a class"), "{error}");
        assert!(error.contains("19 classes (0..=18)"), "{error}");
        let wide = png_bytes((2, 1), ColorType::Grayscale, BitDepth::Sixteen, &[0, 3, 1, 3]);
        let error = labels(&wide, 19).unwrap_err();
        assert!(error.contains("label 259 at row 0, column 1"), "{error}");
    }

    #[test]
    fn colours_are_no_labels() {
        let rgb = png_bytes((1, 1), ColorType::Rgb, BitDepth::Eight, &[1, 2, 3]);
        let alpha = png_bytes((1, 1), ColorType::GrayscaleAlpha, BitDepth::Eight, &[1, 2]);
        for (bytes, found) in [(rgb, "Rgb, 8 bits"), (alpha, "GrayscaleAlpha"), (jpeg_bytes(8, 8), "a JPEG")]
        {
            let error = labels(&bytes, 19).unwrap_err();
            assert!(error.contains(found) && error.contains("gray or palette PNG"), "{error}");
        }
    }

    #[test]
    fn cut_off_empty_and_huge_files_are_errors() {
        let noise: Vec<u8> = (0..64 * 64u32).map(|i| (i * i % 19) as u8).collect();
        let whole = png_bytes((64, 64), ColorType::Grayscale, BitDepth::Eight, &noise);
        for length in [0, 4, 20, 40, whole.len() / 2, whole.len() - 20] {
            let error = labels(&whole[..length], 19).unwrap_err();
            assert!(error.contains("7.png: cannot read the image"), "{length}: {error}");
        }
        for (width, height) in [(60_000, 60_000), (0x7fff_ffff, 1), (1, 0x7fff_ffff)] {
            for header in [[8, 0, 0], [1, 3, 0], [16, 0, 1]] {
                let error = labels(&raw_png((width, height), header, &[]), 19).unwrap_err();
                assert!(error.contains(&format!("declares {width} x {height} pixels")), "{error}");
            }
        }
    }

    #[test]
    fn masks_take_any_number_as_one() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("edge.png");
        put(&path, png_bytes((4, 1), ColorType::Grayscale, BitDepth::Sixteen, &[0, 0, 1, 0, 255, 255, 0, 1]));
        assert_eq!(read_mask(&path).unwrap().into_raw(), [0, 1, 1, 1]);
    }

    #[test]
    fn a_palette_is_written_and_filled_up() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("map.png");
        let map = GrayImage::from_raw(3, 1, vec![0, 1, 4]).unwrap();
        write_index_png(&path, &map, Some(&[[1, 2, 3], [200, 100, 50]])).unwrap();
        assert_eq!(read_labels(&path, 5).unwrap(), map);
        let seen = crate::rgb::read_rgb(&path).unwrap();
        assert_eq!(seen.into_raw(), [1, 2, 3, 200, 100, 50, 0, 0, 0]);
        let error = write_index_png(&path, &map, Some(&[[0; 3]; 257])).unwrap_err();
        assert!(matches!(error, Error::Config { key: "palette", .. }));
        assert_eq!(read_labels(&path, 5).unwrap(), map, "the file stays as it was");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn written_maps_are_read_back(width in 1u32..40, values in prop::collection::vec(any::<u8>(), 1..200), palette: bool) {
            let height = values.len() as u32 / width + 1;
            let map = GrayImage::from_fn(width, height, |x, y| {
                image::Luma([values[(x + y * width) as usize % values.len()]])
            });
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("map.png");
            write_index_png(&path, &map, palette.then_some(&[[9, 9, 9]; 20])).unwrap();
            prop_assert_eq!(read_labels(&path, 255).unwrap(), map);
        }

        #[test]
        fn no_content_panics(
            size in (0u32..70, 0u32..70), depth in 0u8..20, colour in 0u8..8, interlace in 0u8..3,
            lines in prop::collection::vec(any::<u8>(), 0..600), cut in 0usize..2000,
        ) {
            let whole = raw_png(size, [depth, colour, interlace], &lines);
            let _ = labels(&whole, 19);
            let _ = labels(&whole[..cut.min(whole.len())], 19);
        }

        #[test]
        fn no_damaged_byte_panics(at in 8usize..3000, to: u8) {
            let values: Vec<u8> = (0..40 * 40u32).map(|i| (i * i % 19) as u8).collect();
            let mut bytes = png_bytes((40, 40), ColorType::Indexed, BitDepth::Eight, &values);
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = labels(&bytes, 19);
        }
    }
}
