//! The partitioned model: a network for each part of the face, trained one after the other.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use sconce_data::parts::Part;
use sconce_runs::Run;
use toml_edit::{Array, DocumentMut, Item, Value};

use super::Config;
use super::train::{self, End};
use crate::cli::TrainArguments;
use crate::interrupt::Interrupt;

/// The folder of a part's own run.
pub(super) fn folder(run: &Run, part: &str) -> PathBuf {
    run.folder().join(PARTS).join(part)
}

const PARTS: &str = "parts";

/// The runs of a partitioned run's parts, by name; none of any other run.
pub(crate) fn runs_of_parts(run: &Run) -> Result<Vec<Run>> {
    let entries = std::fs::read_dir(run.folder().join(PARTS)).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("config.toml").is_file());
    folders.sort();
    folders.iter().map(|folder| Ok(Run::open(folder)?)).collect()
}

/// Trains every part that is not trained yet, each as a run of its own in the run's folder, which all verbs take.
pub(super) fn train(
    config: &Config,
    parts: &[Part],
    run: &Run,
    arguments: &TrainArguments,
    interrupt: &Interrupt,
) -> Result<End> {
    for (number, part) in (1..).zip(parts) {
        println!("\npart {number}/{}    {}", parts.len(), part.name);
        let own = config.of_part(part);
        let of_part = Run::open_or_create(&folder(run, &part.name), &text_of_part(run.config(), part)?)?;
        let end = train::train(&own, &of_part, arguments.saving, interrupt)
            .with_context(|| format!("part '{}'", part.name))?;
        if end == End::Interrupted {
            return Ok(End::Interrupted);
        }
    }
    Ok(End::Finished)
}

impl Config {
    /// That of the network of one part.
    pub(super) fn of_part(&self, part: &Part) -> Self {
        let mut own = Self { part: Some(part.clone()), parts: None, whole_face: None, ..self.clone() };
        own.augment.size = part.size;
        own
    }
}

/// The config of one part's run: that of all parts with `[part]` in the place of `[[parts]]`.
fn text_of_part(config: &str, part: &Part) -> Result<String> {
    let mut document: DocumentMut = config.parse()?;
    let own = document.remove("parts").and_then(|parts| named(parts, &part.name));
    let own = own.ok_or_else(|| anyhow!("the config has no [[parts]] with name = \"{}\"", part.name))?;
    document.remove("whole-face");
    document["augment"]["size"] =
        Item::Value(part.size.iter().map(|&side| side as i64).collect::<Array>().into());
    document.insert("part", own);
    Ok(document.to_string())
}

/// The table of this name in an array of tables.
fn named(parts: Item, name: &str) -> Option<Item> {
    let Ok(Value::Array(parts)) = parts.into_value() else { return None };
    parts
        .into_iter()
        .find(|part| part.as_inline_table().and_then(|part| part.get("name")?.as_str()) == Some(name))
        .map(Item::Value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "\
        seed = 3 # of everything\nwhole-face = 'wrinkle-wbce'\n\n[augment]\nsize = [9, 9] # pixels\n\n\
        [[parts]]\nname = 'a'\nsize = [16, 32]\n[parts.region.fractions]\nrows = [0.0, 0.5]\ncolumns = [0.0, 1.0]\n\n\
        [[parts]]\nname = 'b'\nsize = [32, 48]\nregion.fractions = { rows = [0.5, 1.0], columns = [0.0, 1.0] }\n";

    #[test]
    fn a_part_gets_a_whole_config_of_its_own() {
        let all: toml::Table = ALL.parse().unwrap();
        let parts: Vec<Part> = all["parts"].clone().try_into().unwrap();
        for part in &parts {
            let text = text_of_part(ALL, part).unwrap();
            let table: toml::Table = text.parse().unwrap();
            let own: Part = table["part"].clone().try_into().unwrap();
            assert_eq!(&own, part, "{text}");
            let size: [usize; 2] = table["augment"]["size"].clone().try_into().unwrap();
            assert_eq!(size, part.size);
            assert!(table.get("parts").is_none() && table.get("whole-face").is_none());
            assert_eq!(table["seed"].as_integer(), Some(3));
        }
    }
}
