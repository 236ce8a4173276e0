//! What a training run writes down as it goes: rows of numbers, and events for TensorBoard.

use anyhow::Result;
use candle_core::Tensor;
use candle_core::backprop::GradStore;
use image::GrayImage;
use sconce_data::Sample;
use sconce_runs::{Cell, Colour, Events, Histogram, Log, Run, StepTime, comparison, peak_memory};
use sconce_tensors::Parameters;
use serde::Deserialize;

use crate::position::Position;

/// The table `[log]` of a config. Without it a run writes no events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Write event files to the run's folder.
    tensorboard: bool,
    /// Held-out images that are drawn with each epoch's prediction.
    pictures: usize,
    /// Epochs from one set of histograms of weights and gradients to the next; 0 for none.
    histograms_every: usize,
}

/// Columns of log.tsv and epochs.tsv after step and epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) step: &'a [&'a str],
    pub(crate) epoch: &'a [&'a str],
}

/// Columns of times.tsv: how long a step took, how long of that it waited for its batch, and the most memory held so far.
const TIME_COLUMNS: [&str; 6] = ["step", "epoch", "images", "seconds", "waiting_seconds", "peak_mib"];

/// The open files of a run.
pub(crate) struct Record<'a> {
    columns: Columns<'a>,
    steps: Log,
    epochs: Log,
    times: Log,
    events: Option<(Events, Config)>,
}

impl<'a> Record<'a> {
    /// Begins the files of a run, or goes on with them: what they say of later steps and epochs is dropped.
    pub(crate) fn open(
        run: &Run,
        config: Option<Config>,
        columns: Columns<'a>,
        at: &Position,
    ) -> Result<Self> {
        let step = at.step as u64;
        // Before the end of an epoch its scores are of later, even where its last step is done.
        let scored = if at.batch == 0 { step } else { step.saturating_sub(1) };
        let log = |name: &str, columns: &[&str], last: u64| -> Result<Log> {
            let mut log = Log::open(&run.folder().join(name), columns)?;
            log.truncate_after(last)?;
            Ok(log)
        };
        let named = |columns: &[&'a str]| [&["step", "epoch"], columns].concat();
        let events = match config {
            Some(config) if config.tensorboard => Some((Events::open(&run.events(), step)?, config)),
            _ => None,
        };
        Ok(Self {
            columns,
            steps: log("log.tsv", &named(columns.step), step)?,
            epochs: log("epochs.tsv", &named(columns.epoch), scored)?,
            times: log("times.tsv", &TIME_COLUMNS, step)?,
            events,
        })
    }

    /// Writes what a step gave, one value for each of its columns, and what it cost.
    pub(crate) fn step(&mut self, at: &Position, values: &[f64], cost: StepTime) -> Result<()> {
        self.steps.append(&row(at.step, at.epoch + 1, values))?;
        let (time, waiting) = (cost.time.as_secs_f64(), cost.waiting.as_secs_f64());
        let memory = peak_memory().map_or(Cell::empty(), |bytes| (bytes >> 20).into());
        self.times.append(&[
            at.step.into(),
            (at.epoch + 1).into(),
            cost.images.into(),
            time.into(),
            waiting.into(),
            memory,
        ])?;
        if let Some((events, _)) = &mut self.events {
            let mut numbers = tagged("train", self.columns.step, values);
            numbers.push(("time/seconds per step".to_owned(), time));
            numbers.push(("time/seconds waiting for data".to_owned(), waiting));
            write_scalars(events, at.step, &numbers)?;
        }
        Ok(())
    }

    /// Writes the scores of an epoch that has ended, one value for each column.
    pub(crate) fn epoch(&mut self, at: &Position, values: &[f64]) -> Result<()> {
        self.epochs.append(&row(at.step, at.epoch, values))?;
        if let Some((events, _)) = &mut self.events {
            write_scalars(events, at.step, &tagged("held-out", self.columns.epoch, values))?;
        }
        Ok(())
    }

    /// Whether the held-out image of this place is one of those to be shown.
    pub(crate) fn shows(&self, index: usize) -> bool {
        self.events.as_ref().is_some_and(|(_, config)| index < config.pictures)
    }

    /// Writes a held-out image with its truth and prediction beside it, if it is one of those to be shown.
    pub(crate) fn held_out<const T: usize>(
        &mut self,
        at: &Position,
        (index, id): (usize, &str),
        sample: &Sample<T>,
        predicted: &GrayImage,
        colours: &[Colour],
    ) -> Result<()> {
        if self.shows(index)
            && let Some((events, _)) = &mut self.events
        {
            let picture = comparison(&sample.image, &sample.targets[0], predicted, colours)?;
            events.picture(at.step as u64, &format!("held-out/{id}"), &picture)?;
        }
        Ok(())
    }

    /// Writes how weights and gradients are distributed, after the last of an epoch's `batches` and if it is the epoch's turn.
    pub(crate) fn histograms(
        &mut self,
        at: &Position,
        batches: usize,
        parameters: &Parameters,
        gradients: &GradStore,
    ) -> Result<()> {
        let Some((events, config)) = &mut self.events else { return Ok(()) };
        let every = config.histograms_every;
        if every == 0 || at.batch != batches || !(at.epoch + 1).is_multiple_of(every) {
            return Ok(());
        }
        for (name, parameter) in parameters.trainable() {
            events.histogram(at.step as u64, &format!("weights/{name}"), &histogram(&parameter)?)?;
            if let Some(gradient) = gradients.get(&parameter) {
                events.histogram(at.step as u64, &format!("gradients/{name}"), &histogram(gradient)?)?;
            }
        }
        Ok(())
    }

    /// Forces everything to the disk; to be called before a checkpoint is saved.
    pub(crate) fn sync(&self) -> Result<()> {
        for log in [&self.steps, &self.epochs, &self.times] {
            log.sync()?;
        }
        if let Some((events, _)) = &self.events {
            events.sync()?;
        }
        Ok(())
    }
}

fn row(step: usize, epoch: usize, values: &[f64]) -> Vec<Cell> {
    let values = values.iter().map(|value| Cell::from(*value));
    [step.into(), epoch.into()].into_iter().chain(values).collect()
}

fn tagged(group: &str, columns: &[&str], values: &[f64]) -> Vec<(String, f64)> {
    columns.iter().zip(values).map(|(column, value)| (format!("{group}/{column}"), *value)).collect()
}

fn write_scalars(events: &mut Events, step: usize, numbers: &[(String, f64)]) -> Result<()> {
    let numbers: Vec<(&str, f64)> = numbers.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
    Ok(events.scalars(step as u64, &numbers)?)
}

fn histogram(tensor: &Tensor) -> Result<Histogram> {
    let mut histogram = Histogram::default();
    histogram.add(&tensor.flatten_all()?.to_vec1::<f32>()?);
    Ok(histogram)
}
