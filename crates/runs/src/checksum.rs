//! XXH64, a fast 64-bit checksum: it detects damage, not forgery.
//!
//! Source: the xxHash fast digest algorithm specification, section XXH64; the seed is 0.

/// A checksum over bytes that arrive in pieces.
pub(crate) struct Checksum {
    lanes: [u64; 4],
    /// Bytes of an incomplete stripe.
    rest: Vec<u8>,
    length: u64,
}

const STRIPE: usize = 32;
const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

impl Checksum {
    pub(crate) fn new() -> Self {
        let lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, 0_u64.wrapping_sub(PRIME_1)];
        Self { lanes, rest: Vec::with_capacity(STRIPE), length: 0 }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if !self.rest.is_empty() {
            let (head, tail) = bytes.split_at(bytes.len().min(STRIPE - self.rest.len()));
            self.rest.extend_from_slice(head);
            bytes = tail;
            if self.rest.len() < STRIPE {
                return;
            }
            add_stripe(&mut self.lanes, &self.rest);
            self.rest.clear();
        }
        let (stripes, rest) = bytes.split_at(bytes.len() - bytes.len() % STRIPE);
        let mut lanes = self.lanes;
        stripes.chunks_exact(STRIPE).for_each(|stripe| add_stripe(&mut lanes, stripe));
        self.lanes = lanes;
        self.rest.extend_from_slice(rest);
    }

    pub(crate) fn finish(&self) -> u64 {
        let start = if self.length < STRIPE as u64 { PRIME_5 } else { merge(self.lanes) };
        mix(add_rest(start.wrapping_add(self.length), &self.rest))
    }
}

fn add_stripe(lanes: &mut [u64; 4], stripe: &[u8]) {
    for (lane, word) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
        *lane = round(*lane, number(word));
    }
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

fn merge(lanes: [u64; 4]) -> u64 {
    let [a, b, c, d] = lanes;
    let sum = a.rotate_left(1).wrapping_add(b.rotate_left(7));
    let sum = sum.wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
    lanes.iter().fold(sum, |sum, &lane| (sum ^ round(0, lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4))
}

fn add_rest(mut sum: u64, rest: &[u8]) -> u64 {
    let (words, rest) = rest.split_at(rest.len() - rest.len() % 8);
    for word in words.chunks_exact(8) {
        sum = (sum ^ round(0, number(word))).rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
    }
    let (half, bytes) = rest.split_at(rest.len() - rest.len() % 4);
    if !half.is_empty() {
        let product = number(half).wrapping_mul(PRIME_1);
        sum = (sum ^ product).rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
    }
    for byte in bytes {
        sum = (sum ^ u64::from(*byte).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
    }
    sum
}

/// Spreads every input bit over all output bits.
fn mix(sum: u64) -> u64 {
    let sum = (sum ^ (sum >> 33)).wrapping_mul(PRIME_2);
    let sum = (sum ^ (sum >> 29)).wrapping_mul(PRIME_3);
    sum ^ (sum >> 32)
}

/// Up to eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut checksum = Checksum::new();
        checksum.update(bytes);
        checksum.finish()
    }

    #[test]
    fn it_equals_the_published_values() {
        assert_eq!(of(b""), 0xEF46_DB37_51D8_E999);
        assert_eq!(of(b"a"), 0xD24E_C4F1_A98C_6E5B);
        assert_eq!(of(b"abc"), 0x44BC_2CF5_AD77_0999);
        assert_eq!(of(b"Nobody inspects the spammish repetition"), 0xFBCE_A83C_8A37_8BF1);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0.0..1.0, second in 0.0..1.0) {
            let at = |share: f64| (share * bytes.len() as f64) as usize;
            let (a, b) = (at(cut).min(at(second)), at(cut).max(at(second)));
            let mut checksum = Checksum::new();
            for piece in [&bytes[..a], &bytes[a..b], &bytes[b..]] {
                checksum.update(piece);
            }
            prop_assert_eq!(checksum.finish(), of(&bytes));
        }

        #[test]
        fn every_flipped_bit_shows(mut bytes in prop::collection::vec(any::<u8>(), 1..200), place in any::<prop::sample::Index>(), bit in 0..8) {
            let before = of(&bytes);
            let place = place.index(bytes.len());
            bytes[place] ^= 1_u8 << bit;
            prop_assert_ne!(of(&bytes), before);
        }
    }
}
