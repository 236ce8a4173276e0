//! Where a training run stands. Order, augmentation and weights depend on it and the seed alone.

use anyhow::Result;
use sconce_runs::{Checkpoint, Loaded};

/// Finished work, and the best score so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    /// Finished epochs.
    pub(crate) epoch: usize,
    /// Finished batches of the epoch under way.
    pub(crate) batch: usize,
    /// Finished steps of all epochs.
    pub(crate) step: usize,
    /// Steps among them that changed nothing, because loss or gradients were not finite.
    pub(crate) skipped: usize,
    /// Best score on the held-out images.
    best: f64,
}

impl Default for Position {
    fn default() -> Self {
        Self { epoch: 0, batch: 0, step: 0, skipped: 0, best: f64::NEG_INFINITY }
    }
}

impl Position {
    pub(crate) fn advance(&mut self) {
        self.batch += 1;
        self.step += 1;
    }

    pub(crate) fn end_epoch(&mut self) {
        self.epoch += 1;
        self.batch = 0;
    }

    /// Takes note of a score; true if none was higher or equal before.
    pub(crate) fn is_best(&mut self, score: f64) -> bool {
        let better = score > self.best;
        if better {
            self.best = score;
        }
        better
    }

    pub(crate) fn write(&self, checkpoint: &mut Checkpoint) {
        checkpoint.set("epoch", self.epoch);
        checkpoint.set("batch", self.batch);
        checkpoint.set("step", self.step);
        checkpoint.set("skipped", self.skipped);
        checkpoint.set("best", self.best);
    }

    pub(crate) fn read(loaded: &Loaded) -> Result<Self> {
        Ok(Self {
            epoch: loaded.state("epoch")?,
            batch: loaded.state("batch")?,
            step: loaded.state("step")?,
            skipped: loaded.state("skipped")?,
            best: loaded.state("best")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_higher_score_is_best() {
        let mut at = Position::default();
        assert!(at.is_best(0.0));
        assert!(!at.is_best(0.0));
        assert!(!at.is_best(f64::NAN));
        assert!(at.is_best(0.1));
    }
}
