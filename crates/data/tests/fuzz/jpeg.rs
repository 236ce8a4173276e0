//! JPEG files: changes to the segments' heads, and an end marker so that the file is not refused as cut off.

use sconce_fuzz::{Random, damage_bytes};

/// An EXIF block (big-endian, one entry: orientation 6) between the start marker and the rest.
pub(crate) fn turned(jpeg: &[u8]) -> Vec<u8> {
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    [&jpeg[..2], exif, &jpeg[2..]].concat()
}

/// Changes one of the first numbers behind a marker, moves a segment, or anything.
pub(crate) fn damage(random: &mut Random, base: &[u8], other: &[u8]) -> Vec<u8> {
    let markers = markers(base);
    let mut bytes = base.to_vec();
    match random.below(4) {
        0 | 1 if !markers.is_empty() => {
            let at = random.pick(&markers) + 1 + random.below(20);
            let value = *random.pick(&[0, 1, 2, 3, 4, 16, 0x7f, 0x80, 0xc2, 0xff]);
            bytes.get_mut(at).into_iter().for_each(|byte| *byte = value);
        }
        2 if !markers.is_empty() => {
            let (start, end, to) = (*random.pick(&markers), *random.pick(&markers), *random.pick(&markers));
            let segments = base.get(start..end).unwrap_or_default().iter().copied();
            bytes.splice(to..to, segments);
        }
        _ => bytes = damage_bytes(random, base, other),
    }
    if random.one_in(2) {
        bytes.extend([0xff, 0xd9]);
    }
    bytes
}

/// Where markers are, but for those that stand in entropy-coded data.
fn markers(bytes: &[u8]) -> Vec<usize> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && (0xc0..=0xfe).contains(&pair[1]);
    (0..bytes.len().saturating_sub(1)).filter(|at| is_marker(&bytes[*at..at + 2])).collect()
}
