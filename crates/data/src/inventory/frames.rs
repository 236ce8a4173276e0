//! Figaro-1k's numbered frames, whether or not images and masks fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::layout::empty;
use super::part::names;
use super::{Inventory, Item, Layout};
use crate::dataset::Split;
use crate::defect::Defect;
use crate::error::Error;
use crate::figaro::frames::{Half, MASKS, copy_notice, frame_number, id_of, style_of};
use crate::figaro::{self, CLASSES, Parts};
use crate::mask_values::MaskValues;
use crate::pairs::{PICTURES, strip_ending};

/// No mask, but taken for one so that it is named as such.
const JPEG: [&str; 2] = [".jpg", ".jpeg"];

/// Whether a folder looks like the root of Figaro-1k.
pub(super) fn is_figaro(root: &Path) -> bool {
    [Half::Training, Half::Testing].iter().any(|half| root.join("Original").join(half.name()).is_dir())
}

/// All splits of the set of `[data.figaro]`.
pub(super) fn figaro(config: &figaro::Config) -> Result<Inventory, Error> {
    let root = &config.root;
    if !root.is_dir() {
        return Err(Error::MissingFolder { path: root.clone(), role: "root of Figaro-1k".into() });
    }
    let classes = Some(CLASSES.map(String::from).to_vec());
    let mut set =
        Inventory { layout: Layout::Figaro, mask_values: Some(MaskValues::Binary), ..empty(root, classes) };
    let training = pairs(&mut set, Half::Training);
    let testing = pairs(&mut set, Half::Testing);
    for (number, (image, _)) in &training {
        if let Some((twin, _)) = testing.get(number) {
            let place = format!("{} and {}", image.display(), twin.display());
            set.defects.push(Defect::DuplicateId { file: root.clone(), id: id_of(*number), place });
        }
    }
    let mut splits = vec![Split::Train; training.len()];
    if let Parts::HeldOut(held_out) = config.split {
        let styles: Vec<usize> = training.keys().map(|number| style_of(*number)).collect();
        figaro::part(&styles, held_out)?[1].iter().for_each(|position| splits[*position] = Split::Val);
    }
    let splits = splits.into_iter().chain(std::iter::repeat(Split::Test));
    set.items = training.into_iter().chain(testing).zip(splits).map(item).collect();
    Ok(set)
}

/// Image and mask of a frame by its number.
type Pairs = BTreeMap<u32, (PathBuf, PathBuf)>;

fn item(((number, (image, labels)), split): ((u32, (PathBuf, PathBuf)), Split)) -> Item {
    Item { id: id_of(number), split: Some(split), image, labels, edges: None }
}

/// The pairs of a half; what has no partner is a defect, unless the folder of its partner is missing as a whole.
fn pairs(set: &mut Inventory, half: Half) -> Pairs {
    let [images, masks] = ["Original", "GT"].map(|kind| set.root.join(kind).join(half.name()));
    let found =
        [by_number(set, &images, "images", &[&PICTURES]), by_number(set, &masks, "masks", &[&MASKS, &JPEG])];
    let [Some(with_image), Some(with_mask)] = found else { return Pairs::new() };
    if with_image.is_empty() && with_mask.is_empty() {
        set.defects.push(Error::Empty { path: images.clone(), what: "the image folder".into() }.into());
    }
    let numbers: BTreeSet<u32> = with_image.keys().chain(with_mask.keys()).copied().collect();
    let mut whole = Pairs::new();
    for number in numbers {
        let missing = |folder: &Path, ending: &str, role, because_of: &Path| Defect::MissingPair {
            file: folder.join(id_of(number) + ending),
            role,
            because_of: because_of.to_path_buf(),
        };
        match (with_image.get(&number), with_mask.get(&number)) {
            (Some(image), Some(mask)) => {
                whole.insert(number, (image.clone(), mask.clone()));
            }
            (Some(image), None) => set.defects.push(missing(&masks, "-gt.{pbm,png}", "mask", image)),
            (None, Some(mask)) => set.defects.push(missing(&images, "-org.jpg", "image", mask)),
            (None, None) => (),
        }
    }
    whole
}

/// The files of a folder by frame; none if it is not there. Of two files of one frame the one of the earlier group of
/// endings counts; two of one group are a defect.
fn by_number(
    set: &mut Inventory,
    folder: &Path,
    role: &str,
    groups: &[&[&str]],
) -> Option<BTreeMap<u32, PathBuf>> {
    let names = names(folder).map_err(|reason| {
        set.defects.push(Defect::Layout { file: folder.to_path_buf(), reason: format!("{reason} ({role})") });
    });
    let names = names.ok()?;
    let mut found = BTreeMap::new();
    for endings in groups {
        let mut of_group: BTreeMap<u32, PathBuf> = BTreeMap::new();
        for name in &names {
            let Some(stem) = endings.iter().find_map(|ending| strip_ending(name, ending)) else { continue };
            let path = folder.join(name);
            match frame_number(&path, stem) {
                Err(error) => set.defects.push(error.into()),
                Ok(None) => set.notices.push(copy_notice(&path)),
                Ok(Some(number)) => match of_group.get(&number) {
                    None => {
                        of_group.insert(number, path);
                    }
                    Some(first) => {
                        let first = first.file_name().unwrap_or_default().to_string_lossy();
                        let (id, place) = (format!("frame {number}"), format!("{first} and {name}"));
                        set.defects.push(Defect::DuplicateId { file: folder.to_path_buf(), id, place });
                    }
                },
            }
        }
        for (number, path) in of_group {
            found.entry(number).or_insert(path);
        }
    }
    Some(found)
}
