//! A hash table from packed vertices to consecutive numbers.

use super::key::Key;

/// Open addressing with linear probing; at most half full.
pub(crate) struct Table<const WORDS: usize> {
    slots: Vec<Slot<WORDS>>,
    keys: Vec<Key<WORDS>>,
    /// 64 less the logarithm of the number of slots.
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot<const WORDS: usize> {
    key: Key<WORDS>,
    number: u32,
}

/// Stands in slots that hold nothing.
const FREE: u32 = u32::MAX;

impl<const WORDS: usize> Table<WORDS> {
    /// An empty table with room for `count` keys.
    pub(crate) fn with_room(count: usize) -> Self {
        let slots = (2 * count).next_power_of_two().max(16);
        let slot = Slot { key: [0; WORDS], number: FREE };
        Self { slots: vec![slot; slots], keys: Vec::new(), shift: 64 - slots.ilog2() }
    }

    /// All keys by their numbers.
    pub(crate) fn keys(&self) -> &[Key<WORDS>] {
        &self.keys
    }

    /// The number of a key, the next free one if the key is new.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: Key<WORDS>) -> u32 {
        let place = self.place(&key);
        let slot = &mut self.slots[place];
        if slot.number != FREE {
            return slot.number;
        }
        let number = self.keys.len() as u32;
        *slot = Slot { key, number };
        self.keys.push(key);
        if 2 * self.keys.len() > self.slots.len() {
            self.grow();
        }
        number
    }

    /// The number of a key, if it is there.
    #[inline(always)]
    pub(crate) fn find(&self, key: &Key<WORDS>) -> Option<u32> {
        let number = self.slots[self.place(key)].number;
        (number != FREE).then_some(number)
    }

    /// Removes all keys and returns them by their numbers.
    pub(crate) fn take(&mut self) -> Vec<Key<WORDS>> {
        self.slots.fill(Slot { key: [0; WORDS], number: FREE });
        std::mem::take(&mut self.keys)
    }

    /// The slot of a key, or the free one where it belongs.
    #[inline(always)]
    fn place(&self, key: &Key<WORDS>) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = (hash(key) >> self.shift) as usize;
        loop {
            let slot = &self.slots[place & mask];
            if slot.number == FREE || slot.key == *key {
                return place & mask;
            }
            place += 1;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let mut larger = Self::with_room(self.slots.len());
        for (number, key) in self.keys.iter().enumerate() {
            let place = larger.place(key);
            larger.slots[place] = Slot { key: *key, number: number as u32 };
        }
        larger.keys = std::mem::take(&mut self.keys);
        *self = larger;
    }
}

/// Multiplicative hashing by the golden ratio: the high bits depend on all bits of the key.
#[inline(always)]
fn hash<const WORDS: usize>(key: &Key<WORDS>) -> u64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = 0u64;
    for word in key {
        hash = (hash.rotate_left(29) ^ word).wrapping_mul(GOLDEN);
    }
    hash
}

#[cfg(test)]
mod tests {
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
}
