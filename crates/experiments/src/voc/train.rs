//! The training loop of the networks for classes.

use std::time::Instant;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use sconce_backbones::normalize;
use sconce_data::{Batch, Loader, Split, VOID, map_tensor};
use sconce_losses::classes;
use sconce_metrics::Confusion;
use sconce_optim::Schedule;
use sconce_runs::{Run, Which, write_report};
use sconce_tensors::{ConfusionCounts, Parameters, label_map};

use super::network::Network;
use super::tally::Tally;
use super::view::View;
use super::{Config, Labelled, Watched, colours, evaluate, labels};
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
use crate::weights;

/// Of log.tsv, a row a step, whose last column counts the steps skipped so far, and of epochs.tsv, a row an epoch: the mean loss of the
/// steps, then what the held-out images scored.
const COLUMNS: Columns = Columns {
    step: &["lr", "loss", "main", "auxiliary", "skipped"],
    epoch: &["train_loss", "val_loss", "mean_iou", "pixel_accuracy", "mean_f1"],
};

/// Pictures written at the end.
const PICTURES: Wanted = Wanted { first: 12, worst: 6 };

/// `train voc…`: a new run, or an interrupted one from where it stopped.
pub(crate) fn run(settings: &Settings, arguments: &TrainArguments, interrupt: &Interrupt) -> Result<()> {
    let config = Config::read(settings)?;
    let (images, held_out) = (config.open(Split::Train)?, config.open(Split::Val)?);
    let run = match &settings.run {
        Some(run) => run.clone(),
        None => {
            check(&config, images.clone())?;
            Run::create(&arguments.runs, &settings.name, &settings.text)?
        }
    };
    provenance::note(&run, &config.device, &[("train", &*images), ("val", &*held_out)])?;
    println!("run folder  {}", run.folder().display());
    println!("images      {} to train on, {} held out", images.len(), held_out.len());
    let start = Instant::now();
    match train(&config, &run, images, &held_out, arguments.saving, interrupt)? {
        End::Interrupted => {
            let folder = run.folder().display();
            println!("saved; go on with: cargo xtask train {} --resume {folder}", settings.name);
        }
        End::Finished => {
            println!(
                "trained in {:.0} s; the best checkpoint on the held-out images:\n",
                start.elapsed().as_secs_f64()
            );
            evaluate::evaluate(&config, (&run, &[]), &Which::Best, Split::Val, PICTURES)?;
            let page = report::file_of(&run);
            write_report(&page, std::slice::from_ref(&run))?;
            println!("report    {}", page.display());
        }
    }
    Ok(())
}

/// Makes everything that a training needs but its run, so that a wrong config leaves none.
fn check(config: &Config, images: Labelled) -> Result<()> {
    check_epochs(config.epochs)?;
    let loader = Loader::new(images, config.loader, config.augment.clone(), config.seed, &Device::Cpu)?;
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    Network::new(&config.model, parameters.builder())?;
    config.optim.build_grouped(&config.groups, &parameters)?;
    Schedule::new(&config.schedule, config.warmup.as_ref(), config.epochs * loader.batches_per_epoch())?;
    weights::check(config.weights.as_ref(), &parameters, &config.model.weight_names())
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
    images: Labelled,
    held_out: &Labelled,
    saving: SavingArguments,
    interrupt: &Interrupt,
) -> Result<End> {
    let loader = Loader::new(images, config.loader, config.augment.clone(), config.seed, &config.device)?;
    let parameters = Parameters::new(config.seed, &config.device);
    let network = Network::new(&config.model, parameters.builder())?;
    let (batches, total) = (loader.batches_per_epoch(), config.epochs * loader.batches_per_epoch());
    let schedule = Schedule::new(&config.schedule, config.warmup.as_ref(), total)?;
    let optimizer = config.optim.build_grouped(&config.groups, &parameters)?;
    let mut state = State::new(parameters, optimizer, schedule);
    let mut tally = begin(config, run, &mut state)?;
    network.restart_dropout(config.seed, state.at.step as u64);
    let mut record = Record::open(run, config.log, COLUMNS, &state.at)?;
    let mut saving = Saving::new(run.checkpoints(), saving, config.epochs, state.at.step);
    let mut progress = ProgressLine::new(config.epochs, batches, state.at.step);
    let mut watch = NanWatch::new(run, &state.parameters, config.on_nan);

    while state.at.epoch < config.epochs {
        for batch in loader.epoch_from(state.at.epoch, state.at.batch) {
            let batch = batch?;
            let lr = config.optim.lr() * state.schedule.factor(state.at.step);
            watch.begin()?;
            let (loss, terms) = losses(&network, &batch, config)?;
            let step = Step { at: state.at, lr, batch: &batch, targets: ["labels"], terms: &terms };
            let again = || Ok(losses(&network, &batch, config)?.0);
            let Outcome { values, gradients } = watch.outcome(&step, loss, again, &progress)?;
            match &gradients {
                Some(gradients) => {
                    state.optimizer.step(gradients, lr)?;
                    tally.add(values[0]);
                }
                None => state.at.skipped += 1,
            }
            state.at.advance();
            let cost = progress.step(batch.ids.len(), batch.waited, values[0], lr);
            record.step(&state.at, &[&[lr], &values[..], &[state.at.skipped as f64]].concat(), cost)?;
            if let Some(gradients) = &gradients {
                record.histograms(&state.at, batches, &state.parameters, gradients)?;
            }
            let stop = interrupt.asked() || saving.is_over(state.at.step) && state.at.batch < batches;
            if stop || saving.is_due(state.at.step) {
                record.sync()?;
                saving.save(&tally.write(state.checkpoint()), &state.at)?;
            }
            if stop {
                return Ok(End::Interrupted);
            }
        }
        let (loss, confusion) = held_out_scores(config, &state, held_out, &mut record)?;
        let values = epoch_values(std::mem::take(&mut tally), loss, &confusion);
        let better = state.end_epoch_at(confusion.mean_iou(), watched(config.plateau_on, &values));
        record.epoch(&state.at, &values)?;
        record.sync()?;
        saving.save_epoch(&tally.write(state.checkpoint()), &state.at, better)?;
        progress.after_pause(&epoch_line(&state.at, config.epochs, &values));
        if saving.is_over(state.at.step) && state.at.epoch < config.epochs {
            return Ok(End::Interrupted);
        }
    }
    progress.tell_skipped(state.at.skipped, state.at.step);
    Ok(End::Finished)
}

