//! The training loop of one wrinkle network.

use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use sconce_data::{Batch, Loader, Split};
use sconce_losses::foreground;
use sconce_models::Unet;
use sconce_optim::Schedule;
use sconce_runs::{Checkpoint, Run, palette, write_report};
use sconce_tensors::Parameters;

use super::detector::{Detector, Single, check_size, input};
use super::evaluate::{self, Scored};
use super::scores::Scores;
use super::{CLASSES, Config, Wrinkles, for_inference, partitioned};
use crate::cli::TrainArguments;
use crate::gallery::Wanted;
use crate::interrupt::Interrupt;
use crate::nan_watch::{NanWatch, Outcome, Step};
use crate::position::Position;
use crate::progress::ProgressLine;
use crate::provenance;
use crate::record::{Columns, Record};
use crate::report;
use crate::saving::{Saving, SavingArguments};
use crate::settings::{Settings, check_epochs};
use crate::state::State;
use crate::tally::{self, Tally};
use crate::weights;

/// Of log.tsv, whose last column counts the steps skipped so far, and of epochs.tsv: the training images as they were predicted while
/// they were trained on, then the held-out images.
const COLUMNS: Columns = Columns { step: &["lr", "loss", "skipped"], epoch: &EPOCH_COLUMNS };
const EPOCH_COLUMNS: [&str; 12] = {
    let [loss, accuracy, precision, recall, f1] = tally::COLUMNS;
    let held_out = ["accuracy", "precision", "recall", "f1", "jsi", "image_f1", "tolerant_f1"];
    let [a, b, c, d, e, f, g] = held_out;
    [loss, accuracy, precision, recall, f1, a, b, c, d, e, f, g]
};

/// Pictures written at the end.
const PICTURES: Wanted = Wanted { first: 12, worst: 6 };

/// `train wrinkle`: a new run, or an interrupted one from where it stopped.
pub(crate) fn run(settings: &Settings, arguments: &TrainArguments, interrupt: &Interrupt) -> Result<()> {
    let config = Config::read(settings)?;
    let run = match &settings.run {
        Some(run) => run.clone(),
        None => {
            check(&config)?;
            Run::create_labelled(&arguments.runs, &settings.name, config.loss.name(), &settings.text)?
        }
    };
    println!("run folder  {}", run.folder().display());
    let start = Instant::now();
    let end = match &config.parts {
        Some(parts) => partitioned::train(&config, parts, &run, arguments, interrupt)?,
        None => train(&config, &run, arguments.saving, interrupt)?,
    };
    match end {
        End::Interrupted => {
            let folder = run.folder().display();
            println!("saved; go on with: cargo xtask train {} --resume {folder}", settings.name);
        }
        End::Finished => {
            println!("trained in {:.0} s; scores of the held-out images:\n", start.elapsed().as_secs_f64());
            evaluate::evaluate(&config, &run, None, Split::Val, PICTURES)?;
            let page = report::file_of(&run);
            write_report(&page, std::slice::from_ref(&run))?;
            println!("report    {}", page.display());
        }
    }
    Ok(())
}

/// Opens every set and makes everything that a training needs but its run, so that a wrong config leaves none.
fn check(config: &Config) -> Result<()> {
    if let Some(parts) = &config.parts {
        return parts.iter().try_for_each(|part| {
            check(&config.of_part(part)).with_context(|| format!("part '{}'", part.name))
        });
    }
    check_epochs(config.epochs)?;
    check_size(config)?;
    let (images, _) = (config.open(Split::Train)?, config.open(Split::Val)?);
    if config.loss.is_auto() {
        check_foreground(&images)?;
    }
    let loader = Loader::new(images, config.loader, config.augment.clone(), config.seed, &Device::Cpu)?;
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    Unet::new(&config.model, parameters.builder())?;
    config.optim.build(&parameters)?;
    Schedule::new(&config.schedule, config.warmup.as_ref(), config.epochs * loader.batches_per_epoch())?;
    weights::check(config.weights.as_ref(), &parameters, &Unet::weight_names())
}

/// From one epoch whose weights are kept to the next. Of parts there are many, and many epochs.
const KEPT: u32 = 1;
const KEPT_OF_PARTS: u32 = 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Interrupted,
}

