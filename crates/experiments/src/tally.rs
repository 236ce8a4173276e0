//! How the training images of an epoch were predicted while they were trained on.

use anyhow::Result;
use candle_core::Tensor;
use sconce_metrics::Binary;
use sconce_runs::{Checkpoint, Loaded};
use sconce_tensors::ConfusionCounts;

/// Background and foreground.
const CLASSES: usize = 2;

/// Counts of the steps so far of the epoch under way. A GPU counts by itself: its counts are read when somebody asks for them.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Before the run went on.
    before: Binary,
    since: ConfusionCounts,
    /// Sum of the losses.
    loss: f64,
    steps: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self::after(Binary::default(), 0.0, 0)
    }
}

/// In the order of [`Tally::values`].
pub(crate) const COLUMNS: [&str; 5] =
    ["train_loss", "train_accuracy", "train_precision", "train_recall", "train_f1"];

impl Tally {
    fn after(before: Binary, loss: f64, steps: usize) -> Self {
        Self { before, since: ConfusionCounts::new(CLASSES), loss, steps }
    }

    /// Counts a step: its loss, logits (N, 1, H, W) and labels (N, H, W).
    pub(crate) fn add(&mut self, loss: f64, logits: &Tensor, labels: &Tensor, threshold: f32) -> Result<()> {
        let cut = f64::from(threshold);
        let predicted = logits.detach().gt((cut / (1.0 - cut)).ln())?;
        self.since.add(labels, &predicted, sconce_data::VOID)?;
        self.loss += loss;
        self.steps += 1;
        Ok(())
    }

    fn counts(&self) -> Result<Binary> {
        let mut all = self.before;
        if let [true_negatives, false_positives, false_negatives, true_positives] = self.since.read()?[..] {
            all.merge(&Binary { true_positives, false_positives, true_negatives, false_negatives });
        }
        Ok(all)
    }

    /// Mean loss, accuracy, precision, recall and F1; 0 for what does not exist, as where nothing was there and nothing predicted.
    pub(crate) fn values(&self) -> Result<[f64; 5]> {
        let counts = self.counts()?;
        let scores = [counts.accuracy(), counts.precision(), counts.recall(), counts.f1()];
        let [accuracy, precision, recall, f1] = scores.map(Option::unwrap_or_default);
        Ok([self.loss / self.steps.max(1) as f64, accuracy, precision, recall, f1])
    }

    pub(crate) fn write(&self, checkpoint: &mut Checkpoint) -> Result<()> {
        let Binary { true_positives, false_positives, true_negatives, false_negatives } = self.counts()?;
        let counts = [true_positives, false_positives, true_negatives, false_negatives];
        for (name, count) in COUNTS.iter().zip(counts) {
            checkpoint.set(name, count);
        }
        checkpoint.set("tally.loss", self.loss);
        checkpoint.set("tally.steps", self.steps);
        Ok(())
    }

    pub(crate) fn read(loaded: &Loaded) -> Result<Self> {
        let count = |place: usize| loaded.state(COUNTS[place]);
        let counts = Binary {
            true_positives: count(0)?,
            false_positives: count(1)?,
            true_negatives: count(2)?,
            false_negatives: count(3)?,
        };
        Ok(Self::after(counts, loaded.state("tally.loss")?, loaded.state("tally.steps")?))
    }
}

/// Keys in a checkpoint.
const COUNTS: [&str; 4] =
    ["tally.true_positives", "tally.false_positives", "tally.true_negatives", "tally.false_negatives"];
