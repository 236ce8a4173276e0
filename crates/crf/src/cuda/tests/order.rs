use proptest::prelude::*;

use super::{emulation, noise};
use crate::cuda::array::Array;
use crate::cuda::scan::scan;
use crate::cuda::sort::sort;

/// The sums that scan.cu makes, one after another.
fn sums_before(values: &[u32]) -> Vec<u32> {
    let sums = values.iter().scan(0u32, |sum, value| {
        let before = *sum;
        *sum = sum.wrapping_add(*value);
        Some(before)
    });
    sums.collect()
}

/// Keys of a plane for each word with so many bits; `kinds` of them differ.
fn keys(seed: u64, entries: usize, bits: &[u32], kinds: usize) -> Vec<u64> {
    let chosen = noise(seed, entries);
    let words = bits.iter().enumerate().flat_map(|(word, bits)| {
        chosen.iter().map(move |value| {
            let kind = (value * kinds as f32) as u64;
            (kind + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 + 2 * word as u64) >> (64 - bits)
        })
    });
    words.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn scans(count in 1usize..20_000, seed in 0u64..100) {
        let Some(card) = emulation() else { return Ok(()) };
        let values: Vec<u32> = noise(seed, count).iter().map(|value| (value * 2e6) as u32).collect();
        let array = Array::upload(&card, &values).unwrap();
        scan(&card, &array).unwrap();
        prop_assert_eq!(array.download(&card).unwrap(), sums_before(&values));
    }

    #[test]
    fn sorts(
        entries in 1usize..9000, bits in prop::collection::vec(1u32..=64, 1..4), kinds in 1usize..5000,
        seed in 0u64..100,
    ) {
        let Some(card) = emulation() else { return Ok(()) };
        let keys = keys(seed, entries, &bits, kinds);
        let mut want: Vec<u32> = (0..entries as u32).collect();
        let key = |entry: u32| (0..bits.len()).rev().map(move |word| (word, entry as usize));
        want.sort_by_key(|entry| key(*entry).map(|(word, at)| keys[word * entries + at]).collect::<Vec<_>>());
        let order = sort(&card, &Array::upload(&card, &keys).unwrap(), &bits).unwrap();
        prop_assert_eq!(order.download(&card).unwrap(), want);
    }
}
