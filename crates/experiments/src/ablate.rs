//! `ablate`: the same training in several variants, and their scores side by side.

mod scores;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use candle_core::Device;
use sconce_data::Split;
use sconce_runs::{Error, Run, Table, Which, check_toml, write_atomically};
use scores::{Curve, Scored};
use serde::Deserialize;

use crate::cli::{AblateArguments, TrainArguments};
use crate::interrupt::Interrupt;
use crate::maps::with;
use crate::position::Position;
use crate::saving::SavingArguments;
use crate::settings::{Settings, known_configs_in};
use crate::{report, verbs, wrinkle};

/// A file of configs/ablate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The table's columns: names of rows in an evaluation's means.tsv.
    scores: Vec<String>,
    /// More tables, with a column for each variant.
    #[serde(default)]
    curves: Vec<Curve>,
    variants: Vec<Variant>,
}

/// A row of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    /// Name of a file in configs/, or a path to one.
    config: String,
    /// Changes of that config, as `--set` takes them.
    set: Vec<String>,
}

/// Trains every variant that is not trained yet, goes on with those that were interrupted, and prints and writes the table.
pub(crate) fn run(arguments: &AblateArguments) -> Result<()> {
    let (name, config) = Config::read(&arguments.name)?;
    let root = arguments.runs.join("ablate").join(&name);
    // All of them first, so that a misspelt change in the last one is not found after hours.
    let mut variants = Vec::new();
    for variant in &config.variants {
        let context = || format!("variant '{}'", variant.name);
        variants.push(variant.settings(&arguments.set).with_context(context)?);
    }
    let interrupt = Interrupt::watch()?;
    let mut evaluated = Vec::new();
    for (number, settings) in (1..).zip(variants) {
        println!("\nvariant {number}/{}  {}", config.variants.len(), settings.name);
        let trained = trained(&settings, &root, &interrupt);
        let Some(run) = trained.with_context(|| format!("variant '{}'", settings.name))? else {
            println!("stopped; go on with: cargo xtask ablate {name}");
            return Ok(());
        };
        evaluated.push(Scored::new(settings.name.clone(), &run, arguments.split, &config.curves)?);
    }
    let stem = Split::from(arguments.split).to_string();
    write(&scores::table(&config.scores, &evaluated)?, &root.join(&stem))?;
    for (index, curve) in config.curves.iter().enumerate() {
        println!("\n{curve}");
        write(&scores::curve_table(index, &evaluated)?, &root.join(format!("{stem}-curve-{}", index + 1)))?;
    }
    Ok(())
}

/// Prints a table and writes it as `<target>.tsv` and `<target>.txt`.
fn write(table: &Table, target: &Path) -> Result<()> {
    let (values, text) = (with(target, ".tsv"), with(target, ".txt"));
    table.write_tsv(&values)?;
    write_atomically(&text, |file| file.write_all(table.to_string().as_bytes()))?;
    println!("\n{table}\ntable     {} and {}", values.display(), text.display());
    Ok(())
}

impl Config {
    /// `configs/ablate/NAME.toml` or a path, and the name.
    fn read(name: &str) -> Result<(String, Self)> {
        let (folder, given) = (Path::new("configs/ablate"), PathBuf::from(name));
        let is_path = given.extension().is_some_and(|extension| extension == "toml");
        let path = if is_path { given } else { folder.join(format!("{name}.toml")) };
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}; there are: {}", path.display(), known_configs_in(folder).join(", "))
        })?;
        check_toml(&text).map_err(|why| anyhow!("in {}: {why}", path.display()))?;
        let config: Self = toml::from_str(&text)
            .map_err(|error| anyhow!("in {}: {}", path.display(), error.to_string().trim_end()))?;
        config.check().with_context(|| format!("in {}", path.display()))?;
        Ok((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), config))
    }

    /// Names are folders of their own, and there is something to compare.
    fn check(&self) -> Result<()> {
        if self.variants.is_empty() || self.scores.is_empty() {
            bail!("name at least one of [[variants]] and one of `scores`");
        }
        for (index, Variant { name, .. }) in self.variants.iter().enumerate() {
            if Path::new(name).file_name() != Some(name.as_ref()) {
                bail!("variant '{name}': its name is to be that of a folder");
            }
            // Folders of some systems do not tell upper from lower case.
            if self.variants[..index].iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
                bail!("two variants are named '{name}'; each needs a name of its own");
            }
        }
        Ok(())
    }
}

impl Variant {
    /// Its config, under its own name.
    fn settings(&self, more: &[String]) -> Result<Settings> {
        let mut settings = Settings::of_config(&self.config, &[&self.set, more].concat())?;
        verbs::check(&settings)?;
        settings.name.clone_from(&self.name);
        Ok(settings)
    }
}

/// The variant's finished run: an earlier one of the same config, gone on with if it was interrupted, or a new one. None if the user
/// stops it.
fn trained(settings: &Settings, root: &Path, interrupt: &Interrupt) -> Result<Option<Run>> {
    let earlier = match Run::latest(root, &settings.name) {
        Ok(run) => Some(run),
        Err(Error::NoRun { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let same = earlier.filter(|run| {
        let same = run.config() == settings.text;
        if !same {
            println!("a new run: the config has changed since {}", run.folder().display());
        }
        same
    });
    if let Some(run) = &same
        && is_finished(run, settings)?
    {
        println!("trained     {}", run.folder().display());
        return Ok(same);
    }
    let arguments = TrainArguments {
        experiment: settings.name.clone(),
        set: Vec::new(),
        runs: root.to_owned(),
        resume: None,
        weights: Default::default(),
        saving: SavingArguments::until(None),
        device: Default::default(),
    };
    let mut settings = settings.clone();
    settings.run = same;
    verbs::train(&settings, &arguments, interrupt)?;
    let run = Run::latest(root, &settings.name)?;
    Ok((!interrupt.asked()).then_some(run))
}

/// Whether a run, or each run of its parts, has made all its epochs and has its report, which comes last.
fn is_finished(run: &Run, settings: &Settings) -> Result<bool> {
    let table: toml::Table = settings.parse()?;
    let epochs = table.get("epochs").and_then(toml::Value::as_integer);
    let epochs = epochs.and_then(|epochs| usize::try_from(epochs).ok()).context("the key `epochs`")?;
    let parts = wrinkle::runs_of_parts(run)?;
    let runs = if parts.is_empty() { std::slice::from_ref(run) } else { &parts };
    for run in runs {
        let checkpoints = run.checkpoints();
        if !checkpoints.can_resume() {
            return Ok(false);
        }
        if Position::read(&checkpoints.load(&Which::Last, &Device::Cpu)?)?.epoch < epochs {
            return Ok(false);
        }
    }
    Ok(report::file_of(run).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<(), String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())
    }

    #[test]
    fn variants_have_names_of_their_own() {
        let variant = |name: &str| format!("[[variants]]\nname = '{name}'\nconfig = 'a'\nset = []\n");
        let with = |names: [&str; 2]| config(&format!("scores = ['F1 %']\n{}", names.map(variant).concat()));
        assert_eq!(with(["a", "b"]), Ok(()));
        assert!(with(["a", "A"]).unwrap_err().contains("two variants are named 'A'"));
        assert!(with(["a", "../b"]).unwrap_err().contains("'../b': its name"));
        assert!(config("scores = ['F1 %']\nvariants = []").unwrap_err().contains("at least one"));
        assert!(config("scores = []\nvariant = []").unwrap_err().contains("unknown field `variant`"));
    }
}
