//! `data split`: id lists in which every part has its share of every class.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use sconce_data::{Fractions, Inventory, Item, Presence, Split, VOID, stratified_split, write_ids};
use sconce_runs::Table;

use super::arguments::SplitArguments;
use super::output::{Counter, counted, print, tell};
use super::set::{headline, refuse_existing};

/// Writes train.txt, val.txt and test.txt; none of them if anything is wrong.
pub(crate) fn run(arguments: &SplitArguments) -> Result<()> {
    let fractions = Fractions::new(arguments.fractions.0)?;
    let lists = Split::ALL.map(|split| arguments.out.join(format!("{split}.txt")));
    refuse_existing(&lists, arguments.force)?;
    let set = Inventory::without_splits(&arguments.root, &arguments.folders.folders())?;
    tell(&set.defects, set.items.len(), "are not in order; nothing was written")?;
    let labels = read_presence(&set)?;
    let parts = stratified_split(&labels, fractions, arguments.seed)?;
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    for (list, part) in lists.iter().zip(&parts) {
        write(list, part.iter().map(|item| set.items[*item].id.clone()).collect())?;
    }
    print(&format!("{}\n\n{}\n{}\n", headline(&set), table(&labels, &parts), written(&lists, &parts)))
}

/// The labels of every map.
fn read_presence(set: &Inventory) -> Result<Vec<Presence>> {
    let counter = Counter::new("split", set.items.len());
    let read = |item: &Item| {
        let found = set.labels(item).map(|map| Presence::of(&map));
        counter.step();
        found
    };
    let read: Vec<_> = set.items.par_iter().map(read).collect();
    drop(counter);
    let (mut labels, mut errors) = (Vec::new(), Vec::new());
    for result in read {
        match result {
            Ok(found) => labels.push(found),
            Err(error) => errors.push(error),
        }
    }
    tell(&errors, set.items.len(), "could not be read; nothing was written")?;
    Ok(labels)
}

/// Writes a list; one that would be empty must not be there, because an old one would go on being read.
fn write(list: &Path, ids: Vec<String>) -> Result<()> {
    if !ids.is_empty() {
        return Ok(write_ids(list, &ids)?);
    }
    if list.exists() {
        bail!("{} is there, but its share is 0; remove it", list.display());
    }
    Ok(())
}

fn written(lists: &[PathBuf; 3], parts: &[Vec<usize>; 3]) -> String {
    let lines = lists.iter().zip(parts).filter(|(_, part)| !part.is_empty());
    let lines: Vec<String> = lines
        .map(|(list, part)| format!("{}: {}", list.display(), counted(part.len() as u64, "id")))
        .collect();
    lines.join("\n")
}

/// Images that hold each label, in all and in each part.
fn table(labels: &[Presence], parts: &[Vec<usize>; 3]) -> Table {
    let mut table = Table::new(["label", "images", "train", "val", "test"]);
    let all: Vec<usize> = (0..labels.len()).collect();
    for label in 0..VOID {
        let with = |part: &[usize]| part.iter().filter(|item| labels[**item].contains(label)).count();
        if with(&all) > 0 {
            let counts = [&all, &parts[0], &parts[1], &parts[2]].map(|part| with(part).to_string());
            table.push(std::iter::once(label.to_string()).chain(counts));
        }
    }
    table
}
