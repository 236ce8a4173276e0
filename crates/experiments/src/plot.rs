//! `plot`: curves of runs as pictures.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use sconce_runs::{PlotConfig, plot};

use crate::named_runs::NamedRuns;
use crate::wrinkle::runs_of_parts;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask plot agrnet-small\n  \
    cargo xtask plot agrnet agrnet-small --columns loss,lr --smooth 0.9 --out plots")]
pub(crate) struct PlotArguments {
    #[command(flatten)]
    runs: NamedRuns,
    /// Folder for the pictures [default: plots/ in the run; of several runs, in the folder of the runs]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Columns of log.tsv, epochs.tsv and times.tsv [default: all]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    columns: Vec<String>,
    /// Running mean: 0 shows every value, 0.9 about the last ten
    #[arg(long, value_name = "0..1", default_value_t = 0.0, value_parser = smoothing)]
    smooth: f64,
}

/// `plot RUN...`.
pub(crate) fn run(arguments: &PlotArguments) -> Result<()> {
    let named = arguments.runs.open()?;
    let mut runs = Vec::new();
    for run in &named {
        let parts = runs_of_parts(run)?;
        runs.extend(if parts.is_empty() { vec![run.clone()] } else { parts });
    }
    let folder = match (&arguments.out, &named[..]) {
        (Some(folder), _) => folder.clone(),
        (None, [run]) => run.folder().join(NAME),
        (None, _) => arguments.runs.folder().join(NAME),
    };
    let config = PlotConfig { columns: arguments.columns.clone(), smoothing: arguments.smooth };
    let written = plot(&runs, &folder, &config)?;
    if written.is_empty() {
        bail!("nothing to plot: no step is logged yet");
    }
    written.iter().for_each(|path| println!("{}", path.display()));
    Ok(())
}

const NAME: &str = "plots";

fn smoothing(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(weight) if (0.0..1.0).contains(&weight) => Ok(weight),
        _ => Err("expected a number from 0 to below 1, such as 0.9".to_owned()),
    }
}
