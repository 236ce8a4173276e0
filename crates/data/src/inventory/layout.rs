//! The layouts: which folders a set has, and which list gives an id its split.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::part::{Listed, Part, list};
use super::{Folders, Inventory, Layout};
use crate::dataset::Split;
use crate::defect::Defect;
use crate::error::Error;
use crate::folder::{self, Parts, drawn};
use crate::mask_values::MaskValues;
use crate::nia::{self, CLASSES, MAP_ENDING, list_name};
use crate::pairs::numbered_ids;
use crate::voc;

/// Whether a folder looks like the root of a set in NIA's layout.
pub(super) fn is_nia(root: &Path) -> bool {
    let split = |split: Split| {
        root.join(split.name()).join("images").is_dir() || root.join(list_name(split)).is_file()
    };
    Split::ALL.into_iter().any(split)
}

/// All splits of a set in NIA's layout; without `val_every` and a `val_id.txt` nothing is held out.
pub(super) fn nia(root: &Path, val_every: Option<usize>) -> Result<Inventory, Error> {
    if !root.is_dir() {
        return Err(Error::MissingFolder { path: root.to_path_buf(), role: "root of the NIA set".into() });
    }
    let mut set = Inventory {
        root: root.to_path_buf(),
        layout: Layout::Nia,
        classes: Some(CLASSES.map(String::from).to_vec()),
        mask_values: None,
        items: Vec::new(),
        defects: Vec::new(),
        notices: Vec::new(),
    };
    let val_every = val_every.filter(|_| !root.join(list_name(Split::Val)).is_file());
    for split in Split::ALL {
        let (folder, ids) = (root.join(split.name()), root.join(list_name(split)));
        if !folder.is_dir() && !ids.is_file() && split != Split::Train {
            continue;
        }
        let ids = (ids.clone(), list(&ids, &mut set.defects));
        let [images, labels, edges] = ["images", "labels", "edges"].map(|name| folder.join(name));
        let edges = Some(edges).filter(|edges| edges.is_dir());
        let part = Part::scan([Some(images), Some(labels), edges], MAP_ENDING, &mut set.defects);
        let held_out = match (split, val_every, &ids.1) {
            (Split::Train, Some(every), Some(all)) => nia::held_out(every, all.len(), &ids.0)?,
            _ => HashSet::new(),
        };
        let of = |position: usize| if held_out.contains(&position) { Split::Val } else { split };
        add(&mut set, &part, &[(ids.0, ids.1)], |_, position| of(position), split);
    }
    Ok(set)
}

/// All splits of the set of `[data.folder]`.
pub(super) fn folder(config: &folder::Config) -> Result<Inventory, Error> {
    let root = &config.root;
    if !root.is_dir() {
        return Err(Error::MissingFolder { path: root.clone(), role: "root of the set".into() });
    }
    let mut set = empty(root, Some(config.classes.clone()));
    set.mask_values = config.mask_values;
    let images = root.join(&config.images);
    let edges = config.edges.as_ref().map(|edges| root.join(edges));
    let folders = [Some(images.clone()), Some(root.join(&config.masks)), edges];
    let mut part = Part::scan(folders, ".png", &mut set.defects);
    part.needs_edges = true;
    match &config.split {
        Parts::Lists(lists) => {
            let lists = [&lists.train, &lists.val, &lists.test].map(|list| root.join(list));
            add_lists(&mut set, &part, lists.map(Some));
        }
        Parts::Counts(counts) => {
            let mut splits = BTreeMap::new();
            let files = part.images();
            for split in Split::ALL {
                match drawn(&images, &files, *counts, split) {
                    Ok(ids) => splits.extend(ids.into_iter().map(|id| (id, split))),
                    Err(Error::Empty { .. }) => (), // a count of 0 is meant so; an empty folder is told below
                    Err(error) => return Err(error),
                }
            }
            if files.is_empty() {
                set.defects.push(Defect::Layout { file: images, reason: "the image folder is empty".into() });
            }
            for id in part.ids() {
                let listed = Listed { id, split: splits.get(id).copied(), list: None };
                set.items.extend(part.item(&listed, &mut set.defects));
            }
        }
    }
    Ok(set)
}

/// All splits of the set of `[data.voc]`; SBD's ids that VOC lists are VOC's.
pub(super) fn voc(config: &voc::Config) -> Result<Inventory, Error> {
    let root = &config.root;
    if !root.is_dir() {
        return Err(Error::MissingFolder { path: root.clone(), role: "root of the VOC set".into() });
    }
    let classes = Some(voc::CLASSES.map(String::from).to_vec());
    let mut set =
        Inventory { layout: Layout::Voc, mask_values: Some(MaskValues::Voc), ..empty(root, classes) };
    let folders = [Some(root.join(voc::IMAGES)), Some(root.join(&config.masks)), None];
    let part = Part::scan(folders, ".png", &mut set.defects);
    let sbd = config
        .sbd
        .as_ref()
        .map(|sbd| (sbd, part.with_labels(sbd.root.join(&sbd.masks), ".mat", &mut set.defects)));
    let lists = [&config.lists.train, &config.lists.val, &config.lists.test].map(|list| root.join(list));
    let mut taken: HashSet<String> =
        lists.iter().flat_map(|list| numbered_ids(list).ok()).flatten().map(|(_, id)| id).collect();
    add_lists(&mut set, &part.of_ids(&taken), lists.map(Some));
    if let Some((sbd, part)) = sbd {
        let mut further = Vec::new();
        for path in sbd.lists.iter().map(|list| sbd.root.join(list)) {
            let mut ids = list(&path, &mut set.defects);
            ids.iter_mut().for_each(|ids| ids.retain(|id| taken.insert(id.clone())));
            further.push((path, ids));
        }
        let ids = further.iter().filter_map(|(_, ids)| ids.as_ref()).flatten().cloned().collect();
        add(&mut set, &part.of_ids(&ids), &further, |_, _| Split::Train, Split::Train);
    }
    Ok(set)
}

