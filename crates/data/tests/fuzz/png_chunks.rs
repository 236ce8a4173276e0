//! PNG files taken apart into chunks, and put together with checksums that are right.

use png::{BitDepth, ColorType};
use sconce_fuzz::{EXTREMES, Random, damage_bytes};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Chunks that a decoder looks into.
const NAMES: [&[u8; 4]; 16] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"gAMA", b"cHRM", b"sBIT",
    b"iCCP", b"eXIf", b"zTXt", b"iTXt", b"pHYs",
];

#[derive(Clone)]
struct Chunk {
    name: [u8; 4],
    data: Vec<u8>,
}

/// A gray or palette PNG of zeros and ones.
pub(crate) fn file((width, height): (u32, u32), colour: ColorType, depth: BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        encoder.set_palette([0, 0, 0, 255, 99, 7].as_slice());
    }
    let line = (width as usize * depth as usize).div_ceil(8);
    let bit = |i: usize| if depth as u8 == 16 { (i % 2 * (i / 2 % 2)) as u8 } else { (i % 2) as u8 };
    let data: Vec<u8> = (0..line * height as usize).map(bit).collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// An interlaced 8-bit map of 5 x 5 zeros; its data are stored uncompressed.
pub(crate) fn interlaced() -> Vec<u8> {
    // Pixels in each row of the seven passes (PNG specification, section 8.2).
    let lines = [1, 1, 2, 1, 1, 3, 2, 2, 2, 5, 5];
    let pixels: Vec<u8> = lines.iter().flat_map(|width| vec![0; 1 + width]).collect();
    let length = pixels.len() as u16;
    let mut data = vec![0x78, 0x01, 1];
    data.extend(length.to_le_bytes());
    data.extend((!length).to_le_bytes());
    data.extend(&pixels);
    data.extend((u32::from(length) << 16 | 1).to_be_bytes()); // Adler-32 of zeros
    let header = vec![0, 0, 0, 5, 0, 0, 0, 5, 8, 0, 0, 0, 1];
    let chunk = |name: &[u8; 4], data| Chunk { name: *name, data };
    joined(&[chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", Vec::new())])
}

/// A picture of one pixel, with a palette of so many bytes.
pub(crate) fn with_palette(length: usize) -> Vec<u8> {
    let mut chunks = split(&file((1, 1), ColorType::Indexed, BitDepth::Eight));
    chunks.iter_mut().filter(|chunk| &chunk.name == b"PLTE").for_each(|chunk| chunk.data.resize(length, 7));
    joined(&chunks)
}

/// One change to a chunk, to the order of the chunks, or now and then to the bytes, with wrong checksums.
pub(crate) fn damage(random: &mut Random, base: &[u8], other: &[u8]) -> Vec<u8> {
    let (mut chunks, others) = (split(base), split(other));
    if chunks.is_empty() || random.one_in(8) {
        return damage_bytes(random, base, other);
    }
    let (at, to) = (random.below(chunks.len()), random.below(chunks.len()));
    match random.below(8) {
        0 | 1 => put_header(random, &mut chunks[0].data),
        2 | 3 => {
            let strange = others.get(random.below(others.len())).map_or(&[][..], |chunk| &chunk.data);
            chunks[at].data = damage_bytes(random, &chunks[at].data, strange);
        }
        4 => drop(chunks.remove(at)),
        5 => chunks.swap(at, to),
        6 => chunks.insert(to, chunks[at].clone()),
        _ => {
            let data = chunks[to].data[random.part(chunks[to].data.len())].to_vec();
            let made = Chunk { name: **random.pick(&NAMES), data };
            chunks.insert(at, others.get(random.below(2 * others.len())).cloned().unwrap_or(made));
        }
    }
    joined(&chunks)
}

/// Changes the width, the height, or one of depth, colour, compression, filter and interlacing.
fn put_header(random: &mut Random, data: &mut [u8]) {
    let Some(header) = data.first_chunk_mut::<13>() else { return };
    let number = (*random.pick(&EXTREMES) as u32).to_be_bytes();
    match random.below(4) {
        0 => header[..4].copy_from_slice(&number),
        1 => header[4..8].copy_from_slice(&number),
        2 => header[random.below(8)] = random.byte(),
        _ => header[8 + random.below(5)] = *random.pick(&[0, 1, 2, 3, 4, 6, 8, 16, 255]),
    }
}

/// The chunks of a file as far as it has any.
fn split(bytes: &[u8]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut rest = bytes.strip_prefix(SIGNATURE).unwrap_or_default();
    while let Some((length, tail)) = rest.split_first_chunk::<4>()
        && let Some((name, tail)) = tail.split_first_chunk::<4>()
    {
        let (data, tail) = tail.split_at(tail.len().min(u32::from_be_bytes(*length) as usize));
        chunks.push(Chunk { name: *name, data: data.to_vec() });
        rest = tail.get(4..).unwrap_or_default();
    }
    chunks
}

fn joined(chunks: &[Chunk]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    for Chunk { name, data } in chunks {
        bytes.extend((data.len() as u32).to_be_bytes());
        bytes.extend(name);
        bytes.extend(data);
        bytes.extend(crc32(name.iter().chain(data)).to_be_bytes());
    }
    bytes
}

fn crc32<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let bit = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    !bytes.fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

#[test]
fn chunks_are_joined_as_they_were() {
    let bytes = file((13, 9), ColorType::Indexed, BitDepth::Four);
    assert!(split(&bytes).len() >= 4);
    assert_eq!(joined(&split(&bytes)), bytes);
}