/// Goes on where the run stopped, or begins with the weights that the config names; gives the losses of the epoch under way.
fn begin(config: &Config, run: &Run, state: &mut State) -> Result<Tally> {
    if let Some(loaded) = state.resume(run)? {
        return Tally::read(&loaded);
    }
    weights::load(run, &state.parameters, config.weights.as_ref(), &config.model.weight_names())?;
    Ok(Tally::default())
}

/// The loss of one batch, and by name the whole and the losses of the main and of the auxiliary head before its weight.
pub(super) fn losses(
    network: &Network,
    batch: &Batch<1>,
    config: &Config,
) -> Result<(Tensor, [(&'static str, Tensor); 3])> {
    let [labels] = &batch.targets;
    let output = network.forward_t(&normalize(&batch.image)?, true)?;
    let main = classes(&output.logits, labels, &config.loss)?;
    let (total, auxiliary) = match (&output.aux, config.auxiliary_loss) {
        (Some(scores), Some(weight)) if weight > 0.0 => {
            let auxiliary = classes(scores, labels, &config.loss)?;
            ((&main + (&auxiliary * weight)?)?, auxiliary)
        }
        _ => (main.clone(), main.zeros_like()?),
    };
    let named = [("total", total.detach()), ("main", main.detach()), ("auxiliary", auxiliary.detach())];
    Ok((total, named))
}

/// Scores the held-out images at their own sizes with the network as it is now: the mean of their losses, and all pixels' counts,
/// which are read when all images have been asked for. Draws those that the record wants.
fn held_out_scores(
    config: &Config,
    state: &State,
    held_out: &Labelled,
    record: &mut Record,
) -> Result<(f64, Confusion)> {
    let tensors = state.parameters.tensors().into_iter().collect();
    let network = Network::for_inference(&config.model, tensors, &config.device)?;
    let view = View::plain(config);
    let classes = config.model.classes();
    let (mut counts, mut all_losses) = (ConfusionCounts::new(classes), Vec::with_capacity(held_out.len()));
    for index in 0..held_out.len() {
        let sample = held_out.read(index)?;
        let logits = view.logits(&network, &sample.image)?;
        let truth = map_tensor([&sample.targets[0]], &config.device)?;
        all_losses
            .push(sconce_losses::classes(&logits, &truth, &config.loss)?.detach().to_dtype(DType::F64)?);
        counts.add(&truth, &label_map(&logits)?, VOID)?;
        if record.shows(index) {
            let (predicted, colours) = (labels(&logits)?, colours(classes));
            record.held_out(&state.at, (index, &held_out.id(index)), &sample, &predicted, &colours)?;
        }
    }
    let sum: f64 = Tensor::stack(&all_losses, 0)?.to_vec1::<f64>()?.iter().sum();
    Ok((sum / held_out.len() as f64, Confusion::from_counts(classes, &counts.read()?)?))
}

/// In the order of the columns of epochs.tsv.
fn epoch_values(tally: Tally, loss: f64, scores: &Confusion) -> [f64; 5] {
    [tally.mean(), loss, scores.mean_iou(), scores.pixel_accuracy(), scores.mean_f1()]
}

/// The one of the epoch's values that a plateau listens to.
fn watched(plateau_on: Option<Watched>, [train_loss, val_loss, mean_iou, ..]: &[f64; 5]) -> f64 {
    match plateau_on {
        Some(Watched::TrainingLoss) => *train_loss,
        Some(Watched::ValidationLoss) => *val_loss,
        Some(Watched::MeanIou) | None => *mean_iou,
    }
}

fn epoch_line(at: &Position, epochs: usize, values: &[f64; 5]) -> String {
    let [train_loss, val_loss, mean_iou, pixel_accuracy, _] = values;
    format!(
        "epoch {}/{epochs}  loss {train_loss:.4}  held-out loss {val_loss:.4}  mean IoU {mean_iou:.4}  pixel accuracy {pixel_accuracy:.4}",
        at.epoch
    )
}
