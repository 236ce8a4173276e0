//! The set that a command line names: the files of a folder or of a config's `[data]`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use sconce_data::{
    Folders, Inventory, Layout, Split, faces, figaro, folder, hair, nia, shapes, voc, wrinkles,
};
use serde::Deserialize;

use super::arguments::{FolderArguments, SetArguments};
use crate::settings::Settings;

/// What a set consists of.
pub(crate) enum Set {
    Files(Inventory),
    /// Pictures that are drawn when they are read.
    Rendered(Rendered),
}

/// A procedural set.
pub(crate) enum Rendered {
    Faces(faces::Config),
    Hair(hair::Config),
    Shapes(shapes::Config),
    Wrinkles(wrinkles::Config),
}

/// The `[data]` of any experiment: one of these tables.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum AnyData {
    Nia(nia::Config),
    Folder(folder::Config),
    Voc(voc::Config),
    Figaro(figaro::Config),
    Faces(faces::Config),
    Hair(hair::Config),
    Shapes(shapes::Config),
    Wrinkles(wrinkles::Config),
}

impl SetArguments {
    pub(crate) fn open(&self) -> Result<Set> {
        let root = Path::new(&self.set);
        if root.is_dir() {
            let folders = Folders { lists: self.lists.clone(), ..self.folders.folders() };
            let classes = self.classes.clone().map(|classes| classes.0);
            return Ok(Set::Files(Inventory::of_directory(root, &folders, classes)?));
        }
        let settings = Settings::of_config(&self.set, &self.changes)
            .with_context(|| format!("{} is neither a folder nor a config", self.set))?;
        Ok(match self.data(&settings)? {
            AnyData::Nia(config) => Set::Files(Inventory::of_nia(&config)?),
            AnyData::Folder(config) => Set::Files(Inventory::of_folder(&config)?),
            AnyData::Voc(config) => Set::Files(Inventory::of_voc(&config)?),
            AnyData::Figaro(config) => Set::Files(Inventory::of_figaro(&config)?),
            AnyData::Faces(config) => Set::Rendered(Rendered::Faces(config)),
            AnyData::Hair(config) => Set::Rendered(Rendered::Hair(config)),
            AnyData::Shapes(config) => Set::Rendered(Rendered::Shapes(config)),
            AnyData::Wrinkles(config) => Set::Rendered(Rendered::Wrinkles(config)),
        })
    }

    /// The `[data]` of any experiment; what else the config holds is not looked at.
    fn data(&self, settings: &Settings) -> Result<AnyData> {
        let mut config: toml::Table = settings.parse()?;
        let data = config.remove("data").ok_or_else(|| anyhow!("{} has no [data]", self.set))?;
        data.try_into().map_err(|error: toml::de::Error| {
            anyhow!("in {}, [data]: {}", self.set, error.to_string().trim_end())
        })
    }
}

impl FolderArguments {
    pub(crate) fn folders(&self) -> Folders {
        let Self { images, masks, edges } = self;
        Folders { images: images.clone(), masks: masks.clone(), edges: edges.clone(), lists: None }
    }
}

/// `datasets/nia: NIA layout, 19 classes, 1000 images (800 train, 100 val, 100 test)`.
pub(crate) fn headline(set: &Inventory) -> String {
    let layout = match set.layout {
        Layout::Nia => "NIA layout",
        Layout::Folder => "images and masks",
        Layout::Voc => "VOC layout",
        Layout::Figaro => "Figaro-1k layout",
    };
    let classes = match &set.classes {
        Some(names) => format!("{} classes", names.len()),
        None => "number of classes not known".into(),
    };
    let counts = Split::ALL.map(Some).into_iter().chain([None]).map(|split| (split, set.count(split)));
    let parts: Vec<String> = counts
        .filter(|(split, count)| *count > 0 && (split.is_some() || *count < set.items.len()))
        .map(|(split, count)| format!("{count} {}", split.map_or("in no list", Split::name)))
        .collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("{}: {layout}, {classes}, {} images{parts}", set.root.display(), set.items.len())
}

/// A path as it reads below the set's folder.
pub(crate) fn below(root: &Path, path: &Path) -> String {
    let short = path.strip_prefix(root).ok().filter(|short| *short != Path::new(""));
    short.map_or_else(|| path.display().to_string(), |short| short.display().to_string())
}

/// Fails if any of the files to be written is there and must not be replaced.
pub(crate) fn refuse_existing<'a>(files: impl IntoIterator<Item = &'a PathBuf>, force: bool) -> Result<()> {
    match files.into_iter().find(|file| !force && file.exists()) {
        None => Ok(()),
        Some(file) => Err(anyhow!(
            "{} exists already; nothing was written. --force replaces it, or choose another --out",
            file.display()
        )),
    }
}
