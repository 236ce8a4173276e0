//! The training loop of AGRNet.

use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, Tensor};
use sconce_backbones::normalize;
use sconce_data::{Batch, Loader, Split};
use sconce_losses::agrnet::{self as loss, Terms};
use sconce_metrics::Confusion;
use sconce_models::Agrnet;
use sconce_optim::Schedule;
use sconce_runs::{Run, Which, palette, write_report};
use sconce_tensors::Parameters;

use super::evaluate::Scored;
use super::{Config, Faces, evaluate, for_inference};
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

/// Of log.tsv, a row a step, whose last column counts the steps skipped so far, and of epochs.tsv, a row an epoch: scores of the
/// held-out images.
const COLUMNS: Columns = Columns {
    step: &["lr", "loss", "parsing", "edge", "boundary", "distance", "skipped"],
    epoch: &["mean_f1_foreground", "mean_f1", "mean_iou", "pixel_accuracy"],
};

/// Pictures written at the end.
const PICTURES: Wanted = Wanted { first: 12, worst: 6 };

/// `train agrnet`: a new run, or an interrupted one from where it stopped.
pub(crate) fn run(settings: &Settings, arguments: &TrainArguments, interrupt: &Interrupt) -> Result<()> {
    let config = Config::read(settings)?;
    let (faces, held_out) = (config.open(Split::Train)?, config.open(Split::Val)?);
    let run = match &settings.run {
        Some(run) => run.clone(),
        None => {
            check(&config, faces.clone())?;
            Run::create(&arguments.runs, &settings.name, &settings.text)?
        }
    };
    let data = [("train", &*faces), ("val", &*held_out)];
    provenance::note(&run, &config.device, &data)?;
    println!("run folder  {}", run.folder().display());
    println!("images      {} to train on, {} held out", faces.len(), held_out.len());
    let start = Instant::now();
    match train(&config, &run, faces, &held_out, arguments.saving, interrupt)? {
        End::Interrupted => {
            let folder = run.folder().display();
            println!("saved; go on with: cargo xtask train {} --resume {folder}", settings.name);
        }
        End::Finished => {
            println!(
                "trained in {:.0} s; the best checkpoint on the held-out images:\n",
                start.elapsed().as_secs_f64()
            );
            evaluate::evaluate(&config, &run, &Which::Best, Split::Val, PICTURES)?;
            let page = report::file_of(&run);
            write_report(&page, std::slice::from_ref(&run))?;
            println!("report    {}", page.display());
        }
    }
    Ok(())
}

/// Makes everything that a training needs but its run, so that a wrong config leaves none.
fn check(config: &Config, faces: Faces) -> Result<()> {
    check_epochs(config.epochs)?;
    let loader = Loader::new(faces, config.loader, config.augment.clone(), config.seed, &Device::Cpu)?;
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    Agrnet::new(&config.model, parameters.builder())?;
    config.optim.build(&parameters)?;
    Schedule::new(&config.schedule, config.warmup.as_ref(), config.epochs * loader.batches_per_epoch())?;
    weights::check(config.weights.as_ref(), &parameters, &Agrnet::weight_names())
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
    faces: Faces,
    held_out: &Faces,
    saving: SavingArguments,
    interrupt: &Interrupt,
) -> Result<End> {
    let loader = Loader::new(faces, config.loader, config.augment.clone(), config.seed, &config.device)?;
    let parameters = Parameters::new(config.seed, &config.device);
    let network = Agrnet::new(&config.model, parameters.builder())?;
    let optimizer = config.optim.build(&parameters)?;
    let steps = config.epochs * loader.batches_per_epoch();
    let schedule = Schedule::new(&config.schedule, config.warmup.as_ref(), steps)?;
    let mut state = State::new(parameters, optimizer, schedule);
    if state.resume(run)?.is_none() {
        weights::load(run, &state.parameters, config.weights.as_ref(), &Agrnet::weight_names())?;
    }
    let mut record = Record::open(run, config.log, COLUMNS, &state.at)?;
    let mut saving = Saving::new(run.checkpoints(), saving, config.epochs, state.at.step);
    let batches = loader.batches_per_epoch();
    let mut progress = ProgressLine::new(config.epochs, batches, state.at.step);
    let mut watch = NanWatch::new(run, &state.parameters, config.on_nan);
    let colours = palette(held_out.classes().len());

    while state.at.epoch < config.epochs {
        for batch in loader.epoch_from(state.at.epoch, state.at.batch) {
            let batch = batch?;
            let lr = config.optim.lr() * state.schedule.factor(state.at.step);
            watch.begin()?;
            let (loss, terms) = losses(&network, &batch, &config.loss)?;
            let step = Step { at: state.at, lr, batch: &batch, targets: TARGETS, terms: &terms };
            let again = || Ok(losses(&network, &batch, &config.loss)?.0);
            let Outcome { values, gradients } = watch.outcome(&step, loss, again, &progress)?;
            match &gradients {
                Some(gradients) => state.optimizer.step(gradients, lr)?,
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
                saving.save(&state.checkpoint(), &state.at)?;
            }
            if stop {
                return Ok(End::Interrupted);
            }
        }
        let scored = for_inference(config, state.parameters.tensors().into_iter().collect())?;
        let confusion = evaluate::score(&scored, config, held_out, |scored| {
            let Scored { index, sample, predicted, .. } = *scored;
            record.held_out(&state.at, (index, &held_out.id(index)), sample, predicted, &colours)
        })?;
        let better = state.end_epoch(confusion.mean_f1_foreground());
        record.epoch(&state.at, &means(&confusion))?;
        record.sync()?;
        saving.save_epoch(&state.checkpoint(), &state.at, better)?;
        progress.after_pause(&epoch_line(&state.at, config.epochs, &confusion));
        if saving.is_over(state.at.step) && state.at.epoch < config.epochs {
            return Ok(End::Interrupted);
        }
    }
    progress.tell_skipped(state.at.skipped, state.at.step);
    Ok(End::Finished)
}

/// What the targets of a batch are.
const TARGETS: [&str; 2] = ["labels", "edges"];

/// The loss of one batch, and its terms by name, the sum first.
pub(super) fn losses(
    network: &Agrnet,
    batch: &Batch<2>,
    config: &loss::Config,
) -> Result<(Tensor, [(&'static str, Tensor); 5])> {
    let [labels, edges] = &batch.targets;
    let output = network.forward_t(&normalize(&batch.image)?, true)?;
    let Terms { total, parsing, edge, boundary, distance } =
        loss::agrnet(&output.logits, &output.initial, &output.edge, &output.vertices, labels, edges, config)?;
    let named = [
        ("total", total.detach()),
        ("parsing", parsing.detach()),
        ("edge", edge.detach()),
        ("boundary", boundary.detach()),
        ("distance", distance.detach()),
    ];
    Ok((total, named))
}

/// In the order of the columns of epochs.tsv.
fn means(scores: &Confusion) -> [f64; 4] {
    [scores.mean_f1_foreground(), scores.mean_f1(), scores.mean_iou(), scores.pixel_accuracy()]
}

fn epoch_line(at: &Position, epochs: usize, scores: &Confusion) -> String {
    format!(
        "epoch {}/{epochs}  held-out mean F1 {:.4} (with background {:.4})  mean IoU {:.4}  pixel accuracy {:.4}",
        at.epoch,
        scores.mean_f1_foreground(),
        scores.mean_f1(),
        scores.mean_iou(),
        scores.pixel_accuracy()
    )
}
