//! The runs that a command line names: by folder, or the newest of an experiment.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use sconce_runs::Run;

#[derive(Debug, Args)]
pub(crate) struct NamedRuns {
    /// Folder of a run, or the name of an experiment for its newest run
    #[arg(required = true, value_name = "RUN")]
    names: Vec<String>,
    /// Folder that holds the runs
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    runs: PathBuf,
}

impl NamedRuns {
    /// In the order of the command line; there is at least one.
    pub(crate) fn open(&self) -> Result<Vec<Run>> {
        self.names
            .iter()
            .map(|name| find(&self.runs, name).with_context(|| format!("RUN `{name}`")))
            .collect()
    }

    /// That holds the runs.
    pub(crate) fn folder(&self) -> &Path {
        &self.runs
    }
}

/// The run in the folder `name`, or the newest of the experiment of this name in `runs`.
pub(crate) fn find(runs: &Path, name: &str) -> Result<Run> {
    let folder = Path::new(name);
    let is_run = folder.join("config.toml").is_file();
    let is_experiment = runs.join(name).is_dir();
    let run = if is_run || (folder.is_dir() && !is_experiment) {
        Run::open(folder)
    } else {
        Run::latest(runs, name)
    };
    Ok(run?)
}
