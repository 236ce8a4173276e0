//! Scores of hair maps against masks.

use anyhow::Result;
use image::GrayImage;
use sconce_data::VOID;
use sconce_metrics::{Binary, Thresholds};

/// Everything counted over a set, image after image.
#[derive(Debug, Clone, Default)]
pub(super) struct Scores {
    /// At the config's threshold, of all pixels.
    pub(super) counts: Binary,
    pub(super) thresholds: Thresholds,
    /// Of each group of images.
    pub(super) groups: Vec<Group>,
    loss: Mean,
    iou: Mean,
}

/// Images of one kind, such as a style.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) counts: Binary,
    pub(super) loss: Mean,
}

/// A mean that grows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    sum: f64,
    pub(super) count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    /// None of nothing.
    pub(super) fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Of one image.
#[derive(Debug, Clone, Copy)]
pub(super) struct ImageScore {
    pub(super) counts: Binary,
    pub(super) loss: f64,
}

/// Columns of images.tsv after the id.
pub(super) const IMAGE_SCORES: [&str; 6] = ["iou", "f1", "precision", "recall", "accuracy", "loss"];

impl ImageScore {
    /// In the order of [`IMAGE_SCORES`].
    pub(super) fn values(&self) -> [Option<f64>; 6] {
        let Self { counts, loss } = self;
        let [precision, recall] = [counts.precision(), counts.recall()];
        [counts.jaccard(), counts.f1(), precision, recall, counts.accuracy(), Some(*loss)]
    }
}

impl Scores {
    /// For a set of so many groups.
    pub(super) fn of_groups(groups: usize) -> Self {
        Self { groups: vec![Group::default(); groups], ..Self::default() }
    }

    /// Counts an image: its group, mask, map, what of the map is above the threshold, and its loss.
    pub(super) fn add(
        &mut self,
        group: Option<usize>,
        truth: &GrayImage,
        map: &[f32],
        predicted: &GrayImage,
        loss: f64,
    ) -> Result<ImageScore> {
        let mut counts = Binary::default();
        counts.add(truth.as_raw(), predicted.as_raw(), VOID)?;
        self.thresholds.add(truth.as_raw(), map, VOID)?;
        self.counts.merge(&counts);
        self.loss.add(loss);
        if let Some(iou) = counts.jaccard() {
            self.iou.add(iou);
        }
        if let Some(group) = group.and_then(|group| self.groups.get_mut(group)) {
            group.counts.merge(&counts);
            group.loss.add(loss);
        }
        Ok(ImageScore { counts, loss })
    }

    /// The mean of the images' losses, each the mean of its pixels.
    pub(super) fn loss(&self) -> Option<f64> {
        self.loss.value()
    }

    /// The mean of the images' IoU. Images without hair where none was found have none and do not count.
    pub(super) fn image_iou(&self) -> Option<f64> {
        self.iou.value()
    }
}
