//! A hash table from packed vertices to consecutive numbers.
//!
//! The standard library's table compares sixteen slots in one vector instruction; only the hash is this module's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use super::key::Key;

/// Numbers keys in the order in which they are first seen.
pub(crate) struct Table<const WORDS: usize> {
    numbers: HashMap<Key<WORDS>, u32, BuildHasherDefault<Golden>>,
    keys: Vec<Key<WORDS>>,
}

impl<const WORDS: usize> Table<WORDS> {
    /// An empty table with room for `count` keys.
    pub(crate) fn with_room(count: usize) -> Self {
        let numbers = HashMap::with_capacity_and_hasher(count, BuildHasherDefault::default());
        Self { numbers, keys: Vec::new() }
    }

    /// All keys by their numbers.
    pub(crate) fn keys(&self) -> &[Key<WORDS>] {
        &self.keys
    }

    /// The number of a key, the next free one if the key is new.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: Key<WORDS>) -> u32 {
        match self.numbers.entry(key) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let number = self.keys.len() as u32;
                self.keys.push(key);
                *entry.insert(number)
            }
        }
    }

    /// The number of a key, if it is there.
    #[inline(always)]
    pub(crate) fn find(&self, key: &Key<WORDS>) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    /// Removes all keys and returns them by their numbers.
    pub(crate) fn take(&mut self) -> Vec<Key<WORDS>> {
        self.numbers.clear();
        std::mem::take(&mut self.keys)
    }
}

/// Multiplicative hashing by the golden ratio, after each word's upper half was folded into its lower one. The table takes its
/// slot from the lowest bits and compares the highest seven, so the best bits, the upper ones, are turned to the bottom.
#[derive(Debug, Clone, Copy, Default)]
struct Golden(u64);

impl Hasher for Golden {
    #[inline(always)]
    fn write_u64(&mut self, word: u64) {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let word = self.0.rotate_left(29) ^ word;
        self.0 = (word ^ (word >> 32)).wrapping_mul(GOLDEN);
    }

    /// The words of a key come as bytes.
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.write_u64(u64::from_ne_bytes(*word)));
        rest.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    /// The number of words, which is the same for every key.
    #[inline(always)]
    fn write_usize(&mut self, _length: usize) {}

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::Hash;

    use super::*;

    #[test]
    fn numbers_are_consecutive_and_stay() {
        let mut table = Table::<2>::with_room(1);
        let key = |i: u64| [i * i, i << 40];
        for i in 0..5000 {
            assert_eq!(table.insert(key(i)), i as u32);
            assert_eq!(table.insert(key(i / 2)), (i / 2) as u32);
        }
        assert!((0..5000).all(|i| table.find(&key(i)) == Some(i as u32)));
        assert_eq!(table.find(&key(5000)), None);
        assert_eq!(table.keys()[17], key(17));
        assert_eq!(table.take().len(), 5000);
        assert_eq!(table.find(&key(17)), None);
        assert_eq!(table.insert(key(3)), 0);
    }

    #[test]
    fn neighbouring_vertices_are_spread_over_the_slots() {
        // Two coordinates of 12 bits anywhere in the word, 64 values each: 4096 keys over as many slots.
        for shift in 0..=40 {
            let hash = |key: Key<1>| {
                let mut hasher = Golden::default();
                key.hash(&mut hasher);
                hasher.finish()
            };
            let keys = (0..64u64).flat_map(|i| (0..64u64).map(move |j| [i << shift | j << (shift + 12)]));
            let slots: HashSet<u64> = keys.map(|key| hash(key) % 4096).collect();
            // Thrown at random they would occupy 1 - 1/e of the slots, 2589.
            assert!(slots.len() > 2000, "shift {shift}: {} slots", slots.len());
        }
    }
}
