//! Which labels a map holds.

/// A set of label values, 0..=255, in 32 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Presence([u64; 4]);

impl Presence {
    /// The values that occur.
    #[must_use]
    pub fn of(values: &[u8]) -> Self {
        let mut found = [false; 256];
        values.iter().for_each(|value| found[usize::from(*value)] = true);
        let mut set = Self::default();
        (0..=u8::MAX).filter(|value| found[usize::from(*value)]).for_each(|value| set.insert(value));
        set
    }

    /// Adds a value.
    pub fn insert(&mut self, value: u8) {
        self.0[usize::from(value / 64)] |= 1 << (value % 64);
    }

    /// Whether a value is there.
    #[must_use]
    pub fn contains(&self, value: u8) -> bool {
        self.0[usize::from(value / 64)] >> (value % 64) & 1 == 1
    }

    /// The values, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|value| self.contains(*value))
    }

    /// The values of either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_apart() {
        let set = Presence::of(&[0, 63, 64, 255, 0]).union(Presence::of(&[7]));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 7, 63, 64, 255]);
        assert!(set.contains(64) && !set.contains(65));
        assert_eq!(Presence::of(&[]).iter().count(), 0);
    }
}
