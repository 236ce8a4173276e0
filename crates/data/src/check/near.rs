//! Hashes of 64 bits that differ in few bits, found without comparing each with all others.
//!
//! Multi-index hashing (M. Norouzi, A. Punjani and D. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", 2012): bits are
//! cut into bands. Of two hashes that differ in at most d = m q + a bits, m being the number of bands and a < m, one of the first a + 1
//! bands differs in at most q bits or one of the others in at most q - 1: else there were (a + 1)(q + 1) + (m - a - 1) q = d + 1
//! differing bits. A table for each band gives the hashes of each value, and is asked for all values that near.

/// Hashes by the values of their bands.
pub(super) struct Near<'a> {
    hashes: &'a [u64],
    bands: Vec<Band>,
    /// Most bits by which hashes differ.
    bits: u32,
}

/// Some neighbouring bits, and what has which value there.
struct Band {
    shift: u32,
    width: u32,
    /// Differences that are looked up: all words of `width` bits with few ones.
    masks: Vec<u64>,
    /// For each value the begin of its places, and of all the end.
    begins: Vec<u32>,
    /// Places of the hashes, by value.
    places: Vec<u32>,
}

impl<'a> Near<'a> {
    /// An index of hashes, for those that differ in at most `bits` of the 64.
    pub(super) fn new(hashes: &'a [u64], bits: u32) -> Self {
        // A table about as long as the list: then a value of a band is that of about one hash.
        let wide = hashes.len().max(2).ilog2().clamp(5, 16);
        let count = u64::BITS.div_ceil(wide);
        let radius = |band: u32| (bits / count + u32::from(band <= bits % count)).checked_sub(1);
        let bands = (0..count).filter_map(|band| {
            let (shift, end) = (band * u64::BITS / count, (band + 1) * u64::BITS / count);
            Some(Band::new(hashes, shift, end - shift, radius(band)?))
        });
        Self { hashes, bands: bands.collect(), bits }
    }

    /// The places of the hashes near this one, in rising order.
    pub(super) fn to(&self, hash: u64) -> Vec<usize> {
        let is_near = |place: &&u32| (self.hashes[**place as usize] ^ hash).count_ones() <= self.bits;
        let mut near: Vec<usize> =
            self.candidates(hash).flatten().filter(is_near).map(|place| *place as usize).collect();
        near.sort_unstable();
        near.dedup();
        near
    }

    /// The places that share a value with this hash, or nearly.
    fn candidates(&self, hash: u64) -> impl Iterator<Item = &[u32]> {
        self.bands.iter().flat_map(move |band| {
            let value = band.value(hash);
            band.masks.iter().map(move |mask| band.places_of((value ^ mask) as usize))
        })
    }
}

impl Band {
    fn new(hashes: &[u64], shift: u32, width: u32, radius: u32) -> Self {
        let masks = (0..1 << width).filter(|mask: &u64| mask.count_ones() <= radius).collect();
        let mut band =
            Self { shift, width, masks, begins: vec![0; (1 << width) + 1], places: vec![0; hashes.len()] };
        for hash in hashes {
            let value = band.value(*hash) as usize;
            band.begins[value + 1] += 1;
        }
        for value in 0..1 << width {
            band.begins[value + 1] += band.begins[value];
        }
        let mut next = band.begins.clone();
        for (place, hash) in (0..).zip(hashes) {
            let slot = &mut next[band.value(*hash) as usize];
            band.places[*slot as usize] = place;
            *slot += 1;
        }
        band
    }

    fn value(&self, hash: u64) -> u64 {
        hash >> self.shift & ((1 << self.width) - 1)
    }

    fn places_of(&self, value: usize) -> &[u32] {
        &self.places[self.begins[value] as usize..self.begins[value + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Random hashes, every third of which is an earlier one with up to 16 bits turned.
    fn hashes(count: usize, seed: u64) -> Vec<u64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut hashes: Vec<u64> = Vec::with_capacity(count);
        for place in 0..count {
            let mut hash = rng.random::<u64>();
            if place % 3 == 2 {
                hash = hashes[rng.random_range(0..place)];
                for _ in 0..rng.random_range(0..=16) {
                    hash ^= 1 << rng.random_range(0..64);
                }
            }
            hashes.push(hash);
        }
        hashes
    }

    #[test]
    fn what_is_found_is_what_the_plain_search_finds() {
        let mut found = 0;
        for (count, bits) in
            [(0, 12), (1, 12), (2, 12), (40, 12), (700, 0), (700, 3), (700, 12), (1500, 13), (1500, 20)]
        {
            let hashes = hashes(count, u64::from(bits));
            let near = Near::new(&hashes, bits);
            for hash in &hashes {
                let plain: Vec<usize> =
                    (0..count).filter(|place| (hashes[*place] ^ hash).count_ones() <= bits).collect();
                assert_eq!(near.to(*hash), plain, "{count} hashes, {bits} bits");
                found += plain.len() - 1;
            }
        }
        assert!(found > 2000, "{found} near ones");
    }

    #[test]
    fn a_hash_is_compared_with_few_of_many() {
        let hashes = hashes(20_000, 7);
        let begun = std::time::Instant::now();
        let near = Near::new(&hashes, 12);
        let pairs: usize = hashes.iter().map(|hash| near.to(*hash).len() - 1).sum();
        let seconds = begun.elapsed().as_secs_f64();
        let compared: usize =
            hashes.iter().step_by(20).flat_map(|hash| near.candidates(*hash)).map(<[u32]>::len).sum();
        let looked_up: usize = near.bands.iter().map(|band| band.masks.len()).sum();
        println!(
            "{pairs} pairs in {seconds:.3} s, {} of 20000 compared, {looked_up} looked up",
            compared / 1000
        );
        assert!(pairs > 5000 && compared / 1000 + looked_up < 3000, "{} compared", compared / 1000);
    }

    #[test]
    fn equal_hashes_are_all_found() {
        let near = Near { bands: Vec::new(), ..Near::new(&[5; 9], 12) };
        assert!(near.to(5).is_empty(), "without bands nothing is");
        assert_eq!(Near::new(&[5; 9], 12).to(5).len(), 9);
    }
}
