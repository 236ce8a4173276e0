//! Damage that knows no format.

use crate::Random;

/// Numbers at which readers fail: at the ends of types, and around them.
pub const EXTREMES: [u64; 22] = [
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    1000,
    4096,
    32_767,
    32_768,
    65_535,
    65_536,
    1_000_000,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// A part repeated more often than this would only be a longer file.
const MOST_REPEATS: usize = 2000;

/// One change: of a bit, a byte or a number; a part that is cut off, taken out, repeated, moved, or comes from `other`.
pub fn damage_bytes(random: &mut Random, base: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    let at = random.below(bytes.len());
    let part = random.part(bytes.len());
    match random.below(10) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 if !bytes.is_empty() => bytes[at] = random.byte(),
        2 | 3 => put_number(random, &mut bytes, at),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(part)),
        6 => insert(&mut bytes, at, &base[part]),
        7 => insert(&mut bytes, at, &other[random.part(other.len())]),
        8 => {
            let cut = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[cut..]);
        }
        _ => insert(&mut bytes, at, &base[part].repeat(random.below(MOST_REPEATS))),
    }
    bytes
}

/// Writes an extreme number of 1, 2, 4 or 8 bytes, either end first.
fn put_number(random: &mut Random, bytes: &mut [u8], at: usize) {
    let (number, width) = (*random.pick(&EXTREMES), *random.pick(&[1, 2, 4, 8]));
    let mut digits = number.to_le_bytes()[..width].to_vec();
    if random.one_in(2) {
        digits.reverse();
    }
    bytes[at..].iter_mut().zip(digits).for_each(|(byte, digit)| *byte = digit);
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_empty_files_do_no_harm() {
        let many = |seed, base: &[u8], other: &[u8]| -> Vec<Vec<u8>> {
            let mut random = Random::new(seed);
            (0..500).map(|_| damage_bytes(&mut random, base, other)).collect()
        };
        assert_eq!(many(1, b"abcdef", b"123"), many(1, b"abcdef", b"123"));
        assert_ne!(many(1, b"abcdef", b"123"), many(2, b"abcdef", b"123"));
        let changed = many(1, b"abcdef", b"123").iter().filter(|bytes| *bytes != b"abcdef").count();
        assert!(changed > 350, "{changed}");
        assert_eq!(many(1, b"", b"").len(), 500);
    }
}
