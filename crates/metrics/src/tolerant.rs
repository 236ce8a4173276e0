//! Scores of thin lines that forgive a small shift.

use crate::binary::{bad_label, same_length};
use crate::confusion::ratio;
use crate::{Error, Map};

/// Precision and recall of thin lines within a distance: a predicted pixel is a hit when a true one lies within the
/// radius, a true pixel is found when a predicted one lies within the radius.
///
/// A line of one or two pixels' width that is drawn one pixel beside its place scores nearly nothing by plain overlap;
/// boundary scores with a slack are the usual remedy (Martin, Fowlkes and Malik 2004). Here every pixel looks for its
/// nearest one by itself, without one-to-one matching, so a prediction that is too thick by less than the radius loses
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerant {
    radius: u8,
    /// Predicted pixels with a true one within the radius.
    pub hits: u64,
    /// Predicted pixels.
    pub predicted: u64,
    /// True pixels with a predicted one within the radius.
    pub found: u64,
    /// True pixels.
    pub truth: u64,
}

impl Tolerant {
    /// Nothing counted yet; `radius` is the greatest distance between the middles of two pixels, in pixels (Euclidean). 0
    /// makes the scores those of [`Binary`](crate::Binary).
    pub fn new(radius: u8) -> Self {
        Self { radius, hits: 0, predicted: 0, found: 0, truth: 0 }
    }

    /// Counts one pair of maps of `width` x `height` pixels, row by row, 1 foreground and 0 background. Pixels whose truth is
    /// `ignore` do not count, and nothing that was predicted there is near anything.
    ///
    /// Takes time in proportion to pixels and radius.
    ///
    /// # Errors
    /// [`Error::Lengths`] when the maps differ in length, [`Error::Size`] when they do not have width x height pixels,
    /// [`Error::Label`] for the first pixel of another label. Nothing is counted then.
    pub fn add(
        &mut self,
        truth: &[u8],
        predicted: &[u8],
        (width, height): (usize, usize),
        ignore: u8,
    ) -> Result<(), Error> {
        same_length(truth.len(), predicted.len())?;
        if width.checked_mul(height) != Some(truth.len()) {
            return Err(Error::Size { pixels: truth.len(), width, height });
        }
        if let Some(error) = first_bad_label(truth, predicted, ignore) {
            return Err(error);
        }
        let lines: Vec<bool> = truth.iter().map(|&t| t == 1 && t != ignore).collect();
        let claims: Vec<bool> = truth.iter().zip(predicted).map(|(&t, &p)| p == 1 && t != ignore).collect();
        (self.truth, self.predicted) = (self.truth + count(&lines), self.predicted + count(&claims));
        self.hits += self.near(&claims, &lines, width);
        self.found += self.near(&lines, &claims, width);
        Ok(())
    }

    /// Adds everything another has counted.
    ///
    /// # Errors
    /// [`Error::Radii`] when the other has another radius.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.radius != other.radius {
            return Err(Error::Radii { ours: self.radius, theirs: other.radius });
        }
        self.hits += other.hits;
        self.predicted += other.predicted;
        self.found += other.found;
        self.truth += other.truth;
        Ok(())
    }

    /// The greatest distance that is forgiven, in pixels.
    pub fn radius(&self) -> u8 {
        self.radius
    }

    /// Share of the predicted pixels that are hits; `None` when none was predicted.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.hits, self.predicted)
    }

    /// Share of the true pixels that were found; `None` when the truth has none.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found, self.truth)
    }

    /// Harmonic mean of precision and recall, 0 when only one of truth and prediction has lines; `None` when neither has.
    pub fn f1(&self) -> Option<f64> {
        if self.truth + self.predicted == 0 {
            return None;
        }
        let (precision, recall) = (self.precision().unwrap_or(0.0), self.recall().unwrap_or(0.0));
        Some(2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE))
    }

    /// How many of `pixels` have one of `others` within the radius.
    fn near(&self, pixels: &[bool], others: &[bool], width: usize) -> u64 {
        if pixels.is_empty() {
            return 0;
        }
        let rows: Vec<_> = others.chunks_exact(width).map(distances).collect();
        let radius = usize::from(self.radius);
        let mut within = vec![false; width];
        let mut found = 0;
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            if !row.contains(&true) {
                continue;
            }
            within.fill(false);
            let first = y.saturating_sub(radius);
            for (other, distances) in rows.iter().enumerate().skip(first).take(y + radius + 1 - first) {
                let Some(distances) = distances else { continue };
                let reach = (radius * radius - y.abs_diff(other).pow(2)).isqrt() as u16;
                within.iter_mut().zip(distances).for_each(|(within, d)| *within |= *d <= reach);
            }
            found += row.iter().zip(&within).filter(|(pixel, within)| **pixel && **within).count() as u64;
        }
        found
    }
}

