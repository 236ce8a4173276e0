//! Dividing a set so that each part gets its share of every class.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::dataset::VOID;
use crate::error::Error;
use crate::presence::Presence;
use crate::random::{Purpose, stream};

/// Share of the images in train, val and test; together 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fractions([f64; 3]);

impl Fractions {
    /// Eight of ten to train on, one to validate, one to test.
    pub const DEFAULT: Self = Self([0.8, 0.1, 0.1]);

    /// Shares of train, val and test.
    ///
    /// # Errors
    /// [`Error::Config`] unless each is between 0 and 1, that of train above 0, and all together 1.
    pub fn new(shares: [f64; 3]) -> Result<Self, Error> {
        let wrong = |reason: &str| {
            let [train, val, test] = shares;
            Err(Error::Config { key: "fractions", reason: format!("{train}, {val}, {test}: {reason}") })
        };
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return wrong("each must be between 0 and 1");
        }
        if shares[0] == 0.0 {
            return wrong("the first is the training set's and must be above 0");
        }
        if (shares.iter().sum::<f64>() - 1.0).abs() > 1e-6 {
            return wrong("together they must be 1");
        }
        Ok(Self(shares))
    }

    /// Shares of train, val and test.
    #[must_use]
    pub fn shares(self) -> [f64; 3] {
        self.0
    }
}

/// Divides items by the labels that each holds; returns the items' numbers for train, val and test, in rising order.
///
/// Iterative stratification: the rarest class is dealt out first, each of its items to the part that lacks most of
/// that class, then most items, then by lot. So a class of ten images has one in a part of a tenth, where chance would
/// often give none. Void is no class. The same seed gives the same parts.
///
/// Source: K. Sechidis, G. Tsoumakas and I. Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011,
/// algorithm 1.
///
/// # Errors
/// [`Error::Config`] if there are fewer items than parts with a share.
pub fn stratified_split(
    items: &[Presence],
    fractions: Fractions,
    seed: u64,
) -> Result<[Vec<usize>; 3], Error> {
    let parts = fractions.0.iter().filter(|share| **share > 0.0).count();
    if items.len() < parts {
        let reason = format!("{} images cannot be divided into {parts} parts", items.len());
        return Err(Error::Config { key: "fractions", reason });
    }
    let mut dealer = Dealer::new(items, fractions, seed);
    while let Some(label) = dealer.rarest() {
        dealer.deal(Some(label));
    }
    dealer.deal(None);
    dealer.fill_empty();
    let mut parts = dealer.parts;
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}

/// The state of the deal.
struct Dealer<'a> {
    items: &'a [Presence],
    /// Numbers of the items not dealt yet, in an order drawn by the seed.
    left: Vec<usize>,
    /// How many items of each label each part still wants; can fall below 0.
    wanted: [[f64; 256]; 3],
    /// How many items each part still wants.
    wanted_items: [f64; 3],
    /// Items of each label not dealt yet.
    remaining: [usize; 256],
    parts: [Vec<usize>; 3],
    /// The parts that are to have items.
    open: Vec<usize>,
    rng: ChaCha8Rng,
}

impl<'a> Dealer<'a> {
    fn new(items: &'a [Presence], fractions: Fractions, seed: u64) -> Self {
        let mut rng = stream(seed, Purpose::Stratify, 0, 0);
        let mut left: Vec<usize> = (0..items.len()).collect();
        left.shuffle(&mut rng);
        let mut remaining = [0; 256];
        items.iter().flat_map(Presence::iter).for_each(|label| remaining[usize::from(label)] += 1);
        remaining[usize::from(VOID)] = 0;
        Self {
            items,
            left,
            wanted: fractions.0.map(|share| remaining.map(|count| share * count as f64)),
            wanted_items: fractions.0.map(|share| share * items.len() as f64),
            remaining,
            parts: Default::default(),
            open: (0..3).filter(|part| fractions.0[*part] > 0.0).collect(),
            rng,
        }
    }

    /// The label that the fewest items left hold, the lower one of two.
    fn rarest(&self) -> Option<u8> {
        let held = (0..VOID).filter(|label| self.remaining[usize::from(*label)] > 0);
        held.min_by_key(|label| self.remaining[usize::from(*label)])
    }

    /// Deals every item left that holds the label, or simply every item left.
    fn deal(&mut self, label: Option<u8>) {
        let holds = |item: usize| label.is_none_or(|label| self.items[item].contains(label));
        let (taken, left) = self.left.iter().partition::<Vec<usize>, _>(|item| holds(**item));
        self.left = left;
        for item in taken {
            let part = self.neediest(label);
            self.give(item, part);
        }
    }

