//! Weights from elsewhere as the start of a run: `[weights]` in a config, `--weights` on the command line.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use candle_core::Tensor;
use clap::Args;
use sconce_models::{Key, KeyMap, WeightNames};
use sconce_runs::{Run, Weights, file_sha256, read_weights};
use sconce_tensors::Parameters;
use serde::Deserialize;

use crate::provenance;

/// The table `[weights]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// A safetensors or PyTorch file, or a checkpoint of a run.
    file: PathBuf,
    /// Whether the layers whose shapes follow the number of classes keep their initial values; all others are loaded.
    replace_classifier: bool,
}

impl Config {
    fn put(&self, parameters: &Parameters, names: &WeightNames) -> Result<Report> {
        let tensors = read_weights(&self.file)?;
        put(parameters, tensors, self.replace_classifier, names)
            .with_context(|| self.file.display().to_string())
    }
}

/// What `train` is told on the command line; it goes into the config of the run.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WeightsArguments {
    /// Begin with the weights in FILE: safetensors, PyTorch's .pth or .pt, or a checkpoint of a run
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    weights: Option<PathBuf>,
    /// Leave the layers whose shapes follow the number of classes at their initial values, and load all others
    #[arg(long, conflicts_with = "resume")]
    replace_classifier: bool,
}

impl WeightsArguments {
    /// As changes of the config's keys.
    pub(crate) fn changes(&self) -> Vec<String> {
        let file = self.weights.iter().map(|file| {
            // Quoted: a file may have a number's name.
            let file = toml_edit::Value::from(file.to_string_lossy().into_owned());
            format!("weights.file={file}")
        });
        let replace = (self.weights.is_some() || self.replace_classifier)
            .then(|| format!("weights.replace-classifier={}", self.replace_classifier));
        file.chain(replace).collect()
    }
}

/// Checks, before a run is made, that the file its config names fits the network of these parameters.
pub(crate) fn check(config: Option<&Config>, parameters: &Parameters, names: &WeightNames) -> Result<()> {
    config.map_or(Ok(()), |config| config.put(parameters, names).map(drop))
}

/// Starts a new run from the file that its config names, if it names one: every tensor whose name the network knows takes the place of
/// an initial one. Prints what was loaded and what was not; the run's provenance keeps the file's hash.
///
/// Call it only where [`State::resume`](crate::state::State::resume) found no checkpoint.
pub(crate) fn load(
    run: &Run,
    parameters: &Parameters,
    config: Option<&Config>,
    names: &WeightNames,
) -> Result<()> {
    let Some(config) = config else { return Ok(()) };
    let report = config.put(parameters, names)?;
    let sha256 = file_sha256(&config.file)?;
    println!("weights     {}, sha256 {sha256:.12}…", config.file.display());
    report.print();
    provenance::note_weights(run, Weights { file: config.file.display().to_string(), sha256 })
}

/// What became of a file's tensors and a network's parameters.
struct Report {
    /// Whose names the file has.
    scheme: &'static str,
    parameters: usize,
    /// Names here of parameters that are not in the file.
    missing: Vec<String>,
    /// Names here of the classifier's parameters, if it is replaced.
    replaced: Vec<String>,
    /// Names in the file.
    unused: Vec<String>,
    /// Names in the file of tensors that such files have and no network here needs.
    not_needed: Vec<String>,
}

impl Report {
    fn print(&self) {
        let loaded = self.parameters - self.missing.len() - self.replaced.len();
        println!("loaded      {loaded} of {} tensors, by {}", self.parameters, self.scheme);
        for (title, names, what) in [
            ("replaced", &self.replaced, "of the classifier keep their initial values"),
            ("missing", &self.missing, "keep their initial values"),
            ("unused", &self.unused, "of the file have no place here"),
            ("not needed", &self.not_needed, "of the file"),
        ] {
            if !names.is_empty() {
                println!("{title:<12}{} {what}: {}", names.len(), summary(names));
            }
        }
    }
}

