//! The NIA face-parsing layout and its 19 classes.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::classes::Classes;
use crate::dataset::Split;
use crate::error::Error;
use crate::pairs::{Files, PICTURES, Pairs, file_of, read_ids, stems};

/// The classes in label order.
pub const CLASSES: [&str; 19] = [
    "background",
    "skin",
    "l_brow",
    "r_brow",
    "l_eye",
    "r_eye",
    "eye_g",
    "l_ear",
    "r_ear",
    "ear_r",
    "nose",
    "mouth",
    "u_lip",
    "l_lip",
    "neck",
    "neck_l",
    "cloth",
    "hair",
    "hat",
];

/// The classes that a horizontal flip exchanges: brows, eyes and ears.
pub const SWAPS: [(u8, u8); 3] = [(2, 3), (4, 5), (7, 8)];

/// The set's settings: `[data.nia]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The folder that holds `train/`, `val/`, `test/` and the id lists.
    pub root: PathBuf,
    /// Without a `val_id.txt`, every so many-th id of `train_id.txt` is held out for validation (2 or more).
    /// Not used when that file exists.
    pub val_every: usize,
}

/// Opens one split of `<root>/{train,val,test}/{images,labels,edges}/`.
///
/// The ids stand in `<root>/{train,val,test}_id.txt`. Of id `N` the image is `images/N.png` (or `.jpg`, `.jpeg`), the
/// label map `labels/N.grayscale.png` (or `N.png`) and the edge map `edges/N.grayscale.png` (or `N.png`): any
/// number but 0 is an edge. Edges are made from the labels where there is no such file.
///
/// # Errors
/// A missing folder, list or file, an empty list, an id that stands twice, or a `val-every` that leaves nothing
/// to train on.
pub fn open(config: &Config, split: Split) -> Result<Pairs, Error> {
    let (ids, part) = ids(config, split)?;
    let folder = |name| config.root.join(part.name()).join(name);
    let (images, labels, edges) = (folder("images"), folder("labels"), folder("edges"));
    let image_files = stems(&images, "images", &PICTURES)?;
    let label_files = maps(&labels, "label maps")?;
    let edge_files = if edges.is_dir() { Some(maps(&edges, "edge maps")?) } else { None };
    let files = ids.into_iter().map(|id| {
        Ok(Files {
            image: file_of(&image_files, &id, &images, ".png", "image")?,
            labels: file_of(&label_files, &id, &labels, MAP_ENDING, "label map")?,
            edges: edge_files.as_ref().and_then(|found| found.get(&id).cloned()),
            id,
        })
    });
    let names = CLASSES.map(String::from).to_vec();
    let classes = Classes { names, swaps: SWAPS.to_vec() };
    Ok(Pairs {
        files: files.collect::<Result<_, Error>>()?,
        classes,
        mask_values: None,
        edge_files: edge_files.is_some(),
    })
}

/// Ending of label and edge maps as delivered.
pub(crate) const MAP_ENDING: &str = ".grayscale.png";

/// The maps of a folder by id: `N.grayscale.png`, or `N.png` where there is no such file.
fn maps(folder: &Path, role: &str) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut found = stems(folder, role, &[".png"])?;
    found.extend(stems(folder, role, &[MAP_ENDING])?);
    Ok(found)
}

/// Name of the id list of a split, inside the root.
pub(crate) fn list_name(split: Split) -> String {
    format!("{split}_id.txt")
}

/// The ids of a split and the split whose folder holds their files.
fn ids(config: &Config, split: Split) -> Result<(Vec<String>, Split), Error> {
    let list = |split| config.root.join(list_name(split));
    if !config.root.is_dir() {
        return Err(Error::MissingFolder { path: config.root.clone(), role: "root of the NIA set".into() });
    }
    if split == Split::Test || list(Split::Val).is_file() {
        return Ok((read_ids(&list(split))?, split));
    }
    let all = read_ids(&list(Split::Train))?;
    let held_out = held_out(config.val_every, all.len(), &list(Split::Train))?;
    let ids = all.into_iter().enumerate().filter(|(i, _)| held_out.contains(i) == (split == Split::Val));
    Ok((ids.map(|(_, id)| id).collect(), Split::Train))
}

