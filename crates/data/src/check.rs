//! Reads a whole set and tells everything that is wrong with it.
//!
//! Training stops at the first bad file. [`check`] opens every file of an [`Inventory`], on all cores, and lists each
//! [`Defect`] with its file and, for labels and edges, the pixel and its value.

mod near;
mod same;

use crate::defect::Defect;

use std::path::Path;

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use crate::edges::edge_map;
use crate::error::Error;
use crate::inventory::{Inventory, Item};
use crate::label::{Indices, is_label, read_indices};
use crate::mask_values::read_as;
use crate::presence::Presence;
use same::Fingerprint;

/// What to hold edge maps against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// They must be the borders of the labels, as [`edge_map`] finds them.
    OfLabels,
    /// They were made by other means, such as Canny's, and need only be readable and of the right size.
    Any,
}

/// Reads every file of a set; `progress` is called once an item, from any thread.
///
/// Returns all defects, those of folders and lists first, then file by file in the order of the set, then pictures that
/// are there twice and empty classes. The result does not depend on the number of threads.
///
/// Memory grows by some 100 bytes an item, beside the names of its files.
#[must_use]
pub fn check(set: &Inventory, edges: Edges, progress: &(dyn Fn() + Sync)) -> Vec<Defect> {
    let look = |item: &Item| {
        let finding = look_at(set, item, edges);
        progress();
        finding
    };
    let findings: Vec<Finding> = set.items.par_iter().map(look).collect();
    let mut defects = set.defects.clone();
    if set.items.is_empty() && defects.is_empty() {
        defects.push(Error::Empty { path: set.root.clone(), what: "the set".into() }.into());
    }
    defects.extend(findings.iter().flat_map(|finding| finding.defects.iter().cloned()));
    let prints: Vec<_> = findings.iter().map(|finding| finding.fingerprint).collect();
    defects.extend(same::pictures(&set.items, &prints));
    defects.extend(empty_classes(set, &findings));
    defects
}

/// What one item's files showed.
struct Finding {
    defects: Vec<Defect>,
    /// The labels found; none when the map could not be read.
    labels: Option<Presence>,
    /// None when the picture could not be read.
    fingerprint: Option<Fingerprint>,
}

fn look_at(set: &Inventory, item: &Item, edges: Edges) -> Finding {
    let mut defects = Vec::new();
    let classes = set.class_count();
    let labels = read_as(&item.labels, classes, set.mask_values);
    let map_size = labels.as_ref().ok().map(|labels| (labels.width, labels.height));
    let image = keep(set.picture(item, map_size), &mut defects);
    let labels = keep(labels, &mut defects);
    let image_size = image.as_ref().map(RgbImage::dimensions);
    let labels = labels.map(|labels| {
        defects.extend(other_size(&item.labels, &labels, item, image_size));
        defects.extend(out_of_range(&item.labels, &labels, classes));
        let values = labels.values.iter().map(|value| u8::try_from(*value).unwrap_or(u8::MAX)).collect();
        GrayImage::from_raw(labels.width, labels.height, values).unwrap_or_default()
    });
    if let Some(path) = &item.edges
        && let Some(found) = keep(read_indices(path), &mut defects)
    {
        let mismatch = other_size(path, &found, item, image_size);
        if edges == Edges::OfLabels && mismatch.is_none() {
            defects.extend(labels.as_ref().and_then(|labels| wrong_edges(path, &found, labels)));
        }
        defects.extend(mismatch);
    }
    let labels = labels.map(|labels| Presence::of(&labels));
    let fingerprint = image.and_then(|image| Fingerprint::of(&image));
    Finding { defects, labels, fingerprint }
}

/// The value, or its error among the defects.
fn keep<T>(result: Result<T, Error>, defects: &mut Vec<Defect>) -> Option<T> {
    result.map_err(|error| defects.push(error.into())).ok()
}

fn other_size(path: &Path, map: &Indices, item: &Item, image_size: Option<(u32, u32)>) -> Option<Defect> {
    let (size, image_size) = ((map.width, map.height), image_size?);
    let image = item.image.clone();
    (size != image_size).then(|| Defect::SizeMismatch { file: path.to_path_buf(), size, image, image_size })
}

fn out_of_range(path: &Path, labels: &Indices, classes: usize) -> Option<Defect> {
    let (row, column, value) = labels.first(|value| !is_label(value, classes))?;
    let count = labels.values.iter().filter(|value| !is_label(**value, classes)).count() as u64;
    Some(Defect::LabelRange { file: path.to_path_buf(), row, column, value, count, classes })
}

/// The first pixel at which an edge map differs from the border of the labels.
fn wrong_edges(path: &Path, found: &Indices, labels: &GrayImage) -> Option<Defect> {
    if (found.width, found.height) != labels.dimensions() {
        return None; // one of the two differs from the image too, and is told there
    }
    let should = edge_map(labels);
    let differing = found.values.iter().zip(should.iter()).enumerate();
    let mut differing = differing.filter(|(_, (is, should))| (**is != 0) != (**should != 0));
    let (offset, (value, _)) = differing.next()?;
    let (row, column) = (offset as u32 / found.width, offset as u32 % found.width);
    let count = 1 + differing.count() as u64;
    Some(Defect::WrongEdges { file: path.to_path_buf(), row, column, value: *value, count })
}

/// The classes that no label map holds, if any map could be read.
fn empty_classes(set: &Inventory, findings: &[Finding]) -> Vec<Defect> {
    let Some(found) = findings.iter().filter_map(|finding| finding.labels).reduce(Presence::union) else {
        return Vec::new();
    };
    let names = set.classes.iter().flatten().enumerate();
    let empty = names.filter(|(label, _)| u8::try_from(*label).is_ok_and(|label| !found.contains(label)));
    empty
        .map(|(label, name)| Defect::EmptyClass { file: set.root.clone(), label, name: name.clone() })
        .collect()
}

#[cfg(test)]
mod tests;
