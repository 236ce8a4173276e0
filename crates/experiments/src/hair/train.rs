//! The training loop of a hair network.

use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, Tensor};
use sconce_data::{Batch, Dataset, Loader, Split};
use sconce_losses::foreground;
use sconce_optim::Schedule;
use sconce_runs::{Checkpoint, Run, palette, write_report};
use sconce_tensors::Parameters;

use super::evaluate::{self, Scored};
use super::network::Network;
use super::scores::Scores;
use super::segmenter::Segmenter;
use super::set::Hair;
use super::{CLASSES, Config};
use crate::cli::TrainArguments;
use crate::gallery::Wanted;
use crate::interrupt::Interrupt;
use crate::nan_watch::{NanWatch, Outcome, Step};
use crate::position::Position;
use crate::progress::ProgressLine;
use crate::provenance;
use crate::record::{Columns, Record};
use crate::report;
use crate::saving::Saving;
use crate::settings::{Settings, check_epochs};
use crate::state::State;
use crate::tally::{self, Tally};
use crate::weights;

/// Of log.tsv, whose last column counts the steps skipped so far, and of epochs.tsv: the training images as they were predicted while
/// they were trained on, then the held-out images.
const COLUMNS: Columns = Columns { step: &["lr", "loss", "skipped"], epoch: &EPOCH_COLUMNS };
const EPOCH_COLUMNS: [&str; 11] = {
    let [loss, accuracy, precision, recall, f1] = tally::COLUMNS;
    let [a, b, c, d, e, f] = ["loss", "accuracy", "precision", "recall", "iou", "f1"];
    [loss, accuracy, precision, recall, f1, a, b, c, d, e, f]
};

/// Pictures written at the end.
const PICTURES: Wanted = Wanted { first: 12, worst: 6 };

