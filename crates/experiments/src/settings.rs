//! A run's config: one complete TOML file, with `--set` changes applied before it is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};
use candle_core::Device;
use sconce_runs::{Run, check_toml};
use sconce_tensors::Arithmetic;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml_edit::DocumentMut;

use crate::cli::{RunArguments, TrainArguments};

/// The loops there are; a config names its own under the key `experiment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Experiment {
    Agrnet,
    Hair,
    Voc,
    Wrinkle,
}

/// The text of a config, where it came from, and the run it belongs to if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Name of the runs' folder: the config's file stem.
    pub(crate) name: String,
    /// The config with every change applied.
    pub(crate) text: String,
    /// Where the config was read.
    source: PathBuf,
    /// The run to go on with, to score or to predict with.
    pub(crate) run: Option<Run>,
    /// Where the network computes.
    pub(crate) device: Device,
    /// `key=value` of a trained run's keys that have another value for this once, by key.
    pub(crate) changes: Vec<String>,
}

impl Settings {
    /// The named config, or the resolved config of the run to resume.
    pub(crate) fn for_training(arguments: &TrainArguments) -> Result<Self> {
        let settings = match &arguments.resume {
            Some(folder) => Self::open_run(&arguments.experiment, &arguments.runs, folder.as_deref())?,
            None => {
                let changes = [arguments.set.clone(), arguments.weights.changes()].concat();
                Self::of_config(&arguments.experiment, &changes)?
            }
        };
        Ok(Self { device: arguments.device.open()?, ..settings })
    }

    /// The resolved config of a finished or interrupted run.
    pub(crate) fn of_run(arguments: &RunArguments) -> Result<Self> {
        let mut settings = Self::open_run(&arguments.experiment, &arguments.runs, arguments.run.as_deref())?;
        if let Some(change) =
            arguments.set.iter().find(|change| !AFTERWARDS.iter().any(|table| change.starts_with(table)))
        {
            bail!(
                "--set {change}: of a trained run only keys of [test] and [crf] can be changed, such as test.flip=true"
            );
        }
        let text = changed(&settings.text, &arguments.set)?;
        settings.changes = differing(&settings.text, &text, &arguments.set)?;
        settings.text = text;
        settings.device = arguments.device.open()?;
        Ok(settings)
    }

    /// `configs/NAME.toml` or a path, with changes.
    pub(crate) fn of_config(experiment: &str, changes: &[String]) -> Result<Self> {
        let source = config_path(experiment)?;
        let text =
            std::fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
        let text = changed(&text, changes).with_context(|| format!("in {}", source.display()))?;
        Ok(Self { name: stem(&source), text, source, run: None, device: Device::Cpu, changes: Vec::new() })
    }

    /// The config of a run, for another run like it.
    pub(crate) fn to_repeat(run: &Run) -> Self {
        let name = run.folder().parent().map_or_else(|| "repro".to_owned(), stem);
        let (text, source) = (run.config().to_owned(), run.folder().join("config.toml"));
        Self { name, text, source, run: None, device: Device::Cpu, changes: Vec::new() }
    }

    fn open_run(experiment: &str, runs: &Path, folder: Option<&Path>) -> Result<Self> {
        let name = stem(Path::new(experiment));
        let run = match folder {
            Some(folder) => Run::open(folder)?,
            None => Run::latest(runs, &name)?,
        };
        Ok(Self {
            name,
            text: run.config().to_owned(),
            source: run.folder().join("config.toml"),
            run: Some(run),
            device: Device::Cpu,
            changes: Vec::new(),
        })
    }

    /// The run that these settings were read from.
    pub(crate) fn run(&self) -> Result<&Run> {
        self.run.as_ref().ok_or_else(|| anyhow!("{} belongs to no run", self.source.display()))
    }

    /// Which loop the config is for.
    pub(crate) fn experiment(&self) -> Result<Experiment> {
        let missing = || anyhow!("in {}: the key `experiment` is missing", self.source.display());
        self.key("experiment")?.ok_or_else(missing)
    }

    /// How convolutions compute: the keys `precision` and `deterministic`, which a config may leave out.
    pub(crate) fn arithmetic(&self) -> Result<Arithmetic> {
        let usual = Arithmetic::default();
        Ok(Arithmetic {
            precision: self.key("precision")?.unwrap_or(usual.precision),
            deterministic: self.key("deterministic")?.unwrap_or(usual.deterministic),
        })
    }

    /// The value of a key that stands outside of all tables, if it is there.
    fn key<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let table: toml::Table = self.parse()?;
        let value = table.get(name).cloned().map(toml::Value::try_into);
        value.transpose().with_context(|| format!("in {}, key `{name}`", self.source.display()))
    }

    /// Where an error in the config lies.
    pub(crate) fn place(&self) -> String {
        format!("in {}", self.source.display())
    }

    /// The whole config; an error shows file, line, column and the names allowed there.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        toml::from_str(&self.text)
            .map_err(|error| anyhow!("in {}: {}", self.source.display(), error.to_string().trim_end()))
    }
}

/// An error if there is nothing to train for.
pub(crate) fn check_epochs(epochs: usize) -> Result<()> {
    if epochs == 0 {
        bail!("epochs is 0; a training needs at least 1");
    }
    Ok(())
}

/// Beginnings of the keys that say how a trained network is used.
const AFTERWARDS: [&str; 2] = ["test.", "crf."];

fn config_path(experiment: &str) -> Result<PathBuf> {
    let given = PathBuf::from(experiment);
    if given.extension().is_some_and(|extension| extension == "toml") {
        return Ok(given);
    }
    let path = Path::new("configs").join(format!("{experiment}.toml"));
    if path.is_file() {
        return Ok(path);
    }
    bail!(
        "no experiment `{experiment}`: there is no {}; there are: {}",
        path.display(),
        known_configs_in(Path::new("configs")).join(", ")
    )
}