/// The positions in the list of `len` training ids that are held out for validation.
pub(crate) fn held_out(val_every: usize, len: usize, list: &Path) -> Result<HashSet<usize>, Error> {
    if val_every < 2 || val_every > len {
        let reason = format!(
            "{val_every} splits the {len} ids of {} badly; without a val_id.txt it must be 2..={}",
            list.display(),
            len.max(2)
        );
        return Err(Error::Config { key: "val-every", reason });
    }
    Ok((val_every - 1..len).step_by(val_every).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, Map};
    use crate::edges::edge_map;
    use crate::testing::{coloured, gray_png, jpeg_bytes, png_bytes, put};
    use image::{GrayImage, Luma};
    use png::{BitDepth, ColorType};
    use tempfile::TempDir;

    fn labels() -> GrayImage {
        GrayImage::from_fn(8, 6, |x, y| Luma([((x / 3 + y / 2) % 19) as u8]))
    }

    /// A set of `1.png`, `2.jpg`, …, every other with the short label name, with edges for id 1 only.
    fn set(train: usize) -> (TempDir, Config) {
        let folder = TempDir::new().unwrap();
        let root = folder.path().to_path_buf();
        let mut list = String::new();
        for id in 1..=train {
            let (image, bytes, label) = if id % 2 == 1 {
                ("png", rgb_png(), "grayscale.png")
            } else {
                ("jpg", jpeg_bytes(8, 6), "png")
            };
            put(&root.join(format!("train/images/{id}.{image}")), bytes);
            put(&root.join(format!("train/labels/{id}.{label}")), gray_png(&labels()));
            list += &format!("{id}\n");
        }
        put(&root.join("train_id.txt"), list);
        (folder, Config { root, val_every: 3 })
    }

    fn rgb_png() -> Vec<u8> {
        png_bytes((8, 6), ColorType::Rgb, BitDepth::Eight, &coloured(&labels()))
    }

    fn ids(config: &Config, split: Split) -> Vec<String> {
        let set = open(config, split).unwrap();
        (0..set.len()).map(|index| set.id(index)).collect()
    }

    fn error(config: &Config, split: Split) -> String {
        open(config, split).unwrap_err().to_string()
    }

    #[test]
    fn the_classes_are_the_19_in_order() {
        assert_eq!(
            SWAPS.map(|(l, r)| (CLASSES[l as usize], CLASSES[r as usize])),
            [("l_brow", "r_brow"), ("l_eye", "r_eye"), ("l_ear", "r_ear")]
        );
        assert_eq!((CLASSES[10], CLASSES[17], CLASSES[18]), ("nose", "hair", "hat"));
    }

    #[test]
    fn every_third_id_is_held_out_without_a_list() {
        let (_folder, config) = set(7);
        assert_eq!(ids(&config, Split::Train), ["1", "2", "4", "5", "7"]);
        assert_eq!(ids(&config, Split::Val), ["3", "6"]);
        for val_every in [0, 1, 8] {
            let error = error(&Config { val_every, ..config.clone() }, Split::Train);
            assert!(error.starts_with(&format!("val-every: {val_every} splits the 7 ids")), "{error}");
        }
    }

    #[test]
    fn a_validation_list_has_a_folder_of_its_own() {
        let (_folder, config) = set(4);
        put(&config.root.join("val/images/9.png"), rgb_png());
        put(&config.root.join("val/labels/9.grayscale.png"), gray_png(&labels()));
        put(&config.root.join("val_id.txt"), "9\n");
        assert_eq!(ids(&config, Split::Train).len(), 4);
        assert_eq!(ids(&config, Split::Val), ["9"]);
    }

    #[test]
    fn edges_come_from_files_or_else_from_labels() {
        let (_folder, config) = set(4);
        let open_train = || open(&config, Split::Train).unwrap();
        let sample = open_train().read(1).unwrap();
        assert_eq!(sample.targets, [labels(), edge_map(&labels())]);
        assert_eq!(open_train().maps(), [Map::Labels, Map::Border]);
        let dots = GrayImage::from_fn(8, 6, |x, _| Luma([255 * u8::from(x == 2)]));
        put(&config.root.join("train/edges/1.grayscale.png"), gray_png(&dots));
        let set = open_train();
        assert_eq!(set.maps(), [Map::Labels, Map::Mask]);
        assert!(set.read(0).unwrap().targets[1].enumerate_pixels().all(|(x, _, v)| v[0] == u8::from(x == 2)));
        assert_eq!(set.read(1).unwrap().targets[1], edge_map(&labels()));
        assert_eq!(set.read(0).unwrap().image, coloured(&labels()));
    }

    #[test]
    fn what_is_missing_is_named() {
        let (_folder, config) = set(4);
        let gone = Config { root: config.root.join("none"), ..config.clone() };
        assert!(error(&gone, Split::Train).contains("none: no such folder"));
        assert!(error(&config, Split::Test).contains("test_id.txt: no such file (id list)"));
        put(&config.root.join("train_id.txt"), "1\n2\n77\n4\n");
        assert!(error(&config, Split::Val).contains("images/77.png: no such file (image)"));
        std::fs::remove_file(config.root.join("train/labels/1.grayscale.png")).unwrap();
        assert!(error(&config, Split::Train).contains("labels/1.grayscale.png: no such file (label map)"));
        put(&config.root.join("train_id.txt"), "\n");
        assert!(error(&config, Split::Train).contains("train_id.txt: the id list is empty"));
        std::fs::remove_dir_all(config.root.join("train/images")).unwrap();
        put(&config.root.join("train_id.txt"), "1\n2\n4\n");
        assert!(error(&config, Split::Train).contains("train/images: no such folder (images)"));
    }

    #[test]
    fn a_map_of_another_size_is_named_with_both_sizes() {
        let (_folder, config) = set(4);
        put(&config.root.join("train/labels/1.grayscale.png"), gray_png(&GrayImage::new(9, 6)));
        let error = open(&config, Split::Train).unwrap().read(0).unwrap_err().to_string();
        assert!(error.contains("images/1.png: is 8 x 6 pixels"), "{error}");
        assert!(error.contains("labels/1.grayscale.png is 9 x 6"), "{error}");
    }
}
