//! Any folder of images and masks, with the classes and their order given in the config.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use serde::Deserialize;

use crate::classes::Classes;
use crate::dataset::Split;
use crate::error::Error;
use crate::mask_values::MaskValues;
use crate::pairs::{Files, PICTURES, Pairs, file_of, read_ids, stems};
use crate::random::{Purpose, stream};

/// The set's settings: `[data.folder]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The folder that holds the others.
    pub root: PathBuf,
    /// Sub-folder of the images: `.jpg`, `.jpeg` or `.png`.
    pub images: PathBuf,
    /// Sub-folder of the label maps: `.png` of the same stem as the image.
    pub masks: PathBuf,
    /// Sub-folder of edge maps, `.png` of the same stem, any number but 0 an edge. Without it edges are made from
    /// the labels.
    pub edges: Option<PathBuf>,
    /// What the numbers of the label maps mean. Without it they are class indices, and in a set of two classes a map
    /// of 0 and 255 alone is an error, because nobody can tell whether 255 is void or the second class.
    pub mask_values: Option<MaskValues>,
    /// Class names in label order. Labels may also be 255, which is no class.
    pub classes: Vec<String>,
    /// Pairs of class names that a horizontal flip exchanges.
    pub swaps: Vec<[String; 2]>,
    /// Which ids belong to which split.
    pub split: Parts,
}

/// How the ids of a folder are divided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Parts {
    /// By list files, relative to the root, one id a line.
    Lists(Lists),
    /// By numbers of samples, drawn from all images with a seed.
    Counts(Counts),
}

/// The list file of each split, relative to the root.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lists {
    /// Ids to train on.
    pub train: PathBuf,
    /// Ids to choose the checkpoint by.
    pub val: PathBuf,
    /// Ids to score.
    pub test: PathBuf,
}

/// How many samples are held out; the rest is for training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Counts {
    /// Number of validation samples.
    pub val: usize,
    /// Number of test samples.
    pub test: usize,
    /// Seed of the draw.
    pub seed: u64,
}

/// Opens one split of a folder. Images and masks are paired by file stem.
///
/// Split by counts, every image must have its mask and every mask its image; split by lists, those of the listed
/// ids. Within a split the ids keep the order of the list, or of their names.
///
/// # Errors
/// A missing folder, list or file, an id in two splits, an empty split, or classes and swaps that do not agree.
pub fn open(config: &Config, split: Split) -> Result<Pairs, Error> {
    let classes = config.checked_classes()?;
    if !config.root.is_dir() {
        return Err(Error::MissingFolder { path: config.root.clone(), role: "root of the set".into() });
    }
    let (images, masks) = (config.root.join(&config.images), config.root.join(&config.masks));
    let image_files = stems(&images, "images", &PICTURES)?;
    let mask_files = stems(&masks, "masks", &[".png"])?;
    let edges = config.edges.as_ref().map(|folder| config.root.join(folder));
    let edge_files = edges.as_deref().map(|folder| stems(folder, "edges", &[".png"])).transpose()?;
    let edge_file = |id: &str| match (&edges, &edge_files) {
        (Some(folder), Some(found)) => file_of(found, id, folder, ".png", "edge map").map(Some),
        _ => Ok(None),
    };
    let ids = match &config.split {
        Parts::Lists(lists) => listed(&config.root, lists, split)?,
        Parts::Counts(counts) => {
            if let Some(id) = mask_files.keys().find(|id| !image_files.contains_key(*id)) {
                file_of(&image_files, id, &images, ".{jpg,jpeg,png}", "image of a mask")?;
            }
            drawn(&images, &image_files, *counts, split)?
        }
    };
    let files = ids.into_iter().map(|id| {
        Ok(Files {
            image: file_of(&image_files, &id, &images, ".{jpg,jpeg,png}", "image")?,
            labels: file_of(&mask_files, &id, &masks, ".png", "mask")?,
            edges: edge_file(&id)?,
            id,
        })
    });
    Ok(Pairs {
        files: files.collect::<Result<_, Error>>()?,
        classes,
        mask_values: config.mask_values,
        edge_files: edge_files.is_some(),
    })
}

impl Config {
    /// The classes, if names, swaps and mask values agree.
    pub(crate) fn checked_classes(&self) -> Result<Classes, Error> {
        if self.mask_values == Some(MaskValues::BlackWhite) && self.classes.len() != 2 {
            let reason = format!("\"0-255\" tells two classes apart, but there are {}", self.classes.len());
            return Err(Error::Config { key: "mask-values", reason });
        }
        Classes::new(&self.classes, &self.swaps)
    }
}

