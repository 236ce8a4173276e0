//! How well the borders of regions are met.

use crate::confusion::{mean_over_present, ratio};
use crate::{Error, Map};

/// Boundary IoU of each class: the IoU of those parts of truth and prediction that lie within a distance of their own
/// contours (Cheng, Girshick, Dollár, Berg and Kirillov 2021).
///
/// Plain IoU of a large object hardly changes when its border is off by some pixels; this one looks at a band inside of the
/// border alone, as wide for large objects as for small ones. A pixel is in the band when a pixel of another class, an ignored
/// one or the outside of the picture is within the distance along both axes, so that the band is what 3 x 3 erosions take
/// away, as in the paper's own program.
///
/// Pixels whose truth is ignored belong to no class in either map: a prediction that is right elsewhere scores 1, wherever
/// in a ring of void it puts the border.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryIou {
    share: f64,
    counts: Vec<Class>,
}

/// Pixels of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Class {
    /// In both bands, true and predicted.
    both: u64,
    /// In the truth's band.
    truth: u64,
    /// In the prediction's band.
    predicted: u64,
}

impl BoundaryIou {
    /// The paper's distance, as a share of the picture's diagonal.
    pub const SHARE: f64 = 0.02;

    /// Nothing counted yet; the distance is 2 % of each picture's diagonal.
    pub fn new(classes: usize) -> Self {
        Self::within(classes, Self::SHARE)
    }

    /// Nothing counted yet; the distance is this share of each picture's diagonal, rounded to pixels and at least 1.
    pub fn within(classes: usize, share: f64) -> Self {
        Self { share, counts: vec![Class::default(); classes] }
    }

    /// Counts one pair of maps of `width` x `height` pixels, row by row. Pixels whose truth is `ignore` are skipped, whatever
    /// was predicted there.
    ///
    /// Takes time in proportion to pixels, whatever the distance and the number of classes.
    ///
    /// # Errors
    /// [`Error::Lengths`] when the maps differ in length, [`Error::Size`] when they do not have width x height pixels,
    /// [`Error::Label`] for the first pixel whose label is no class. Nothing is counted then.
    pub fn add(
        &mut self,
        truth: &[u8],
        predicted: &[u8],
        (width, height): (usize, usize),
        ignore: u8,
    ) -> Result<(), Error> {
        self.check(truth, predicted, (width, height), ignore)?;
        let reach = self.reach((width, height));
        let of = |map: &[u8]| -> Vec<u16> {
            let pixels = map.iter().zip(truth);
            pixels.map(|(&label, &t)| if t == ignore { NO_CLASS } else { u16::from(label) }).collect()
        };
        let (truth, predicted) = (of(truth), of(predicted));
        let (truth_inner, predicted_inner) =
            (interior(&truth, width, reach), interior(&predicted, width, reach));
        for i in (0..truth.len()).filter(|&i| truth[i] != NO_CLASS) {
            let (t, p) = (usize::from(truth[i]), usize::from(predicted[i]));
            self.counts[t].truth += u64::from(!truth_inner[i]);
            self.counts[p].predicted += u64::from(!predicted_inner[i]);
            self.counts[t].both += u64::from(t == p && !truth_inner[i] && !predicted_inner[i]);
        }
        Ok(())
    }

    /// Adds everything another has counted.
    ///
    /// # Errors
    /// [`Error::Classes`] or [`Error::Shares`] when the other has other classes or another distance.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.counts.len() != other.counts.len() {
            return Err(Error::Classes { ours: self.counts.len(), theirs: other.counts.len() });
        }
        if self.share != other.share {
            return Err(Error::Shares { ours: self.share, theirs: other.share });
        }
        for (ours, theirs) in self.counts.iter_mut().zip(&other.counts) {
            ours.both += theirs.both;
            ours.truth += theirs.truth;
            ours.predicted += theirs.predicted;
        }
        Ok(())
    }

    /// The score of each class, `None` for a class that occurs neither in truth nor in prediction.
    pub fn iou(&self) -> Vec<Option<f64>> {
        self.counts.iter().map(|c| ratio(c.both, c.truth + c.predicted - c.both)).collect()
    }

    /// The mean over the classes that occur in truth or prediction; 0 when nothing was counted.
    pub fn mean_iou(&self) -> f64 {
        mean_over_present(&self.iou())
    }

    /// The distance in pixels.
    fn reach(&self, (width, height): (usize, usize)) -> usize {
        (self.share * (width as f64).hypot(height as f64)).round().max(1.0) as usize
    }

    fn check(
        &self,
        truth: &[u8],
        predicted: &[u8],
        (width, height): (usize, usize),
        ignore: u8,
    ) -> Result<(), Error> {
        if truth.len() != predicted.len() {
            return Err(Error::Lengths { truth: truth.len(), predicted: predicted.len() });
        }
        if width.checked_mul(height) != Some(truth.len()) {
            return Err(Error::Size { pixels: truth.len(), width, height });
        }
        let classes = self.counts.len();
        for (position, (&t, &p)) in
            truth.iter().zip(predicted).enumerate().filter(|(_, (t, _))| **t != ignore)
        {
            for (map, value) in [(Map::Truth, t), (Map::Predicted, p)] {
                if usize::from(value) >= classes {
                    return Err(Error::Label { map, position, value, classes });
                }
            }
        }
        Ok(())
    }
}

