use candle_core::Result;
use proptest::prelude::*;

use super::{at, at_mut, bytes, emulation};
use crate::ConfusionCounts;
use crate::cuda::confusion;
use crate::testing::hashed_labels;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn counts(n in 1usize..4, h in 1usize..90, w in 1usize..90, classes in 1usize..20, most in 1usize..9) {
        let Some(card) = emulation() else { return Ok(()) };
        let (truth, predicted) = (hashed_labels("truth", (n, h, w), classes), hashed_labels("predicted", (n, h, w), classes));
        let predicted = predicted.minimum((classes - 1) as u8)?;
        let mut want = ConfusionCounts::new(classes);
        want.add(&truth, &predicted, 255)?;
        let (truth, predicted, mut table) = (bytes(&truth), bytes(&predicted), vec![-1i64; classes * classes + 1]);
        let maps = [at(&truth), at(&predicted), at_mut(&mut table)];
        // SAFETY: as many labels in both maps, and a place for each pair of classes and one more.
        unsafe { confusion::confusion(card, (classes, 255), maps, truth.len(), most) }?;
        prop_assert_eq!(table.pop(), Some(0));
        let table: Vec<u64> = table.into_iter().map(|count| count as u64).collect();
        prop_assert_eq!(table, want.read()?);
    }
}

#[test]
fn labels_that_are_no_classes_are_counted_apart() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (truth, predicted, mut table) = ([0u8, 1, 2, 255, 1], [0u8, 2, 0, 7, 1], [-1i64; 5]);
    let maps = [at(&truth), at(&predicted), at_mut(&mut table)];
    // SAFETY: five pixels, two classes.
    unsafe { confusion::confusion(card, (2, 255), maps, 5, confusion::TABLES) }?;
    assert_eq!(table, [1, 0, 0, 1, 2]);
    Ok(())
}
