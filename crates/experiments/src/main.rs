//! The program behind `cargo xtask`: trains, evaluates and uses the networks of sconce.

#![forbid(unsafe_code)]

#[macro_use]
mod terminal;

mod ablate;
mod agrnet;
mod bench;
mod class_scores;
mod cli;
mod curve;
mod data;
mod dense_crf;
mod device;
mod each_image;
mod estimate;
mod evaluation;
mod export;
#[cfg(test)]
mod fuzz;
mod gallery;
mod hair;
mod inputs;
mod interrupt;
mod maps;
mod named_runs;
mod nan_watch;
mod plot;
mod position;
mod progress;
mod provenance;
mod record;
mod report;
mod repro;
mod saving;
mod settings;
mod state;
mod summary;
mod synth;
mod tally;
mod verbs;
mod voc;
mod weights;
mod wrinkle;

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use cli::{Cli, DataVerb, SynthSet, Verb};
use interrupt::Interrupt;
use rayon::ThreadPoolBuilder;
use settings::Settings;

#[cfg(not(test))] // tests count allocations with one of their own
#[global_allocator]
static ALLOCATOR: sconce_tensors::Allocator = sconce_tensors::Allocator::new();

/// Stack of the working thread, in bytes: candle walks a loss's graph recursively.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    sconce_tensors::keep_freed_memory();
    let cli = Cli::parse();
    let thread = if cli.verb.only_prints() { terminal::PRINTER } else { terminal::MAKER };
    match on_a_large_stack(thread, || run_in_the_pool(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn on_a_large_stack(name: &str, work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let worker = std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(work);
    let worker = worker.context("cannot start the working thread")?;
    worker.join().unwrap_or_else(|_| {
        Err(anyhow!("stopped by a fault of the program itself; the message above says where"))
    })
}

/// Runs as one of the threads that compute: an operation begins where it is called. Of a thread outside the pool it would
/// wake another one and let the caller sleep, hundreds of times in a step.
fn run_in_the_pool(cli: Cli) -> Result<()> {
    ThreadPoolBuilder::new().use_current_thread().build_global().context("cannot start the threads")?;
    run(cli)
}

fn run(cli: Cli) -> Result<()> {
    sconce_tensors::vector_width()?; // a wrong SCONCE_LANES is told here; later it would end the program by a panic
    match cli.verb {
        Verb::Train(arguments) => {
            let settings = Settings::for_training(&arguments)?;
            verbs::train(&settings, &arguments, &Interrupt::watch()?)
        }
        Verb::Eval(arguments) => verbs::evaluate(&Settings::of_run(&arguments.run)?, &arguments),
        Verb::Predict(arguments) => verbs::predict(&Settings::of_run(&arguments.run)?, &arguments),
        Verb::Summary(arguments) => {
            let settings = Settings::of_config(&arguments.experiment, &arguments.set)?;
            verbs::summarise(&settings, &arguments)
        }
        Verb::Ablate(arguments) => ablate::run(&arguments),
        Verb::Export(arguments) => export::run(&arguments),
        Verb::Repro(arguments) => repro::run(&arguments),
        Verb::Report(arguments) => report::run(&arguments),
        Verb::Plot(arguments) => plot::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Data(DataVerb::Synth(arguments)) => match arguments.set {
            SynthSet::Faces => synth::faces(&arguments),
            SynthSet::Wrinkles => synth::wrinkles(&arguments),
            SynthSet::Hair => synth::hair(&arguments),
            SynthSet::Shapes => synth::shapes(&arguments),
        },
        Verb::Data(DataVerb::Check(arguments)) => data::check(&arguments),
        Verb::Data(DataVerb::Stats(arguments)) => data::stats(&arguments),
        Verb::Data(DataVerb::Split(arguments)) => data::split(&arguments),
        Verb::Data(DataVerb::Edges(arguments)) => data::edges(&arguments),
        Verb::Data(DataVerb::Crop(arguments)) => data::crop(&arguments),
        Verb::Data(DataVerb::Lines(arguments)) => data::lines(&arguments),
        Verb::Data(DataVerb::Texture(arguments)) => data::texture(&arguments),
        Verb::Data(DataVerb::Tile(arguments)) => data::tile(&arguments),
    }
}
