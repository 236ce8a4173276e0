//! `repro`: runs a training again from its folder and compares the weights.

use std::path::Path;

use anyhow::{Result, bail};
use candle_core::Device;
use sconce_runs::{Checkpoint, Provenance, Rows, Run, Which};

use crate::cli::{ReproArguments, TrainArguments};
use crate::interrupt::Interrupt;
use crate::position::Position;
use crate::saving::SavingArguments;
use crate::settings::Settings;
use crate::{verbs, wrinkle};

/// Repeats a run, or each of the runs of its parts.
pub(crate) fn run(arguments: &ReproArguments) -> Result<()> {
    let run = Run::open(&arguments.run)?;
    let out = arguments.out.clone().unwrap_or_else(|| run.folder().join("repro"));
    let interrupt = Interrupt::watch()?;
    let parts = wrinkle::runs_of_parts(&run)?;
    if parts.is_empty() {
        return repeat(&run, &out, &interrupt);
    }
    parts.iter().try_for_each(|part| {
        repeat(part, &out.join(part.folder().file_name().unwrap_or_default()), &interrupt)
    })
}

/// Trains to the step of the run's last checkpoint and compares hashes; an error says where the runs part.
fn repeat(first: &Run, out: &Path, interrupt: &Interrupt) -> Result<()> {
    let last = first.checkpoints().load(&Which::Last, &Device::Cpu)?;
    let at = Position::read(&last)?;
    let settings = Settings::to_repeat(first);
    let again = TrainArguments {
        experiment: settings.name.clone(),
        set: Vec::new(),
        runs: out.to_owned(),
        resume: None,
        weights: Default::default(),
        saving: SavingArguments::until(Some(at.step)),
        device: Default::default(),
    };
    println!("again       {} steps of {}", at.step, first.folder().display());
    verbs::train(&settings, &again, interrupt)?;
    if interrupt.asked() {
        bail!("interrupted; {} holds what was made", out.display());
    }
    let second = Run::latest(out, &settings.name)?;
    let other = second.checkpoints().load(&Which::Last, &Device::Cpu)?;
    compare(first, &last.checkpoint, &second, &other.checkpoint)
}

fn compare(first: &Run, last: &Checkpoint, second: &Run, other: &Checkpoint) -> Result<()> {
    let (ours, theirs) = (last.sha256()?, other.sha256()?);
    println!(
        "sha256      {ours}  {}\n            {theirs}  {}",
        first.folder().display(),
        second.folder().display()
    );
    if ours == theirs {
        println!("both runs have the same weights and optimizer states, bit for bit");
        return Ok(());
    }
    let place = match first_difference(first.folder(), second.folder())? {
        Some(line) => format!("log.tsv parts at {line}"),
        None => "log.tsv is the same in both".to_owned(),
    };
    let changes = match (Provenance::read(first.folder())?, Provenance::read(second.folder())?) {
        (Some(first), Some(second)) => first.differences(&second).join("; "),
        _ => "unknown, the run has no provenance.toml".to_owned(),
    };
    bail!(
        "the runs differ: {place}; what has changed since: {}",
        if changes.is_empty() { "nothing known" } else { &changes }
    )
}

/// The first row of the logs that differs, as its step and both losses.
fn first_difference(first: &Path, second: &Path) -> Result<Option<String>> {
    let [first, second] = [first, second].map(|folder| Rows::read(&folder.join("log.tsv")));
    let (first, second) = (first?, second?);
    let differs = first.rows.iter().zip(&second.rows).find(|(a, b)| a != b);
    Ok(differs.map(|(a, b)| format!("step {}: {} against {}", a[0], a.join(" "), b.join(" "))))
}
