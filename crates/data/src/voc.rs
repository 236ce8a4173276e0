//! The PASCAL VOC 2012 layout, its 21 classes and their colours; with SBD's labels where a config names them.

mod colours;
mod mat;

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Deserialize;

use crate::dataset::{Dataset, Sample, Split};
use crate::error::Error;
use crate::folder::{Lists, listed};
use crate::mask_values::{MaskValues, read_labels_as};
use crate::pairs::{Files, PICTURES, file_of, read_ids, same_size, stems};
use crate::rgb::read_rgb;

pub use colours::PALETTE;
pub(crate) use colours::of_colours;
pub(crate) use mat::read_segmentation;

/// The classes in label order.
pub const CLASSES: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// Folder of the photographs, below the root.
pub(crate) const IMAGES: &str = "JPEGImages";
/// Endings of SBD's label maps: as delivered, or converted.
const SBD_MASKS: [&str; 2] = [".mat", ".png"];

/// The set's settings: `[data.voc]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The folder that holds `JPEGImages/`, such as `VOCdevkit/VOC2012`.
    pub root: PathBuf,
    /// Folder of the label maps `<id>.png`, below the root: `SegmentationClass`, or `SegmentationClassAug` where SBD's
    /// labels were converted and put beside VOC's.
    pub masks: PathBuf,
    /// The id lists, below the root, such as `ImageSets/Segmentation/train.txt`.
    pub lists: Lists,
    /// SBD's labels of further photographs to train on; none without this table.
    pub sbd: Option<Sbd>,
}

/// The Semantic Boundaries Dataset (Hariharan et al. 2011), which labels more of VOC's photographs: `[data.voc.sbd]`.
///
/// Training then uses VOC's training list and SBD's lists, without what the lists of val and test hold. With both of SBD's
/// lists that is the "train-aug" of 10,582 photographs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sbd {
    /// SBD's folder `dataset`.
    pub root: PathBuf,
    /// Folder of the label maps below it: `<id>.mat` as delivered (`cls`), or `<id>.png`.
    pub masks: PathBuf,
    /// Id lists below it: `["train.txt", "val.txt"]`.
    pub lists: Vec<PathBuf>,
}

/// One split of VOC, read from files.
#[derive(Debug, Clone)]
pub struct Voc {
    files: Vec<Files>,
    classes: Vec<String>,
}

/// Opens one split: of id `N` the photograph is `JPEGImages/N.jpg` and the label map `<masks>/N.png`.
///
/// A label map is a palette or gray PNG of indices, 0..=20 and 255 for void; one that holds [`PALETTE`]'s colours instead
/// is converted. Samples keep the order of the lists, VOC's before SBD's.
///
/// # Errors
/// A missing folder, list or file, an empty list, an id that stands twice in one list or in the lists of two splits.
pub fn open(config: &Config, split: Split) -> Result<Voc, Error> {
    if !config.root.is_dir() {
        return Err(Error::MissingFolder { path: config.root.clone(), role: "root of the VOC set".into() });
    }
    let (images, masks) = (config.root.join(IMAGES), config.root.join(&config.masks));
    let image_files = stems(&images, "images", &PICTURES)?;
    let ids = listed(&config.root, &config.lists, split)?;
    let mut files = Vec::new();
    let mut add = |ids: Vec<String>, masks: &PathBuf, endings: &[&str]| -> Result<(), Error> {
        let mask_files = stems(masks, "label maps", endings)?;
        for id in ids {
            let image = file_of(&image_files, &id, &images, ".jpg", "image")?;
            let labels = file_of(&mask_files, &id, masks, endings[0], "label map")?;
            files.push(Files { id, image, labels, edges: None });
        }
        Ok(())
    };
    let further = match &config.sbd {
        Some(sbd) if split == Split::Train => Some((sbd, config.of_sbd(sbd, &ids)?)),
        _ => None,
    };
    add(ids, &masks, &[".png"])?;
    if let Some((sbd, ids)) = further {
        add(ids, &sbd.root.join(&sbd.masks), &SBD_MASKS)?;
    }
    Ok(Voc { files, classes: CLASSES.map(String::from).to_vec() })
}

impl Config {
    /// The ids that SBD adds to these, in the order of its lists.
    pub(crate) fn of_sbd(&self, sbd: &Sbd, own: &[String]) -> Result<Vec<String>, Error> {
        let mut taken: HashSet<String> = own.iter().cloned().collect();
        for held_out in [&self.lists.val, &self.lists.test].map(|list| self.root.join(list)) {
            taken.extend(read_ids(&held_out)?);
        }
        let mut further = Vec::new();
        for list in &sbd.lists {
            further.extend(read_ids(&sbd.root.join(list))?.into_iter().filter(|id| taken.insert(id.clone())));
        }
        Ok(further)
    }
}

impl Dataset<1> for Voc {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        let files = self.files.get(index).ok_or(Error::Index { index, len: self.files.len() })?;
        let image = read_rgb(&files.image)?;
        let labels = read_labels_as(&files.labels, CLASSES.len(), Some(MaskValues::Voc))?;
        let labels = same_size((&image, &files.image), labels, &files.labels)?;
        Ok(Sample { image, targets: [labels] })
    }

    fn id(&self, index: usize) -> String {
        self.files.get(index).map_or_else(|| format!("sample {index}"), |files| files.id.clone())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &[]
    }
}

#[cfg(test)]
mod tests;
