//! `report`: a page of one run, or of several beside each other.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sconce_runs::{Run, write_report};

use crate::named_runs::NamedRuns;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask report agrnet-small\n  \
    cargo xtask report runs/agrnet/2031-07-14_09-30-05 runs/agrnet/2031-07-15_08-00-00 --out compared.html")]
pub(crate) struct ReportArguments {
    #[command(flatten)]
    runs: NamedRuns,
    /// File to write [default: report.html in the run; of several runs, in the folder of the runs]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `report RUN...`.
pub(crate) fn run(arguments: &ReportArguments) -> Result<()> {
    let runs = arguments.runs.open()?;
    let path = match (&arguments.out, &runs[..]) {
        (Some(path), _) => path.clone(),
        (None, [run]) => file_of(run),
        (None, _) => arguments.runs.folder().join(NAME),
    };
    write_report(&path, &runs)?;
    println!("report    {}", path.display());
    Ok(())
}

/// The report that belongs to a run.
pub(crate) fn file_of(run: &Run) -> PathBuf {
    run.folder().join(NAME)
}

const NAME: &str = "report.html";