/// Names of the configs in a folder.
pub(crate) fn known_configs_in(folder: &Path) -> Vec<String> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_config = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let mut names: Vec<String> = paths.filter(is_config).map(|path| stem(&path)).collect();
    names.sort();
    names
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Most names in a key of `--set`: every table is written with the names of all those around it.
const DEEPEST: usize = 16;

/// `text` with each `key.path=value` applied; the other lines stay where they are.
fn changed(text: &str, changes: &[String]) -> Result<String> {
    check_toml(text).map_err(Error::msg)?;
    if changes.is_empty() {
        return Ok(text.to_owned());
    }
    let mut document: DocumentMut = text.parse().map_err(|error| anyhow!("{error}"))?;
    for change in changes {
        let (path, value) =
            change.split_once('=').ok_or_else(|| anyhow!("--set {change}: expected KEY=VALUE"))?;
        if path.split('.').count() > DEEPEST {
            bail!("--set: a key of more than {DEEPEST} names: {path:.60}…");
        }
        let (parents, key) =
            path.trim().rsplit_once('.').map_or((None, path.trim()), |(parents, key)| (Some(parents), key));
        let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
        for name in parents.into_iter().flat_map(|parents| parents.split('.')) {
            let item = table.entry(name).or_insert(toml_edit::table());
            table =
                item.as_table_like_mut().ok_or_else(|| anyhow!("--set {change}: `{name}` is not a table"))?;
        }
        let mut value = parsed_value(value.trim());
        if let Some(old) = table.get(key).and_then(toml_edit::Item::as_value) {
            *value.decor_mut() = old.decor().clone();
        }
        table.insert(key, toml_edit::Item::Value(value));
    }
    let text = document.to_string();
    check_toml(&text).map_err(|why| anyhow!("after --set: {why}"))?;
    Ok(text)
}

/// The changes that made a difference from `before` to `after`, the last of each key, sorted.
fn differing(before: &str, after: &str, changes: &[String]) -> Result<Vec<String>> {
    let parse = |text: &str| text.parse::<toml::Table>().map_err(|error| anyhow!("{error}"));
    let (before, after) = (parse(before)?, parse(after)?);
    let by_key: BTreeMap<&str, &str> = changes.iter().filter_map(|change| change.split_once('=')).collect();
    let differs = |key: &str| value_at(&before, key) != value_at(&after, key);
    let differing = by_key.into_iter().filter(|(key, _)| differs(key.trim()));
    Ok(differing.map(|(key, value)| format!("{}={}", key.trim(), value.trim())).collect())
}

fn value_at<'a>(table: &'a toml::Table, key: &str) -> Option<&'a toml::Value> {
    let (first, rest) = key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    match (table.get(first)?, rest) {
        (value, None) => Some(value),
        (value, Some(rest)) => value_at(value.as_table()?, rest),
    }
}

/// A TOML value; what is none is taken as text, so that paths need no quotes.
fn parsed_value(text: &str) -> toml_edit::Value {
    let value = check_toml(text).ok().and_then(|()| text.parse().ok());
    value.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use sconce_tensors::Precision;

    use super::*;

    const TEXT: &str = "epochs = 30 # passes\n\n[optim.sgd]\nlr = 0.003 # per step\n";

    #[test]
    fn set_changes_one_key_and_keeps_the_lines() {
        let text = changed(TEXT, &["optim.sgd.lr=0.001".to_owned()]).unwrap();
        assert_eq!(text, TEXT.replace("0.003", "0.001"));
        let text = changed(TEXT, &["epochs=2".to_owned(), "data.nia.root=datasets/x".to_owned()]).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["epochs"].as_integer(), Some(2));
        assert_eq!(table["data"]["nia"]["root"].as_str(), Some("datasets/x"));
    }

    #[test]
    fn arithmetic_is_exact_and_deterministic_unless_told_otherwise() {
        let of = |text: &str| {
            let (name, source) = ("x".to_owned(), PathBuf::from("x.toml"));
            let text = text.to_owned();
            Settings { name, text, source, run: None, device: Device::Cpu, changes: Vec::new() }.arithmetic()
        };
        assert_eq!(of(TEXT).unwrap(), Arithmetic::default());
        let told = format!("precision = \"bf16\"\ndeterministic = false\n{TEXT}");
        let want = Arithmetic { precision: Precision::Bf16, deterministic: false };
        assert_eq!(of(&told).unwrap(), want);
        let error = format!("{:#}", of("precision = \"f16\"").unwrap_err());
        assert!(error.contains("key `precision`") && error.contains("expected `f32` or `bf16`"), "{error}");
    }

    #[test]
    fn changes_that_change_nothing_are_left_out() {
        let text = "[test]\nflip = false\nwindows = { size = [8, 8], overlap = 2 }\n";
        let sets = ["test.flip=false", "test.windows.overlap=3", "test.scales=[1.0]", "test.flip=true"];
        let differing = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
            super::differing(text, &changed(text, &sets).unwrap(), &sets).unwrap()
        };
        assert_eq!(differing(&sets[..1]), [""; 0]);
        assert_eq!(differing(&sets), ["test.flip=true", "test.scales=[1.0]", "test.windows.overlap=3"]);
    }

    #[test]
    fn set_without_a_value_or_into_a_number_is_an_error() {
        assert!(changed(TEXT, &["epochs".to_owned()]).unwrap_err().to_string().contains("KEY=VALUE"));
        assert!(changed(TEXT, &["epochs.x=1".to_owned()]).unwrap_err().to_string().contains("not a table"));
    }
}