/// A folder of images and one of masks, by name; lists give splits where there are any.
pub(super) fn directory(
    root: &Path,
    folders: &Folders,
    classes: Option<Vec<String>>,
    lists: Option<&Path>,
) -> Result<Inventory, Error> {
    let exists = |name: &&str| root.join(name).is_dir();
    let images = root.join(folders.images.clone().unwrap_or_else(|| "images".into()));
    let masks = folders
        .masks
        .clone()
        .or_else(|| ["masks", "labels"].iter().find(|name| exists(name)).map(PathBuf::from));
    let masks = root.join(masks.unwrap_or_else(|| "masks".into()));
    for (folder, role) in [(&images, "images"), (&masks, "masks")] {
        if !folder.is_dir() {
            let role = format!(
                "{role}; a set is {{train,val,test}}/{{images,labels}}/ with id lists, or images/ with masks/ or labels/"
            );
            return Err(Error::MissingFolder { path: folder.clone(), role });
        }
    }
    let edges = folders.edges.clone().or_else(|| exists(&"edges").then(|| "edges".into()));
    let mut set = empty(root, classes);
    let part = Part::scan(
        [Some(images), Some(masks), edges.map(|edges| root.join(edges))],
        ".png",
        &mut set.defects,
    );
    let lists =
        Split::ALL.map(|split| Some(lists?.join(format!("{split}.txt"))).filter(|list| list.is_file()));
    add_lists(&mut set, &part, lists);
    Ok(set)
}

/// A set of nothing yet.
pub(super) fn empty(root: &Path, classes: Option<Vec<String>>) -> Inventory {
    Inventory {
        root: root.to_path_buf(),
        layout: Layout::Folder,
        classes,
        mask_values: None,
        items: Vec::new(),
        defects: Vec::new(),
        notices: Vec::new(),
    }
}

/// Adds the ids of the lists of train, val and test, then the rest of the folders without a split.
fn add_lists(set: &mut Inventory, part: &Part, paths: [Option<PathBuf>; 3]) {
    let mut lists: Vec<(PathBuf, Option<Vec<String>>)> = Vec::new();
    let mut splits = Vec::new();
    for (path, split) in paths.into_iter().zip(Split::ALL) {
        let Some(path) = path else { continue };
        // One list may serve as val and test on purpose.
        if lists.iter().all(|(other, _)| *other != path) {
            let ids = list(&path, &mut set.defects);
            lists.push((path, ids));
            splits.push(split);
        }
    }
    add_repeated(set, &lists);
    match splits.first() {
        Some(first) => add(set, part, &lists, |list, _| splits[list], *first),
        None => {
            for id in part.ids() {
                set.items.extend(part.item(&Listed { id, split: None, list: None }, &mut set.defects));
            }
        }
    }
}

/// Notes the ids that stand in two lists.
fn add_repeated(set: &mut Inventory, lists: &[(PathBuf, Option<Vec<String>>)]) {
    let mut seen: BTreeMap<&String, &PathBuf> = BTreeMap::new();
    for (path, ids) in lists {
        for id in ids.iter().flatten() {
            if let Some(other) = seen.get(id) {
                let place = format!("also in the list {}", other.display());
                set.defects.push(Defect::DuplicateId { file: path.clone(), id: id.clone(), place });
            } else {
                seen.insert(id, path);
            }
        }
    }
}

/// Adds the ids of lists, each with the split of its list and position, then those that no list names.
///
/// Without any list that could be read all ids belong to the split of the folder.
fn add(
    set: &mut Inventory,
    part: &Part,
    lists: &[(PathBuf, Option<Vec<String>>)],
    split: impl Fn(usize, usize) -> Split,
    of_folder: Split,
) {
    let mut named = HashSet::new();
    for (number, (path, ids)) in lists.iter().enumerate() {
        for (position, id) in ids.iter().flatten().enumerate() {
            if named.insert(id.as_str()) {
                let listed = Listed { id, split: Some(split(number, position)), list: Some(path) };
                set.items.extend(part.item(&listed, &mut set.defects));
            }
        }
    }
    let unlisted = if lists.iter().any(|(_, ids)| ids.is_some()) { None } else { Some(of_folder) };
    for id in part.ids().into_iter().filter(|id| !named.contains(id)) {
        set.items.extend(part.item(&Listed { id, split: unlisted, list: None }, &mut set.defects));
    }
}
