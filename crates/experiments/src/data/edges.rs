//! `data edges`: edge maps as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::GrayImage;
use rayon::prelude::*;
use sconce_data::{Canny, Error, Folders, Inventory, Item, Layout, edge_map, read_rgb, write_index_png};

use super::arguments::{EdgeMethod, EdgesArguments};
use super::output::{Counter, counted, print, tell};
use super::set::{headline, refuse_existing};

/// Writes one edge map per image; a bad file is told at the end and does not stop the others.
pub(crate) fn run(arguments: &EdgesArguments) -> Result<()> {
    let [low, high] = arguments.thresholds.0.map(|threshold| threshold as f32);
    let canny = Canny::new(low, high)?;
    let folders = Folders { lists: None, ..arguments.folders.folders() };
    let set = Inventory::of_directory(&arguments.root, &folders, None)?;
    let targets: Vec<PathBuf> = set.items.iter().map(|item| target(&set, item, &arguments.out)).collect();
    refuse_existing(&targets, arguments.force)?;
    for folder in
        targets.iter().filter_map(|target| target.parent()).collect::<std::collections::BTreeSet<&Path>>()
    {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let counter = Counter::new("edges", set.items.len());
    let make = |(item, target): (&Item, &PathBuf)| -> Option<Error> {
        let edges = match arguments.method {
            EdgeMethod::Neighbours => set.labels(item).map(|labels| edge_map(&labels)),
            EdgeMethod::Canny => read_rgb(&item.image).map(|image| canny.edges(&image)),
        };
        counter.step();
        edges.and_then(|edges| write_index_png(target, &visible(edges), None)).err()
    };
    let errors: Vec<Error> = set.items.par_iter().zip(&targets).filter_map(make).collect();
    drop(counter);
    let written = counted((targets.len() - errors.len()) as u64, "edge map");
    print(&format!("{}\n{written} in {}\n", headline(&set), arguments.out.display()))?;
    tell(&errors, targets.len(), "got no edge map")
}

/// Edges as white, so that a viewer shows them; any number but 0 is read as an edge.
fn visible(mut edges: GrayImage) -> GrayImage {
    edges.iter_mut().for_each(|value| *value *= 255);
    edges
}

/// Where an item's edge map belongs in a folder laid out like the set.
fn target(set: &Inventory, item: &Item, out: &Path) -> PathBuf {
    let id = &item.id;
    match set.layout {
        Layout::Folder | Layout::Voc | Layout::Figaro => out.join("edges").join(format!("{id}.png")),
        Layout::Nia => {
            let split = item.labels.parent().and_then(Path::parent).and_then(Path::file_name);
            out.join(split.unwrap_or_default()).join("edges").join(format!("{id}.grayscale.png"))
        }
    }
}
