//! Scores of probability maps against masks.

use anyhow::Result;
use image::GrayImage;
use sconce_data::VOID;
use sconce_metrics::{Binary, Thresholds, Tolerant};

/// Distance in pixels within which a hit counts for the tolerant scores.
pub(super) const RADIUS: u8 = 2;

/// Everything counted over a set, image after image.
#[derive(Debug, Clone)]
pub(super) struct Scores {
    pub(super) counts: Binary,
    pub(super) tolerant: Tolerant,
    pub(super) thresholds: Thresholds,
    /// Sum of the images' F1, and how many have one.
    f1: (f64, usize),
}

/// Of one image.
#[derive(Debug, Clone, Copy)]
pub(super) struct ImageScore {
    pub(super) counts: Binary,
    pub(super) tolerant: Tolerant,
}

impl Default for Scores {
    fn default() -> Self {
        let (counts, tolerant) = (Binary::default(), Tolerant::new(RADIUS));
        Self { counts, tolerant, thresholds: Thresholds::default(), f1: (0.0, 0) }
    }
}

impl Scores {
    /// Counts an image: its mask, its map, and what of the map is above the threshold.
    pub(super) fn add(
        &mut self,
        truth: &GrayImage,
        map: &[f32],
        predicted: &GrayImage,
    ) -> Result<ImageScore> {
        let score = ImageScore::of(truth, predicted)?;
        self.thresholds.add(truth.as_raw(), map, VOID)?;
        self.counts.merge(&score.counts);
        self.tolerant.merge(&score.tolerant)?;
        if let Some(f1) = score.counts.f1() {
            self.f1 = (self.f1.0 + f1, self.f1.1 + 1);
        }
        Ok(score)
    }

    /// The mean of the images' F1. Images without a wrinkle where none was found have none and do not count.
    pub(super) fn image_f1(&self) -> Option<f64> {
        let (sum, images) = self.f1;
        (images > 0).then(|| sum / images as f64)
    }
}

impl ImageScore {
    fn of(truth: &GrayImage, predicted: &GrayImage) -> Result<Self> {
        let (mut counts, mut tolerant) = (Binary::default(), Tolerant::new(RADIUS));
        counts.add(truth.as_raw(), predicted.as_raw(), VOID)?;
        let size = (truth.width() as usize, truth.height() as usize);
        tolerant.add(truth.as_raw(), predicted.as_raw(), size, VOID)?;
        Ok(Self { counts, tolerant })
    }

    /// In the order of [`IMAGE_SCORES`].
    pub(super) fn values(&self) -> [Option<f64>; 5] {
        let Self { counts, tolerant } = self;
        [counts.f1(), counts.precision(), counts.recall(), counts.jaccard(), tolerant.f1()]
    }
}

/// Columns of images.tsv after the id.
pub(super) const IMAGE_SCORES: [&str; 5] = ["f1", "precision", "recall", "jsi", "tolerant_f1"];