/// The distance of each place of a row to the next one that is set, in pixels; `None` for a row without any.
fn distances(row: &[bool]) -> Option<Vec<u16>> {
    if !row.contains(&true) {
        return None;
    }
    let mut out = vec![u16::MAX; row.len()];
    let mut last = u16::MAX;
    for (d, &set) in out.iter_mut().zip(row) {
        last = if set { 0 } else { last.saturating_add(1) };
        *d = last;
    }
    for d in out.iter_mut().rev() {
        last = (*d).min(last.saturating_add(1));
        *d = last;
    }
    Some(out)
}

fn count(pixels: &[bool]) -> u64 {
    pixels.iter().map(|&set| u64::from(set)).sum()
}

fn first_bad_label(truth: &[u8], predicted: &[u8], ignore: u8) -> Option<Error> {
    let wrong = |(t, p): (&u8, &u8)| *t != ignore && (*t > 1 || *p > 1);
    let position = truth.iter().zip(predicted).position(wrong)?;
    let (t, p) = (truth[position], predicted[position]);
    Some(if t > 1 { bad_label(Map::Truth, position, t) } else { bad_label(Map::Predicted, position, p) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Binary;
    use proptest::prelude::*;

    fn counted(radius: u8, truth: &[u8], predicted: &[u8], size: (usize, usize)) -> Tolerant {
        let mut tolerant = Tolerant::new(radius);
        tolerant.add(truth, predicted, size, 255).unwrap();
        tolerant
    }

    /// A picture of 9 x 9 pixels with one that is set.
    fn dot(x: usize, y: usize) -> Vec<u8> {
        (0..81).map(|i| u8::from(i == 9 * y + x)).collect()
    }

    #[test]
    fn radius_two_is_a_disc_and_no_square() {
        for (dx, dy, near) in [(0, 0, true), (2, 0, true), (1, 1, true), (2, 1, false), (0, 3, false)] {
            for (x, y) in [(4 + dx, 4 + dy), (4 - dx, 4 - dy), (4 + dy, 4 - dx)] {
                let t = counted(2, &dot(4, 4), &dot(x, y), (9, 9));
                assert_eq!((t.hits, t.found), (u64::from(near), u64::from(near)), "{dx} {dy}");
                assert_eq!((t.predicted, t.truth, t.f1()), (1, 1, Some(f64::from(u8::from(near)))));
            }
        }
    }

    #[test]
    fn a_shifted_line_scores_one_and_a_thicker_one_too() {
        let row = |from: usize, to: usize| -> Vec<u8> {
            (0..81).map(|i| u8::from((from..to).contains(&(i / 9)))).collect()
        };
        assert_eq!(counted(2, &row(4, 5), &row(6, 7), (9, 9)).f1(), Some(1.0));
        assert_eq!(counted(2, &row(4, 5), &row(2, 7), (9, 9)).f1(), Some(1.0));
        let far = counted(2, &row(4, 5), &row(4, 9), (9, 9));
        assert_eq!((far.precision(), far.recall()), (Some(0.6), Some(1.0)));
        assert!((far.f1().unwrap() - 0.75).abs() < 1e-12);
    }

    #[test]
    fn rows_do_not_run_into_each_other() {
        let t = counted(1, &[0, 0, 1, 0, 0, 0], &[0, 0, 0, 1, 0, 0], (3, 2));
        assert_eq!((t.hits, t.found), (0, 0));
    }

    #[test]
    fn ignored_pixels_neither_count_nor_help() {
        let t = counted(2, &[1, 255, 0], &[0, 1, 0], (3, 1));
        assert_eq!((t.predicted, t.truth, t.found, t.f1()), (0, 1, 0, Some(0.0)));
    }

    #[test]
    fn scores_without_a_denominator_do_not_exist() {
        let nothing = counted(2, &[0, 0], &[0, 0], (2, 1));
        assert_eq!((nothing.precision(), nothing.recall(), nothing.f1()), (None, None, None));
        let only_claimed = counted(2, &[0, 0], &[0, 1], (1, 2));
        assert_eq!(
            (only_claimed.precision(), only_claimed.recall(), only_claimed.f1()),
            (Some(0.0), None, Some(0.0))
        );
        assert_eq!(counted(2, &[], &[], (0, 0)), Tolerant::new(2));
    }

    #[test]
    fn faults_are_told_and_nothing_is_counted() {
        let mut t = Tolerant::new(2);
        let mut told = |truth: &[u8], predicted: &[u8], size| {
            t.add(truth, predicted, size, 255).unwrap_err().to_string()
        };
        assert_eq!(told(&[0; 6], &[0; 6], (4, 2)), "6 pixels given, a map of 4 x 2 has 8");
        assert_eq!(told(&[0; 6], &[0; 4], (3, 2)), "truth has 6 pixels, prediction has 4");
        assert_eq!(
            told(&[0, 2], &[0; 2], (2, 1)),
            "label 2 at pixel 1 of the truth is not one of the 2 classes"
        );
        assert_eq!(
            told(&[255, 0], &[9, 9], (2, 1)),
            "label 9 at pixel 1 of the prediction is not one of the 2 classes"
        );
        let error = t.merge(&Tolerant::new(3)).unwrap_err();
        assert_eq!(error.to_string(), "counts within 3 pixels cannot be merged into counts within 2 pixels");
        assert_eq!(t, Tolerant::new(2));
    }

    fn naive_near(pixels: &[bool], others: &[bool], width: usize, radius: u8) -> u64 {
        let set = |map: &[bool]| -> Vec<(usize, usize)> {
            (0..map.len()).filter(|&i| map[i]).map(|i| (i % width, i / width)).collect()
        };
        let others = set(others);
        let near = |&(x, y): &(usize, usize)| {
            let limit = usize::from(radius).pow(2);
            others.iter().any(|&(u, v)| x.abs_diff(u).pow(2) + y.abs_diff(v).pow(2) <= limit)
        };
        set(pixels).iter().filter(|p| near(p)).count() as u64
    }

    /// A width and two maps of the same size, some of whose pixels are ignored.
    fn maps() -> impl Strategy<Value = (usize, Vec<(u8, u8)>)> {
        let truth = prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(255)];
        let predicted = prop_oneof![8 => Just(0u8), 1 => Just(1)];
        let pixels =
            move |(width, height)| prop::collection::vec((truth.clone(), predicted.clone()), width * height);
        (1..20usize, 1..20usize).prop_flat_map(move |size| (Just(size.0), pixels(size)))
    }

    proptest! {
        #[test]
        fn counts_are_those_of_comparing_all_pairs((width, pixels) in maps(), radius in 0..9u8) {
            let (truth, predicted): (Vec<u8>, Vec<u8>) = pixels.iter().copied().unzip();
            let t = counted(radius, &truth, &predicted, (width, pixels.len() / width));
            let lines: Vec<bool> = truth.iter().map(|t| *t == 1).collect();
            let claims: Vec<bool> = pixels.iter().map(|(t, p)| *t != 255 && *p == 1).collect();
            prop_assert_eq!(t.hits, naive_near(&claims, &lines, width, radius));
            prop_assert_eq!(t.found, naive_near(&lines, &claims, width, radius));
            prop_assert_eq!((t.predicted, t.truth), (count(&claims), count(&lines)));
        }

        #[test]
        fn radius_0_scores_as_plain_overlap_and_parts_merge((width, pixels) in maps()) {
            let (truth, predicted): (Vec<u8>, Vec<u8>) = pixels.iter().copied().unzip();
            let size = (width, pixels.len() / width);
            let mut plain = Binary::default();
            plain.add(&truth, &predicted, 255).unwrap();
            let one = counted(0, &truth, &predicted, size);
            prop_assert_eq!((one.precision(), one.recall()), (plain.precision(), plain.recall()));
            prop_assert!((one.f1().unwrap_or(-1.0) - plain.f1().unwrap_or(-1.0)).abs() < 1e-12);
            let mut two = one;
            two.merge(&one).unwrap();
            prop_assert_eq!((two.f1(), two.truth), (one.f1(), 2 * one.truth));
        }
    }
}