/// Copies tensors by the scheme of names that fits best.
fn put(
    parameters: &Parameters,
    tensors: BTreeMap<String, Tensor>,
    replace_classifier: bool,
    names: &WeightNames,
) -> Result<Report> {
    let shapes: BTreeMap<String, Vec<usize>> =
        parameters.all().into_iter().map(|(name, var)| (name, var.dims().to_vec())).collect();
    let schemes = [None].into_iter().chain(names.key_maps.iter().map(Some));
    let matched = schemes.map(|map| Matched::new(&tensors, map, &shapes));
    // Of two that fit equally the one that knows more of the other names; then the first: our own, then those of the whole network.
    let best =
        matched.rev().max_by_key(|matched| (matched.fitting.len(), std::cmp::Reverse(matched.unused.len())));
    let Some(Matched { scheme, mut fitting, unused, not_needed }) = best.filter(|m| !m.fitting.is_empty())
    else {
        return no_name_fits(&tensors, &shapes, names);
    };
    let mut replaced = Vec::new();
    if replace_classifier {
        replaced.extend(shapes.keys().filter(|name| names.is_classifier(name)).cloned());
        fitting.retain(|name, _| !names.is_classifier(name));
    }
    let wrong = || fitting.iter().filter(|(name, (_, tensor))| *tensor.dims() != shapes[*name][..]);
    // The one that tells the network first: a bias may have the wrong shape, too.
    let known = wrong().find(|(name, (_, tensor))| names.advice(name, tensor.dims()).is_some());
    if let Some((name, (theirs, tensor))) = known.or_else(|| wrong().next()) {
        return wrong_shape(name, theirs, tensor.dims(), &shapes[name], names);
    }
    let fitting: HashMap<_, _> =
        fitting.into_iter().map(|(name, (_, tensor))| (name, tensor.clone())).collect();
    let mut missing = parameters.load(&fitting)?.missing;
    missing.retain(|name| !replaced.contains(name));
    Ok(Report { scheme, parameters: shapes.len(), missing, replaced, unused, not_needed })
}

/// A file's tensors by one scheme of names.
struct Matched<'a> {
    scheme: &'static str,
    /// By the name here: the name in the file, and the tensor.
    fitting: BTreeMap<String, (&'a str, &'a Tensor)>,
    unused: Vec<String>,
    not_needed: Vec<String>,
}

impl<'a> Matched<'a> {
    /// By the names of another program, or our own.
    fn new(
        tensors: &'a BTreeMap<String, Tensor>,
        map: Option<&KeyMap>,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) -> Self {
        let scheme = map.map_or("our own names", |map| map.name);
        let mut matched =
            Self { scheme, fitting: BTreeMap::new(), unused: Vec::new(), not_needed: Vec::new() };
        for (theirs, tensor) in tensors {
            match map.map_or_else(|| Key::Parameter(theirs.clone()), |map| map.ours(theirs)) {
                Key::Parameter(ours) if shapes.contains_key(&ours) => {
                    matched.fitting.insert(ours, (theirs, tensor));
                }
                Key::NotNeeded => matched.not_needed.push(theirs.clone()),
                Key::Parameter(_) | Key::Unknown => matched.unused.push(theirs.clone()),
            }
        }
        matched
    }
}

fn no_name_fits<T>(
    tensors: &BTreeMap<String, Tensor>,
    shapes: &BTreeMap<String, Vec<usize>>,
    names: &WeightNames,
) -> Result<T> {
    let schemes: Vec<&str> = names.key_maps.iter().map(|map| map.name).collect();
    bail!(
        "none of its {} names fits the network; the file begins with {}, the network with {}; names known here: our own{}",
        tensors.len(),
        first(tensors.keys()),
        first(shapes.keys()),
        schemes.iter().map(|scheme| format!(", {scheme}")).collect::<String>()
    )
}

fn wrong_shape<T>(
    name: &str,
    theirs: &str,
    found: &[usize],
    needed: &[usize],
    names: &WeightNames,
) -> Result<T> {
    let what = format!("its '{theirs}' has the shape {found:?}, the network's '{name}' {needed:?}");
    if let Some(advice) = names.advice(name, found) {
        bail!("{what}: {advice}");
    }
    if names.is_classifier(name) {
        bail!(
            "{what}: it was trained on other classes; to begin with a new classifier: --replace-classifier, or replace-classifier = true \
             in [weights]"
        );
    }
    bail!(
        "{what}: the weights are of another network or of other sizes; correct [model] in the config, or take another file"
    )
}

/// Names that a line shows.
const SHOWN: usize = 6;

fn first<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A few names, or the parts of the network that many names lie in.
fn summary(names: &[String]) -> String {
    if names.len() <= SHOWN {
        return names.join(", ");
    }
    let mut parts: Vec<(&str, usize)> = Vec::new();
    for name in names {
        let part = name.split('.').next().unwrap_or(name);
        match parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, count)) => *count += 1,
            None => parts.push((part, 1)),
        }
    }
    parts.iter().map(|(part, count)| format!("{part} ({count})")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
