//! Small sets and files for this crate's tests.

use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};
use png::{BitDepth, ColorType};

use crate::dataset::{Dataset, Sample};
use crate::edges::edge_map;
use crate::error::Error;

/// A set in memory: sample `i` is a picture of blocks that depends on `i` alone.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) samples: usize,
    pub(crate) size: (u32, u32),
    classes: Vec<String>,
}

impl Blocks {
    pub(crate) fn new(samples: usize, size: (u32, u32)) -> Self {
        let classes = ["ground", "left", "right", "nose"].map(String::from).to_vec();
        Self { samples, size, classes }
    }
}

impl Dataset<2> for Blocks {
    fn len(&self) -> usize {
        self.samples
    }

    fn read(&self, index: usize) -> Result<Sample<2>, Error> {
        if index >= self.samples {
            return Err(Error::Index { index, len: self.samples });
        }
        let label = |x: u32, y: u32| Luma([((x / 5 + 3 * (y / 7) + index as u32) % 4) as u8]);
        let labels = GrayImage::from_fn(self.size.0, self.size.1, label);
        let edges = edge_map(&labels);
        Ok(Sample { image: coloured(&labels), targets: [labels, edges] })
    }

    fn id(&self, index: usize) -> String {
        format!("{index:03}")
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &[(1, 2)]
    }
}

/// A picture in which every label has a colour of its own and none is black.
pub(crate) fn coloured(labels: &GrayImage) -> RgbImage {
    RgbImage::from_fn(labels.width(), labels.height(), |x, y| colour_of(labels.get_pixel(x, y)[0]))
}

pub(crate) fn colour_of(label: u8) -> Rgb<u8> {
    Rgb([20 + 50 * (label % 4), 10 + label / 4, 200 - 30 * (label % 4)])
}

/// A PNG of packed rows.
pub(crate) fn png_bytes(size: (u32, u32), colour: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        encoder.set_palette((0..3u32 << (depth as u8)).map(|v| (v * 37 % 251) as u8).collect::<Vec<_>>());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A PNG with this header and these scan lines (each with its filter byte), correct in its checksums and in nothing
/// else. Made by hand, because the encoder writes no interlaced files and no wrong ones.
pub(crate) fn raw_png(size: (u32, u32), [depth, colour, interlace]: [u8; 3], lines: &[u8]) -> Vec<u8> {
    let mut header = [size.0.to_be_bytes(), size.1.to_be_bytes()].concat();
    header.extend([depth, colour, 0, 0, interlace]);
    let mut stream = vec![0x78, 0x01];
    for (number, block) in lines.chunks(0xffff).enumerate() {
        let last = (number + 1) * 0xffff >= lines.len();
        let length = block.len() as u16;
        stream.push(u8::from(last));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(lines).to_be_bytes());
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in
        [(b"IHDR", &header), (b"PLTE", &[90; 768].to_vec()), (b"IDAT", &stream), (b"IEND", &vec![])]
    {
        file.extend((data.len() as u32).to_be_bytes());
        let body = [name.as_slice(), data.as_slice()].concat();
        file.extend(&body);
        file.extend(crc32(&body).to_be_bytes());
    }
    file
}

fn adler32(data: &[u8]) -> u32 {
    let step = |(a, b): (u32, u32), v: &u8| ((a + u32::from(*v)) % 65521, (a + u32::from(*v) + b) % 65521);
    let (a, b) = data.iter().fold((1, 0), step);
    b << 16 | a
}

fn crc32(data: &[u8]) -> u32 {
    let bit = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    !data.iter().fold(!0, |crc, v| (0..8).fold(crc ^ u32::from(*v), bit))
}

/// A JPEG of smooth colours.
pub(crate) fn jpeg_bytes(width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8 * 3, y as u8 * 3, 90]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&image).unwrap();
    bytes
}

/// Writes a file and the folders above it.
pub(crate) fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// An 8-bit gray PNG.
pub(crate) fn gray_png(map: &GrayImage) -> Vec<u8> {
    png_bytes(map.dimensions(), ColorType::Grayscale, BitDepth::Eight, map)
}
