//! When a training run saves a checkpoint, and which ones it keeps.

use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use sconce_runs::{Checkpoint, Checkpoints, Which};

use crate::position::Position;

/// Options of `train` about checkpoints. They change no result, so they are no part of a config.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct SavingArguments {
    /// Save within epochs too: every so many steps or so much time, such as 50steps, 30s or 10min
    #[arg(long, value_name = "STEPS|TIME")]
    save_every: Option<Every>,
    /// Keep the weights of every so many epochs, and of the last one, as epoch-N, beside the best and the last checkpoint [default:
    /// for wrinkles 1, for parts of the face 20]
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u32).range(1..))]
    keep_every: Option<u32>,
    /// Save and stop after so many steps of the whole run, or of the part's; --resume goes on
    #[arg(long, value_name = "STEPS")]
    pub(crate) stop_after: Option<usize>,
}

impl SavingArguments {
    /// Keeps the weights of every so many epochs, unless the user asked for another number.
    pub(crate) fn or_keep_every(self, epochs: u32) -> Self {
        Self { keep_every: self.keep_every.or(Some(epochs)), ..self }
    }

    /// The ordinary checkpoints, and an end after so many steps.
    pub(crate) fn until(stop_after: Option<usize>) -> Self {
        Self { save_every: None, keep_every: None, stop_after }
    }
}

/// From one checkpoint to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Steps(usize),
    Time(Duration),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = |factor: u64| {
            let seconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
            (seconds > 0).then(|| Self::Time(Duration::from_secs(seconds)))
        };
        let every = match unit {
            "step" | "steps" => number.parse().ok().filter(|&steps| steps > 0).map(Self::Steps),
            "s" => seconds(1),
            "min" => seconds(60),
            "h" => seconds(3600),
            _ => None,
        };
        every.ok_or_else(|| "expected a number of steps, s, min or h, such as 50steps or 10min".to_owned())
    }
}

/// Saves a run's checkpoints.
pub(crate) struct Saving {
    checkpoints: Checkpoints,
    epochs: usize,
    arguments: SavingArguments,
    saved_step: usize,
    saved: Instant,
}

impl Saving {
    /// For a run of so many epochs that begins, or goes on, after `step`.
    pub(crate) fn new(
        checkpoints: Checkpoints,
        arguments: SavingArguments,
        epochs: usize,
        step: usize,
    ) -> Self {
        Self { checkpoints, epochs, arguments, saved_step: step, saved: Instant::now() }
    }

    /// Whether a checkpoint within an epoch is due after `step`.
    pub(crate) fn is_due(&self, step: usize) -> bool {
        match self.arguments.save_every {
            None => false,
            Some(Every::Steps(steps)) => step >= self.saved_step + steps,
            Some(Every::Time(time)) => self.saved.elapsed() >= time,
        }
    }

    /// Whether the run is to stop after `step`.
    pub(crate) fn is_over(&self, step: usize) -> bool {
        self.arguments.stop_after.is_some_and(|last| step >= last)
    }

    /// Saves the last state.
    pub(crate) fn save(&mut self, checkpoint: &Checkpoint, at: &Position) -> Result<()> {
        self.checkpoints.save(&Which::Last, checkpoint)?;
        (self.saved_step, self.saved) = (at.step, Instant::now());
        Ok(())
    }

    /// Saves at the end of an epoch. Only the last state is gone on from, so it alone holds the optimizer's. It comes last: whatever ends the process before, the run goes on from
    /// the state before and comes here again.
    pub(crate) fn save_epoch(&mut self, checkpoint: &Checkpoint, at: &Position, best: bool) -> Result<()> {
        let is_kept = |every: u32| at.epoch.is_multiple_of(every as usize) || at.epoch == self.epochs;
        let weights = checkpoint.without_part("optim.");
        if best {
            self.checkpoints.save(&Which::Best, &weights)?;
        }
        if self.arguments.keep_every.is_some_and(is_kept) {
            self.checkpoints.save(&Which::Epoch(at.epoch), &weights)?;
        }
        self.save(checkpoint, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_steps_or_time() {
        assert_eq!("50steps".parse(), Ok(Every::Steps(50)));
        assert_eq!("1step".parse(), Ok(Every::Steps(1)));
        assert_eq!("30s".parse(), Ok(Every::Time(Duration::from_secs(30))));
        assert_eq!("10min".parse(), Ok(Every::Time(Duration::from_secs(600))));
        assert_eq!("2h".parse(), Ok(Every::Time(Duration::from_secs(7200))));
        for wrong in ["", "50", "steps", "0steps", "0s", "-1s", "1.5h", "10 min", "9999999999999999999h"] {
            assert!(wrong.parse::<Every>().is_err(), "{wrong}");
        }
    }
}
