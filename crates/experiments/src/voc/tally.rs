//! The mean of the losses of an epoch under way.

use anyhow::Result;
use sconce_runs::{Checkpoint, Loaded};

/// The losses of the epoch's steps so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tally {
    sum: f64,
    steps: usize,
}

impl Tally {
    pub(super) fn add(&mut self, loss: f64) {
        self.sum += loss;
        self.steps += 1;
    }

    /// Without a step it is not a number, which no plateau takes for a better one.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.steps as f64
    }

    /// The checkpoint with the losses so far.
    pub(super) fn write(&self, mut checkpoint: Checkpoint) -> Checkpoint {
        checkpoint.set(SUM, self.sum);
        checkpoint.set(STEPS, self.steps);
        checkpoint
    }

    pub(super) fn read(loaded: &Loaded) -> Result<Self> {
        Ok(Self { sum: loaded.state(SUM)?, steps: loaded.state(STEPS)? })
    }
}

/// Keys in a checkpoint.
const SUM: &str = "tally.loss";
const STEPS: &str = "tally.steps";