/// `train figaro-pspnet`: a new run, or an interrupted one from where it stopped.
pub(crate) fn run(settings: &Settings, arguments: &TrainArguments, interrupt: &Interrupt) -> Result<()> {
    let config = Config::read(settings)?;
    config.check_size()?;
    let sets = (config.open(Split::Train)?, config.open(Split::Val)?); // before there is a run
    let run = match &settings.run {
        Some(run) => run.clone(),
        None => {
            check(&config, &sets.0)?;
            Run::create(&arguments.runs, &settings.name, &settings.text)?
        }
    };
    println!("run folder  {}", run.folder().display());
    let start = Instant::now();
    match train(&config, &run, sets, arguments, interrupt)? {
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

/// Makes everything that a training needs but its run, so that a wrong config leaves none.
fn check(config: &Config, images: &Hair) -> Result<()> {
    check_epochs(config.epochs)?;
    let images = images.images.clone();
    let loader = Loader::new(images, config.loader, config.augment.clone(), config.seed, &Device::Cpu)?;
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    Network::new(&config.model, parameters.builder())?;
    config.optim.build_grouped(config.groups.as_deref().unwrap_or_default(), &parameters)?;
    Schedule::new(&config.schedule, config.warmup.as_ref(), config.epochs * loader.batches_per_epoch())?;
    weights::check(config.weights.as_ref(), &parameters, &Network::weight_names(&config.model))
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Finished,
    Interrupted,
}

/// The loop: for each batch loss, gradients and one step; for each epoch scores and a checkpoint.
fn train(
    config: &Config,
    run: &Run,
    (images, held_out): (Hair, Hair),
    arguments: &TrainArguments,
    interrupt: &Interrupt,
) -> Result<End> {
    note(run, config, &images, &held_out)?;
    let loader =
        Loader::new(images.images, config.loader, config.augment.clone(), config.seed, &config.device)?;
    let parameters = Parameters::new(config.seed, &config.device);
    let network = Network::new(&config.model, parameters.builder())?;
    let (mut state, mut tally) = begin(config, run, parameters, loader.batches_per_epoch())?;
    network.restart_dropout(config.seed, state.at.step as u64);
    let mut record = Record::open(run, config.log, COLUMNS, &state.at)?;
    let mut saving = Saving::new(run.checkpoints(), arguments.saving, config.epochs, state.at.step);
    let batches = loader.batches_per_epoch();
    let mut progress = ProgressLine::new(config.epochs, batches, state.at.step);
    let mut watch = NanWatch::new(run, &state.parameters, config.on_nan);

    while state.at.epoch < config.epochs {
        for batch in loader.epoch_from(state.at.epoch, state.at.batch) {
            let batch = batch?;
            let lr = config.optim.lr() * state.schedule.factor(state.at.step);
            watch.begin()?;
            let (loss, logits) = forward(&network, &batch, &config.loss)?;
            let terms = [(config.loss.name(), loss.detach())];
            let step = Step { at: state.at, lr, batch: &batch, targets: ["mask"], terms: &terms };
            let again = || Ok(forward(&network, &batch, &config.loss)?.0);
            let Outcome { values, gradients } = watch.outcome(&step, loss, again, &progress)?;
            let value = values[0];
            match &gradients {
                Some(gradients) => {
                    state.optimizer.step(gradients, lr)?;
                    tally.add(value, &logits, &batch.targets[0], config.threshold)?;
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
                saving.save(&checkpoint(&state, &tally)?, &state.at)?;
            }
            if stop {
                return Ok(End::Interrupted);
            }
        }
        let scores = held_out_scores(config, &state, &held_out, &mut record)?;
        let better = state.end_epoch_at(scores.counts.jaccard().unwrap_or_default(), watched(&scores));
        let values = epoch_values(&std::mem::take(&mut tally), &scores)?;
        record.epoch(&state.at, &values)?;
        record.sync()?;
        saving.save_epoch(&checkpoint(&state, &tally)?, &state.at, better)?;
        progress.after_pause(&epoch_line(&state.at, config.epochs, &values));
        if saving.is_over(state.at.step) && state.at.epoch < config.epochs {
            return Ok(End::Interrupted);
        }
    }
    progress.tell_skipped(state.at.skipped, state.at.step);
    Ok(End::Finished)
}

/// Puts the images into the run's provenance.
fn note(run: &Run, config: &Config, images: &Hair, held_out: &Hair) -> Result<()> {
    let data: [(&str, &dyn Dataset<1>); 2] = [("train", &*images.images), ("val", &*held_out.images)];
    provenance::note(run, &config.device, &data)?;
    println!("images      {} to train on, {} held out", images.images.len(), held_out.images.len());
    Ok(())
}

/// The start of a run, or where it stopped.
fn begin(config: &Config, run: &Run, parameters: Parameters, batches: usize) -> Result<(State, Tally)> {
    let optimizer = config.optim.build_grouped(config.groups.as_deref().unwrap_or_default(), &parameters)?;
    let schedule = Schedule::new(&config.schedule, config.warmup.as_ref(), config.epochs * batches)?;
    let mut state = State::new(parameters, optimizer, schedule);
    let loaded = state.resume(run)?;
    if loaded.is_none() {
        let names = Network::weight_names(&config.model);
        weights::load(run, &state.parameters, config.weights.as_ref(), &names)?;
    }
    let tally = loaded.as_ref().map(Tally::read).transpose()?.unwrap_or_default();
    Ok((state, tally))
}

fn checkpoint(state: &State, tally: &Tally) -> Result<Checkpoint> {
    let mut checkpoint = state.checkpoint();
    tally.write(&mut checkpoint)?;
    Ok(checkpoint)
}

/// The loss of one batch, and the logits.
pub(super) fn forward(
    network: &Network,
    batch: &Batch<1>,
    loss: &foreground::Config,
) -> Result<(Tensor, Tensor)> {
    let logits = network.forward_t(&batch.image, true)?;
    let loss = sconce_losses::foreground(&logits, &batch.targets[0], loss)?;
    Ok((loss, logits.detach()))
}

/// Scores the held-out images with the network as it is now, and draws those that the record wants.
fn held_out_scores(config: &Config, state: &State, held_out: &Hair, record: &mut Record) -> Result<Scores> {
    let tensors = state.parameters.tensors().into_iter().collect();
    let network = Network::for_inference(&config.model, tensors, &config.device)?;
    let segmenter = Segmenter::new(config, network, Default::default());
    evaluate::score(&segmenter, held_out, config, |scored| {
        let Scored { index, sample, predicted, .. } = *scored;
        record.held_out(&state.at, (index, &held_out.images.id(index)), sample, predicted, &palette(CLASSES))
    })
}

/// What a plateau watches: the loss of the held-out images.
fn watched(scores: &Scores) -> f64 {
    scores.loss().unwrap_or(f64::NAN)
}

/// In the order of [`EPOCH_COLUMNS`]; 0 for a score that does not exist.
fn epoch_values(tally: &Tally, scores: &Scores) -> Result<[f64; 11]> {
    let counts = &scores.counts;
    let [precision, recall] = [counts.precision(), counts.recall()];
    let held_out = [scores.loss(), counts.accuracy(), precision, recall, counts.jaccard(), counts.f1()];
    let mut values = [0.0; 11];
    values[..5].copy_from_slice(&tally.values()?);
    for (value, score) in values[5..].iter_mut().zip(held_out) {
        *value = score.unwrap_or_default();
    }
    Ok(values)
}

fn epoch_line(at: &Position, epochs: usize, values: &[f64; 11]) -> String {
    let [train_loss, _, _, _, train_f1, loss, accuracy, _, _, iou, f1] = values;
    format!(
        "epoch {}/{epochs}  loss {train_loss:.4}, F1 {train_f1:.4}  held-out loss {loss:.4}, accuracy {accuracy:.4}, IoU {iou:.4}, \
         F1 {f1:.4}",
        at.epoch
    )
}