/// The ids of a split's list. No other list may hold one of them: the files are the same ones.
pub(crate) fn listed(root: &Path, lists: &Lists, split: Split) -> Result<Vec<String>, Error> {
    let path = |split| match split {
        Split::Train => root.join(&lists.train),
        Split::Val => root.join(&lists.val),
        Split::Test => root.join(&lists.test),
    };
    let ids = read_ids(&path(split))?;
    let own: HashSet<&String> = ids.iter().collect();
    for other in Split::ALL.map(path) {
        // The list of a split that nobody opens may be missing; one list may serve as val and test on purpose.
        if !other.is_file() || other == path(split) {
            continue;
        }
        if let Some(id) = read_ids(&other)?.into_iter().find(|id| own.contains(id)) {
            let place = format!("also in the list of {split}, {}", path(split).display());
            return Err(Error::DuplicateId { path: other, id, place });
        }
    }
    Ok(ids)
}

/// The ids of a split drawn by number: shuffled by the seed, then cut into val, test and train.
pub(crate) fn drawn(
    images: &Path,
    files: &BTreeMap<String, PathBuf>,
    counts: Counts,
    split: Split,
) -> Result<Vec<String>, Error> {
    let empty = |what| Error::Empty { path: images.to_path_buf(), what };
    if files.is_empty() {
        return Err(empty("the image folder".into()));
    }
    let held_out = counts.val.saturating_add(counts.test);
    if held_out >= files.len() {
        let reason = format!("val + test = {held_out} leave none of the {} images to train on", files.len());
        return Err(Error::Config { key: "split.counts", reason });
    }
    let mut ids: Vec<String> = files.keys().cloned().collect();
    ids.shuffle(&mut stream(counts.seed, Purpose::Split, 0, 0));
    let part = match split {
        Split::Val => 0..counts.val,
        Split::Test => counts.val..held_out,
        Split::Train => held_out..ids.len(),
    };
    let mut part: Vec<String> = ids.drain(part).collect();
    part.sort();
    if part.is_empty() {
        return Err(empty(format!("the {split} split (split.counts.{split} = 0)")));
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, Map};
    use crate::testing::{gray_png, jpeg_bytes, png_bytes, put};
    use image::{GrayImage, Luma};
    use png::{BitDepth, ColorType};
    use tempfile::TempDir;

    const SETTINGS: &str = r#"
        images = "images"
        masks = "masks"
        classes = ["ground", "left", "right"]
        swaps = [["left", "right"]]
    "#;

    /// Ten JPEGs with palette masks.
    fn set(split: &str) -> (TempDir, Config) {
        let folder = TempDir::new().unwrap();
        let root = folder.path();
        for id in 0..10u8 {
            put(&root.join(format!("images/{id}.jpg")), jpeg_bytes(8, 4));
            let mask: Vec<u8> = (0..32).map(|i| (i + id) % 3).collect();
            let bytes = png_bytes((8, 4), ColorType::Indexed, BitDepth::Eight, &mask);
            put(&root.join(format!("masks/{id}.png")), bytes);
        }
        let text = format!("root = {:?}\n{SETTINGS}\n{split}", root.display().to_string());
        let config = toml::from_str(&text).unwrap();
        (folder, config)
    }

    fn ids(config: &Config, split: Split) -> Vec<String> {
        let set = open(config, split).unwrap();
        (0..set.len()).map(|index| set.id(index)).collect()
    }

    fn error(config: &Config, split: Split) -> String {
        open(config, split).unwrap_err().to_string()
    }

    const COUNTS: &str = "[split.counts]\nval = 2\ntest = 3\nseed = 4";
    const LISTS: &str = "[split.lists]\ntrain = 'train.txt'\nval = 'val.txt'\ntest = 'val.txt'";

    #[test]
    fn counts_divide_all_images_by_the_seed() {
        let (_folder, config) = set(COUNTS);
        let [train, val, test] = Split::ALL.map(|split| ids(&config, split));
        assert_eq!((train.len(), val.len(), test.len()), (5, 2, 3));
        let mut all = [train.clone(), val, test].concat();
        all.sort();
        assert_eq!(all, (0..10).map(|id| id.to_string()).collect::<Vec<_>>());
        assert_eq!(ids(&config, Split::Train), train);
        let counts = Counts { val: 2, test: 3, seed: 5 };
        assert_ne!(ids(&Config { split: Parts::Counts(counts), ..config.clone() }, Split::Train), train);
        let counts =
            |val, test| Config { split: Parts::Counts(Counts { val, test, seed: 4 }), ..config.clone() };
        assert!(error(&counts(9, 1), Split::Train).contains("leave none of the 10 images"));
        assert!(error(&counts(usize::MAX, 1), Split::Train).contains("leave none"));
        assert!(error(&counts(0, 1), Split::Val).contains("the val split (split.counts.val = 0) is empty"));
    }

    #[test]
    fn lists_may_not_share_an_id() {
        let (_folder, config) = set(LISTS);
        put(&config.root.join("train.txt"), "images/3.jpg masks/3.png\nimages/1.jpg masks/1.png\n");
        put(&config.root.join("val.txt"), "5\n");
        assert_eq!(ids(&config, Split::Train), ["3", "1"]);
        assert_eq!(
            (ids(&config, Split::Val), ids(&config, Split::Test)),
            (vec!["5".into()], vec!["5".into()])
        );
        put(&config.root.join("val.txt"), "1\n");
        let leak = error(&config, Split::Train);
        assert!(leak.contains("val.txt: id '1' occurs twice") && leak.contains("train.txt"), "{leak}");
    }

    #[test]
    fn samples_are_read_with_classes_and_swaps() {
        let (_folder, config) = set(COUNTS);
        let set = open(&config, Split::Train).unwrap();
        let sample = set.read(0).unwrap();
        let id: u8 = set.id(0).parse().unwrap();
        assert_eq!(sample.targets[0].get_pixel(1, 0)[0], (1 + id) % 3);
        assert_eq!(sample.image.dimensions(), (8, 4));
        assert_eq!(
            (set.classes().len(), set.swaps(), set.maps()),
            (3, [(1, 2)].as_slice(), [Map::Labels, Map::Border])
        );
        assert!(matches!(set.read(5), Err(Error::Index { index: 5, len: 5 })));
        let two = Config { classes: vec!["ground".into(), "left".into()], swaps: vec![], ..config };
        let error = open(&two, Split::Train).unwrap().read(0).unwrap_err().to_string();
        assert!(error.contains(".png: label 2 at row 0, column"), "{error}");
    }

    #[test]
    fn edge_files_are_used_when_a_folder_is_named() {
        let (_folder, config) = set(LISTS);
        let config = Config { edges: Some("edges".into()), ..config };
        put(&config.root.join("train.txt"), "3\n4\n");
        assert!(error(&config, Split::Train).contains("edges: no such folder"));
        put(&config.root.join("edges/3.png"), gray_png(&GrayImage::from_pixel(8, 4, Luma([9]))));
        assert!(error(&config, Split::Train).contains("edges/4.png: no such file (edge map)"));
        put(&config.root.join("train.txt"), "3\n");
        let set = open(&config, Split::Train).unwrap();
        assert!(set.read(0).unwrap().targets[1].iter().all(|v| *v == 1));
        assert_eq!(set.maps()[1], Map::Mask);
    }

    #[test]
    fn every_image_needs_its_mask_and_every_mask_its_image() {
        let (_folder, config) = set(COUNTS);
        std::fs::remove_file(config.root.join("masks/3.png")).unwrap();
        let all = [Split::Train, Split::Val, Split::Test].map(|split| open(&config, split));
        let missing = all.into_iter().find_map(Result::err).unwrap().to_string();
        assert!(missing.contains("masks/3.png: no such file (mask)"), "{missing}");
        put(&config.root.join("masks/77.png"), "");
        assert!(
            error(&config, Split::Train).contains("images/77.{jpg,jpeg,png}: no such file (image of a mask)")
        );
        for id in 0..10 {
            std::fs::remove_file(config.root.join(format!("images/{id}.jpg"))).unwrap();
        }
        std::fs::remove_dir_all(config.root.join("masks")).unwrap();
        std::fs::create_dir(config.root.join("masks")).unwrap();
        assert!(error(&config, Split::Train).contains("images: the image folder is empty"));
    }

    #[test]
    fn settings_are_strict() {
        let parse = |text: &str| toml::from_str::<Config>(text).unwrap_err().to_string();
        let error = parse(&format!("root = 'x'\n{SETTINGS}\n[split.count]\nval = 1"));
        assert!(error.contains("unknown variant `count`, expected `lists` or `counts`"), "{error}");
        let error = parse(&format!("root = 'x'\n{SETTINGS}\nmask = 'y'\n{COUNTS}"));
        assert!(error.contains("unknown field `mask`") && error.contains("line"), "{error}");
    }
}
