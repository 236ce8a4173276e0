//! `data check`: everything that is wrong with a set.

use std::fmt::Write;
use std::time::Instant;

use anyhow::{Result, bail};
use sconce_data::check::{Edges, check};
use sconce_data::{Defect, Inventory, Layout, Split};
use serde_json::{Value, json};

use super::arguments::CheckArguments;
use super::output::{Counter, counted, print, print_json};
use super::set::{Set, below, headline};

/// Prints every defect; an error, and so exit code 1, if there is one.
pub(crate) fn run(arguments: &CheckArguments) -> Result<()> {
    let name = &arguments.set.set;
    let set = match arguments.set.open()? {
        Set::Files(set) => set,
        Set::Rendered(_) if arguments.json => {
            return print_json(
                &json!({ "set": name, "layout": "rendered", "images": 0, "defects": [], "counts": {}, "notices": [] }),
            );
        }
        Set::Rendered(_) => {
            return print(&format!("{name} renders its pictures from a seed: there are no files to check\n"));
        }
    };
    let begun = Instant::now();
    let counter = Counter::new("check", set.items.len());
    let edges = if arguments.any_edges { Edges::Any } else { Edges::OfLabels };
    let defects = check(&set, edges, &|| counter.step());
    drop(counter);
    if arguments.json {
        print_json(&document(&set, &defects))?;
    } else {
        print(&report(&set, &defects, begun.elapsed().as_secs_f64()))?;
    }
    match defects.len() {
        0 => Ok(()),
        number => bail!("{} in {}", counted(number as u64, "defect"), set.root.display()),
    }
}

/// The defects by kind, in the order of their first occurrence, each kind with its remedy.
fn report(set: &Inventory, defects: &[Defect], seconds: f64) -> String {
    let mut text = headline(set) + "\n";
    text += &notes(set);
    for (kind, remedy) in kinds(defects) {
        let files: Vec<&Defect> = defects.iter().filter(|defect| defect.kind().0 == kind).collect();
        let _ = writeln!(text, "\n{kind}: {} ({remedy})", files.len());
        let names: Vec<String> = files.iter().map(|defect| below(&set.root, defect.file())).collect();
        // One very long name does not push all others off the screen.
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(48);
        for (defect, name) in files.iter().zip(names) {
            let what = defect.what(|path| below(&set.root, path));
            let _ = writeln!(text, "  {name:width$}  {what}");
        }
    }
    let images = counted(set.items.len() as u64, "image");
    let _ = match kinds(defects).len() {
        0 => writeln!(text, "\nno defect in {images} ({seconds:.1} s)"),
        number => {
            let (defects, kinds) = (counted(defects.len() as u64, "defect"), counted(number as u64, "kind"));
            writeln!(text, "\n{defects} of {kinds} in {images} ({seconds:.1} s)")
        }
    };
    text
}

/// What was not checked, and why.
fn notes(set: &Inventory) -> String {
    let mut text = String::new();
    if set.classes.is_none() {
        text += "note: any label from 0 to 254 passes, and no class counts as empty; --classes tells how many there are\n";
    }
    for notice in &set.notices {
        let _ = writeln!(text, "note: {notice}");
    }
    let unlisted = set.count(None);
    if unlisted == set.items.len() && unlisted > 0 {
        text += "note: the set has no splits; a picture that is there twice is told wherever it is\n";
    } else if unlisted > 0 {
        let _ = writeln!(
            text,
            "note: {} in no list; training does not read them",
            counted(unlisted as u64, "image")
        );
    }
    text
}

fn kinds(defects: &[Defect]) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    for kind in defects.iter().map(Defect::kind) {
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
    found
}

fn document(set: &Inventory, defects: &[Defect]) -> Value {
    let list: Vec<Value> = defects.iter().map(with_message).collect();
    let mut counts = serde_json::Map::new();
    for defect in &list {
        let kind = defect["kind"].as_str().unwrap_or_default();
        let number = counts.get(kind).and_then(Value::as_u64).unwrap_or(0) + 1;
        counts.insert(kind.to_owned(), number.into());
    }
    json!({
        "set": set.root.to_string_lossy(),
        "layout": match set.layout {
            Layout::Nia => "nia",
            Layout::Folder => "folder",
            Layout::Voc => "voc",
            Layout::Figaro => "figaro",
        },
        "classes": set.classes,
        "images": set.items.len(),
        "splits": {
            "train": set.count(Some(Split::Train)),
            "val": set.count(Some(Split::Val)),
            "test": set.count(Some(Split::Test)),
            "none": set.count(None),
        },
        "defects": list,
        "counts": counts,
        "notices": set.notices,
    })
}

/// A defect's fields, and its message and remedy as text.
fn with_message(defect: &Defect) -> Value {
    let mut value = json!(defect);
    value["message"] = defect.to_string().into();
    value["remedy"] = defect.kind().1.into();
    value
}