    fn neediest(&mut self, label: Option<u8>) -> usize {
        let need = |part: usize| {
            let of_label = label.map_or(0.0, |label| self.wanted[part][usize::from(label)]);
            (of_label, self.wanted_items[part])
        };
        let most = self
            .open
            .iter()
            .map(|part| need(*part))
            .fold((f64::MIN, f64::MIN), |a, b| if less(a, b) { b } else { a });
        let tied: Vec<usize> = self.open.iter().copied().filter(|part| !less(need(*part), most)).collect();
        match tied[..] {
            [part] => part,
            _ => tied[self.rng.random_range(0..tied.len() as u32) as usize],
        }
    }

    fn give(&mut self, item: usize, part: usize) {
        self.parts[part].push(item);
        self.wanted_items[part] -= 1.0;
        for label in self.items[item].iter().filter(|label| *label != VOID).map(usize::from) {
            self.wanted[part][label] -= 1.0;
            self.remaining[label] -= 1;
        }
    }

    /// Moves an item of the largest part to each part that was to have some and got none, as happens in small sets.
    fn fill_empty(&mut self) {
        let empty: Vec<usize> =
            self.open.iter().copied().filter(|part| self.parts[*part].is_empty()).collect();
        for part in empty {
            let largest = (0..3).rev().max_by_key(|other| self.parts[*other].len());
            let moved = largest.and_then(|largest| self.parts[largest].pop());
            self.parts[part].extend(moved);
        }
    }
}

/// Order of needs: by label, then by items; numbers that differ by rounding alone are equal.
fn less(a: (f64, f64), b: (f64, f64)) -> bool {
    const ROUNDING: f64 = 1e-9;
    if (a.0 - b.0).abs() > ROUNDING { a.0 < b.0 } else { a.1 < b.1 - ROUNDING }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 200 images with background, 20 with a hat, 10 with a necklace, 5 of them with both.
    fn faces() -> Vec<Presence> {
        let labels = |at: usize| match at {
            0..5 => vec![0, 1, 2],
            5..20 => vec![0, 1],
            20..25 => vec![0, 2],
            _ => vec![0, VOID],
        };
        (0..200).map(|at| Presence::of(&labels((at * 77) % 200))).collect()
    }

    fn with(label: u8, part: &[usize], items: &[Presence]) -> usize {
        part.iter().filter(|item| items[**item].contains(label)).count()
    }

    #[test]
    fn every_part_gets_its_share_of_rare_classes() {
        let items = faces();
        for seed in 0..20 {
            let parts = stratified_split(&items, Fractions::DEFAULT, seed).unwrap();
            assert_eq!(parts.each_ref().map(Vec::len), [160, 20, 20], "seed {seed}");
            assert_eq!(parts.each_ref().map(|part| with(1, part, &items)), [16, 2, 2], "seed {seed}");
            assert_eq!(parts.each_ref().map(|part| with(2, part, &items)), [8, 1, 1], "seed {seed}");
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        let split = |seed| stratified_split(&faces(), Fractions::DEFAULT, seed).unwrap();
        assert_eq!(split(4), split(4));
        assert_ne!(split(4), split(5));
    }

    #[test]
    fn nonsense_fractions_are_refused() {
        let nonsense =
            [[0.8, 0.1, 0.2], [1.2, -0.1, -0.1], [f64::NAN, 0.5, 0.5], [0.0, 0.5, 0.5], [80.0, 10.0, 10.0]];
        for shares in nonsense {
            assert!(Fractions::new(shares).unwrap_err().to_string().starts_with("fractions: "), "{shares:?}");
        }
        assert!(Fractions::new([0.7, 0.2, 0.1]).is_ok() && Fractions::new([1.0, 0.0, 0.0]).is_ok());
        let error = stratified_split(&faces()[..2], Fractions::DEFAULT, 1).unwrap_err().to_string();
        assert!(error.contains("2 images cannot be divided into 3 parts"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_item_is_in_one_part_and_no_wanted_part_is_empty(
            labels in prop::collection::vec(prop::collection::vec(0u8..6, 0..4), 3..60), seed: u64, test: bool,
        ) {
            let items: Vec<Presence> = labels.iter().map(|labels| Presence::of(labels)).collect();
            let shares = if test { [0.6, 0.2, 0.2] } else { [0.8, 0.2, 0.0] };
            let parts = stratified_split(&items, Fractions::new(shares).unwrap(), seed).unwrap();
            let mut all = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..items.len()).collect::<Vec<_>>());
            for (part, share) in parts.iter().zip(shares) {
                prop_assert_eq!(part.is_empty(), share == 0.0);
            }
        }
    }
}
