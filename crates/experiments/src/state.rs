//! What a training run changes with every step, as it is saved and restored.

use std::collections::BTreeMap;

use anyhow::Result;
use candle_core::Device;
use sconce_optim::{Optimizer, Schedule};
use sconce_runs::{Checkpoint, Loaded, Run, Which};
use sconce_tensors::Parameters;

use crate::position::Position;

/// Everything that a step changes.
pub(crate) struct State {
    pub(crate) parameters: Parameters,
    pub(crate) optimizer: Box<dyn Optimizer>,
    pub(crate) schedule: Schedule,
    pub(crate) at: Position,
}

impl State {
    /// The start of a run, for the parameters of a network already built.
    pub(crate) fn new(parameters: Parameters, optimizer: Box<dyn Optimizer>, schedule: Schedule) -> Self {
        Self { parameters, optimizer, schedule, at: Position::default() }
    }

    /// Goes on from the run's last checkpoint, if it has one, and gives it.
    pub(crate) fn resume(&mut self, run: &Run) -> Result<Option<Loaded>> {
        let checkpoints = run.checkpoints();
        if !checkpoints.can_resume() {
            return Ok(None);
        }
        let loaded = checkpoints.load(&Which::Last, &Device::Cpu)?;
        if let Some(warning) = &loaded.warning {
            eprintln!("warning: {warning}; going on from {}", loaded.path.display());
        }
        restore(&self.parameters, &loaded)?;
        self.optimizer.restore(&loaded.checkpoint.part("optim."))?;
        self.schedule.restore(&schedule_state(&loaded)?)?;
        self.at = Position::read(&loaded)?;
        println!("resumed     after step {}, epoch {}", self.at.step, self.at.epoch);
        Ok(Some(loaded))
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        checkpoint.add_part("model.", self.parameters.tensors());
        checkpoint.add_part("optim.", self.optimizer.state());
        for (key, value) in self.schedule.state() {
            checkpoint.set(&format!("schedule.{key}"), value);
        }
        self.at.write(&mut checkpoint);
        checkpoint
    }

    /// Takes the score of a finished epoch; true if it is the best so far.
    pub(crate) fn end_epoch(&mut self, score: f64) -> bool {
        self.end_epoch_at(score, score)
    }

    /// The same with another number than the score for a schedule that listens, such as the loss of the held-out images.
    pub(crate) fn end_epoch_at(&mut self, score: f64, watched: f64) -> bool {
        self.at.end_epoch();
        self.schedule.report(watched);
        self.at.is_best(score)
    }
}

/// What [`Schedule::state`] gave when the checkpoint was written.
fn schedule_state(loaded: &Loaded) -> Result<BTreeMap<String, f64>> {
    let keys = loaded.checkpoint.state.keys().filter_map(|key| key.strip_prefix("schedule."));
    keys.map(|key| Ok((key.to_owned(), loaded.state(&format!("schedule.{key}"))?))).collect()
}

/// Puts a checkpoint's weights and running statistics into the network.
fn restore(parameters: &Parameters, loaded: &Loaded) -> Result<()> {
    let found = parameters.load(&loaded.checkpoint.part("model."))?;
    match found.missing.first() {
        None => Ok(()),
        Some(name) => {
            Err(loaded.foreign(format!("it lacks {name}, needed by the network of this config")).into())
        }
    }
}