/// The loop: for each batch loss, gradients and one step; for each epoch scores and a checkpoint.
pub(super) fn train(
    config: &Config,
    run: &Run,
    saving: SavingArguments,
    interrupt: &Interrupt,
) -> Result<End> {
    let (images, held_out) = open_noted(config, run)?;
    let loader =
        Loader::new(images.clone(), config.loader, config.augment.clone(), config.seed, &config.device)?;
    let parameters = Parameters::new(config.seed, &config.device);
    let network = Unet::new(&config.model, parameters.builder())?;
    let (mut state, mut extra) = begin(config, run, parameters, &images, loader.batches_per_epoch())?;
    network.restart_dropout(config.seed, state.at.step as u64);
    let mut record = Record::open(run, config.log, COLUMNS, &state.at)?;
    let saving = saving.or_keep_every(if config.part.is_some() { KEPT_OF_PARTS } else { KEPT });
    let mut saving = Saving::new(run.checkpoints(), saving, config.epochs, state.at.step);
    let batches = loader.batches_per_epoch();
    let mut progress = ProgressLine::new(config.epochs, batches, state.at.step);
    let mut watch = NanWatch::new(run, &state.parameters, config.on_nan);

    while state.at.epoch < config.epochs {
        for batch in loader.epoch_from(state.at.epoch, state.at.batch) {
            let batch = batch?;
            let lr = config.optim.lr() * state.schedule.factor(state.at.step);
            watch.begin()?;
            let (loss, logits) = forward(&network, &batch, config, &extra.loss)?;
            let terms = [(config.loss.name(), loss.detach())];
            let step = Step { at: state.at, lr, batch: &batch, targets: ["mask"], terms: &terms };
            let again = || Ok(forward(&network, &batch, config, &extra.loss)?.0);
            let Outcome { values, gradients } = watch.outcome(&step, loss, again, &progress)?;
            let value = values[0];
            match &gradients {
                Some(gradients) => {
                    state.optimizer.step(gradients, lr)?;
                    extra.tally.add(value, &logits, &batch.targets[0], config.threshold)?;
                }
                None => state.at.skipped += 1,
            }
            state.at.advance();
            let cost = progress.step(batch.ids.len(), batch.waited, value, lr);
            record.step(&state.at, &[lr, value, state.at.skipped as f64], cost)?;
            if let Some(gradients) = &gradients {
                record.histograms(&state.at, batches, &state.parameters, gradients)?;
            }
            let stop = interrupt.asked() || saving.is_over(state.at.step) && state.at.batch < batches;
            if stop || saving.is_due(state.at.step) {
                record.sync()?;
                saving.save(&extra.write(state.checkpoint())?, &state.at)?;
            }
            if stop {
                return Ok(End::Interrupted);
            }
        }
        let scores = held_out_scores(config, &state, &held_out, &mut record)?;
        let better = state.end_epoch(scores.counts.f1().unwrap_or_default());
        let values = epoch_values(&std::mem::take(&mut extra.tally), &scores)?;
        record.epoch(&state.at, &values)?;
        record.sync()?;
        saving.save_epoch(&extra.write(state.checkpoint())?, &state.at, better)?;
        progress.after_pause(&epoch_line(&state.at, config.epochs, &values));
        if saving.is_over(state.at.step) && state.at.epoch < config.epochs {
            return Ok(End::Interrupted);
        }
    }
    progress.tell_skipped(state.at.skipped, state.at.step);
    Ok(End::Finished)
}

/// The images to train on and those held out; the run's provenance names them.
fn open_noted(config: &Config, run: &Run) -> Result<(Wrinkles, Wrinkles)> {
    let (images, held_out) = (config.open(Split::Train)?, config.open(Split::Val)?);
    provenance::note(run, &config.device, &[("train", &*images), ("val", &*held_out)])?;
    println!("images      {} to train on, {} held out", images.len(), held_out.len());
    Ok((images, held_out))
}

/// What this experiment's checkpoints hold beside the [`State`].
struct Extra {
    /// With its weight counted.
    loss: foreground::Config,
    /// Of the weight, if it was counted.
    weight: Option<f64>,
    tally: Tally,
}

impl Extra {
    fn write(&self, mut checkpoint: Checkpoint) -> Result<Checkpoint> {
        if let Some(weight) = self.weight {
            checkpoint.set(WEIGHT, weight);
        }
        self.tally.write(&mut checkpoint)?;
        Ok(checkpoint)
    }
}

/// In a checkpoint.
const WEIGHT: &str = "foreground-weight";