/// What an ignored pixel counts as.
const NO_CLASS: u16 = 256;

/// Whether all pixels within `reach` of a pixel along both axes are of its label and inside the picture.
///
/// First along rows, then along columns over the pixels that passed: a square window is uniform when all its rows are, and
/// its column through the middle is of one label.
fn interior(map: &[u16], width: usize, reach: usize) -> Vec<bool> {
    if map.is_empty() {
        return Vec::new();
    }
    let mut inner = vec![true; map.len()];
    let height = map.len() / width;
    for y in 0..height {
        mark_ends(map, &mut inner, (0..width).map(|x| y * width + x), reach);
    }
    for x in 0..width {
        mark_ends(map, &mut inner, (0..height).map(|y| y * width + x), reach);
    }
    inner
}

/// Keeps, along one line, the pixels that have `reach` pixels of the same label and kept so far before and behind them.
fn mark_ends(
    map: &[u16],
    inner: &mut [bool],
    line: impl DoubleEndedIterator<Item = usize> + Clone,
    reach: usize,
) {
    let (mut label, mut kept, mut first) = (NO_CLASS, Vec::new(), true);
    let mut run = 0;
    for i in line.clone() {
        run = if !inner[i] {
            0
        } else if !first && map[i] == label {
            run + 1
        } else {
            1
        };
        (label, first) = (map[i], false);
        kept.push(run > reach);
    }
    (run, first) = (0, true);
    for (i, kept) in line.rev().zip(kept.into_iter().rev()) {
        run = if !inner[i] {
            0
        } else if !first && map[i] == label {
            run + 1
        } else {
            1
        };
        (label, first) = (map[i], false);
        inner[i] = kept && run > reach;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The paper's definition: each class by itself, eroded `reach` times by 3 x 3 with nothing around the picture.
    fn plain_band(mask: &[bool], width: usize, reach: usize) -> Vec<bool> {
        let height = mask.len() / width;
        let mut eroded = mask.to_vec();
        for _ in 0..reach {
            let before = eroded.clone();
            let at = |x: isize, y: isize| {
                let inside = x >= 0 && y >= 0 && x < width as isize && y < height as isize;
                inside && before[y as usize * width + x as usize]
            };
            for (i, eroded) in eroded.iter_mut().enumerate() {
                let (x, y) = ((i % width) as isize, (i / width) as isize);
                *eroded = (-1..=1).all(|dy| (-1..=1).all(|dx| at(x + dx, y + dy)));
            }
        }
        mask.iter().zip(eroded).map(|(mask, eroded)| *mask && !eroded).collect()
    }

    fn plain_iou(class: u8, truth: &[u8], predicted: &[u8], width: usize, reach: usize) -> Option<f64> {
        let mask = |map: &[u8]| -> Vec<bool> {
            map.iter().zip(truth).map(|(label, truth)| *label == class && *truth != 255).collect()
        };
        let bands = [truth, predicted].map(|map| plain_band(&mask(map), width, reach));
        let pairs = || bands[0].iter().zip(&bands[1]);
        ratio(
            pairs().filter(|(t, p)| **t && **p).count() as u64,
            pairs().filter(|(t, p)| **t || **p).count() as u64,
        )
    }

    fn square(side: usize, from: usize, to: usize) -> Vec<u8> {
        let inside = |at: usize| (from..to).contains(&at);
        (0..side * side).map(|i| u8::from(inside(i % side) && inside(i / side))).collect()
    }

    fn scored(truth: &[u8], predicted: &[u8], side: usize, share: f64) -> Vec<Option<f64>> {
        let mut score = BoundaryIou::within(2, share);
        score.add(truth, predicted, (side, side), 255).unwrap();
        score.iou()
    }

    #[test]
    fn the_distance_is_two_percent_of_the_diagonal() {
        assert_eq!(BoundaryIou::new(2).reach((500, 375)), 13); // 12.5 of 625
        assert_eq!(BoundaryIou::new(2).reach((20, 20)), 1);
        assert_eq!(BoundaryIou::within(2, f64::NAN).reach((20, 20)), 1);
    }

    #[test]
    fn a_border_that_is_off_by_the_band_scores_nothing() {
        // One pixel of 20 x 20 pictures: a ring of 36 pixels inside of a square of 10 x 10.
        let truth = square(20, 5, 15);
        assert_eq!(scored(&truth, &truth, 20, 0.02)[1], Some(1.0));
        assert_eq!(scored(&truth, &square(20, 6, 14), 20, 0.02)[1], Some(0.0));
        // Two pixels wide the bands of 64 and 48 pixels share a ring of 28.
        assert_eq!(scored(&truth, &square(20, 6, 14), 20, 0.07)[1], Some(28.0 / 84.0));
    }

    #[test]
    fn void_at_the_border_forgives() {
        let mut truth = square(20, 5, 15);
        for ((truth, outer), inner) in truth.iter_mut().zip(square(20, 4, 16)).zip(square(20, 6, 14)) {
            if outer == 1 && inner == 0 {
                *truth = 255;
            }
        }
        for predicted in [square(20, 5, 15), square(20, 4, 16), square(20, 6, 14)] {
            assert_eq!(scored(&truth, &predicted, 20, 0.07), [Some(1.0), Some(1.0)]);
        }
    }

    #[test]
    fn faults_are_told_and_nothing_is_counted() {
        let mut score = BoundaryIou::new(2);
        let mut told = |truth: &[u8], predicted: &[u8], size| {
            score.add(truth, predicted, size, 255).unwrap_err().to_string()
        };
        assert_eq!(told(&[0; 6], &[0; 6], (4, 2)), "6 pixels given, a map of 4 x 2 has 8");
        assert_eq!(told(&[0; 6], &[0; 4], (3, 2)), "truth has 6 pixels, prediction has 4");
        assert!(told(&[0, 2], &[0; 2], (2, 1)).contains("label 2 at pixel 1 of the truth"));
        assert!(told(&[255, 0], &[9, 9], (2, 1)).contains("label 9 at pixel 1 of the prediction"));
        assert!(matches!(score.merge(&BoundaryIou::new(3)), Err(Error::Classes { ours: 2, theirs: 3 })));
        let error = score.merge(&BoundaryIou::within(2, 0.05)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "counts within 5% of the diagonal cannot be merged into counts within 2%"
        );
        assert_eq!((score.clone(), score.mean_iou()), (BoundaryIou::new(2), 0.0));
        score.add(&[], &[], (0, 0), 255).unwrap();
        assert_eq!(score.iou(), [None, None]);
    }

    /// A width and two maps of the same size in blocks, so that there are insides, some of whose pixels are ignored.
    fn maps() -> impl Strategy<Value = (usize, Vec<(u8, u8)>)> {
        let truth = prop_oneof![4 => 0..3u8, 1 => Just(255)];
        let cells = prop::collection::vec((truth, 0..3u8), 25);
        (1..24usize, 1..24usize, cells, 1..9usize).prop_map(|(width, height, cells, block)| {
            let cell = |i: usize| cells[(i % width / block % 5) + 5 * (i / width / block % 5)];
            (width, (0..width * height).map(cell).collect())
        })
    }

    proptest! {
        #[test]
        fn scores_are_those_of_eroding_each_class((width, pixels) in maps(), share in 0.01..0.3) {
            let (truth, predicted): (Vec<u8>, Vec<u8>) = pixels.iter().copied().unzip();
            let mut score = BoundaryIou::within(3, share);
            let size = (width, pixels.len() / width);
            score.add(&truth, &predicted, size, 255).unwrap();
            let reach = score.reach(size);
            let plain: Vec<_> =
                (0..3).map(|class| plain_iou(class, &truth, &predicted, width, reach)).collect();
            prop_assert_eq!(score.iou(), plain);
            let mut twice = score.clone();
            twice.merge(&score).unwrap();
            prop_assert_eq!(twice.iou(), score.iou());
        }
    }
}
