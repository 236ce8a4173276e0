//! How the training images of an epoch were predicted while they were trained on.

use anyhow::Result;
use candle_core::{DType, Tensor};
use sconce_metrics::Binary;
use sconce_runs::{Checkpoint, Loaded};

/// Counts of the steps so far of the epoch under way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    counts: Binary,
    /// Sum of the losses.
    loss: f64,
    steps: usize,
}

/// In the order of [`Tally::values`].
pub(crate) const COLUMNS: [&str; 5] =
    ["train_loss", "train_accuracy", "train_precision", "train_recall", "train_f1"];

impl Tally {
    /// Counts a step: its loss, logits (N, 1, H, W) and labels (N, H, W).
    pub(crate) fn add(&mut self, loss: f64, logits: &Tensor, labels: &Tensor, threshold: f32) -> Result<()> {
        let cut = f64::from(threshold);
        let predicted = logits.detach().gt((cut / (1.0 - cut)).ln())?.to_dtype(DType::U8)?;
        let [truth, predicted] = [labels, &predicted].map(|map| map.flatten_all()?.to_vec1::<u8>());
        self.counts.add(&truth?, &predicted?, sconce_data::VOID)?;
        self.loss += loss;
        self.steps += 1;
        Ok(())
    }

    /// Mean loss, accuracy, precision, recall and F1; 0 for what does not exist, as where nothing was there and nothing predicted.
    pub(crate) fn values(&self) -> [f64; 5] {
        let scores =
            [self.counts.accuracy(), self.counts.precision(), self.counts.recall(), self.counts.f1()];
        let [accuracy, precision, recall, f1] = scores.map(Option::unwrap_or_default);
        [self.loss / self.steps.max(1) as f64, accuracy, precision, recall, f1]
    }

    pub(crate) fn write(&self, checkpoint: &mut Checkpoint) {
        let Binary { true_positives, false_positives, true_negatives, false_negatives } = self.counts;
        let counts = [true_positives, false_positives, true_negatives, false_negatives];
        for (name, count) in COUNTS.iter().zip(counts) {
            checkpoint.set(name, count);
        }
        checkpoint.set("tally.loss", self.loss);
        checkpoint.set("tally.steps", self.steps);
    }

    pub(crate) fn read(loaded: &Loaded) -> Result<Self> {
        let count = |place: usize| loaded.state(COUNTS[place]);
        let counts = Binary {
            true_positives: count(0)?,
            false_positives: count(1)?,
            true_negatives: count(2)?,
            false_negatives: count(3)?,
        };
        Ok(Self { counts, loss: loaded.state("tally.loss")?, steps: loaded.state("tally.steps")? })
    }
}

/// Keys in a checkpoint.
const COUNTS: [&str; 4] =
    ["tally.true_positives", "tally.false_positives", "tally.true_negatives", "tally.false_negatives"];