/// The start of a run, or where it stopped.
fn begin(
    config: &Config,
    run: &Run,
    parameters: Parameters,
    images: &Wrinkles,
    batches: usize,
) -> Result<(State, Extra)> {
    let optimizer = config.optim.build(&parameters)?;
    let schedule = Schedule::new(&config.schedule, config.warmup.as_ref(), config.epochs * batches)?;
    let mut state = State::new(parameters, optimizer, schedule);
    let loaded = state.resume(run)?;
    if loaded.is_none() {
        weights::load(run, &state.parameters, config.weights.as_ref(), &Unet::weight_names())?;
    }
    let tally = loaded.as_ref().map(Tally::read).transpose()?.unwrap_or_default();
    let weight = match (&loaded, config.loss.is_auto()) {
        (_, false) => None,
        (Some(loaded), true) => Some(loaded.state(WEIGHT)?),
        (None, true) => Some(counted_weight(images)?),
    };
    let loss = weight.map_or(config.loss.clone(), |weight| config.loss.clone().with_weight(weight));
    Ok((state, Extra { loss, weight, tally }))
}

/// An error unless some image has foreground: the first that is found ends the search.
fn check_foreground(images: &Wrinkles) -> Result<()> {
    let has = |index| Ok::<bool, anyhow::Error>(images.read(index)?.targets[0].as_raw().contains(&1));
    let found = (0..images.len()).into_par_iter().map(has).find_any(|has| !matches!(has, Ok(false)));
    found.unwrap_or_else(|| Err(no_foreground(images))).map(drop)
}

fn no_foreground(images: &Wrinkles) -> anyhow::Error {
    anyhow!(
        "foreground-weight = \"auto\": none of the {} training masks has a foreground pixel; correct the masks or `foreground`, or \
         give a number",
        images.len()
    )
}

/// Background pixels over foreground pixels of a whole set as it is stored.
fn counted_weight(images: &Wrinkles) -> Result<f64> {
    let count = |index| -> Result<[u64; 2]> {
        let mut counts = [0; 2];
        for label in images.read(index)?.targets[0].as_raw() {
            if let Some(count) = counts.get_mut(usize::from(*label)) {
                *count += 1;
            }
        }
        Ok(counts)
    };
    let sum = |a: [u64; 2], b: [u64; 2]| Ok([a[0] + b[0], a[1] + b[1]]);
    let [background, foreground] = (0..images.len()).into_par_iter().map(count).try_reduce(|| [0; 2], sum)?;
    if foreground == 0 {
        return Err(no_foreground(images));
    }
    let weight = background.max(1) as f64 / foreground as f64;
    println!("foreground  {:.3} % of the training pixels, weight {weight:.2}", 100.0 / (1.0 + weight));
    Ok(weight)
}

/// The loss of one batch, and the logits.
pub(super) fn forward(
    network: &Unet,
    batch: &Batch<1>,
    config: &Config,
    loss: &foreground::Config,
) -> Result<(Tensor, Tensor)> {
    let logits = network.forward_t(&input(&batch.image, config.texture)?, true)?.logits;
    let loss = sconce_losses::foreground(&logits, &batch.targets[0], loss)?;
    Ok((loss, logits.detach()))
}

/// Scores the held-out images with the network as it is now, and draws those that the record wants.
fn held_out_scores(
    config: &Config,
    state: &State,
    held_out: &Wrinkles,
    record: &mut Record,
) -> Result<Scores> {
    let network = for_inference(config, state.parameters.tensors().into_iter().collect())?;
    let detector = Detector::Whole(Box::new(Single::new(config, network, Default::default())));
    evaluate::score(&detector, held_out, config.threshold, |scored| {
        let Scored { index, sample, predicted, .. } = *scored;
        record.held_out(&state.at, (index, &held_out.id(index)), sample, predicted, &palette(CLASSES))
    })
}

/// In the order of [`EPOCH_COLUMNS`]; 0 for a score that does not exist.
fn epoch_values(tally: &Tally, scores: &Scores) -> Result<[f64; 12]> {
    let Scores { counts, tolerant, .. } = scores;
    let held_out = [
        counts.accuracy(),
        counts.precision(),
        counts.recall(),
        counts.f1(),
        counts.jaccard(),
        scores.image_f1(),
        tolerant.f1(),
    ];
    let mut values = [0.0; 12];
    values[..5].copy_from_slice(&tally.values()?);
    for (value, score) in values[5..].iter_mut().zip(held_out) {
        *value = score.unwrap_or_default();
    }
    Ok(values)
}

fn epoch_line(at: &Position, epochs: usize, values: &[f64; 12]) -> String {
    let [loss, _, _, _, train_f1, _, precision, recall, f1, _, _, tolerant] = values;
    format!(
        "epoch {}/{epochs}  loss {loss:.4}, F1 {train_f1:.4}  held-out F1 {f1:.4} (precision {precision:.4}, recall {recall:.4})  tolerant F1 \
         {tolerant:.4}",
        at.epoch
    )
}
