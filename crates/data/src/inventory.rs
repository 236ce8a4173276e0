//! What lies in a set's folders: images, maps and lists, whether or not they fit together.

mod frames;
mod layout;
mod part;

use std::path::{Path, PathBuf};

use image::{GrayImage, RgbImage};

use crate::classes::Classes;
use crate::dataset::Split;
use crate::defect::Defect;
use crate::error::Error;
use crate::mask_values::{MaskValues, read_labels_as};
use crate::rgb::read_rgb;
use crate::{figaro, folder, nia, voc};

/// A set as it lies on disk, for tools that look at all of it.
///
/// [`nia::open`] and [`folder::open`] stop at the first thing that is missing. An inventory goes on and takes note.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The set's folder.
    pub root: PathBuf,
    /// How it is laid out.
    pub layout: Layout,
    /// Class names in label order; none where nobody said what the classes are.
    pub classes: Option<Vec<String>>,
    /// What the numbers of the label maps mean, where a config says so.
    pub mask_values: Option<MaskValues>,
    /// Every image that has a label map: by split and list, then those in no list, by name.
    pub items: Vec<Item>,
    /// What is wrong with folders, lists and names. The files themselves were not opened.
    pub defects: Vec<Defect>,
    /// What was passed over on purpose, a line each.
    pub notices: Vec<String>,
}

/// How a set is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `{train,val,test}/{images,labels,edges}/` with id lists.
    Nia,
    /// One folder of images and one of masks.
    Folder,
    /// `JPEGImages/` with a folder of label maps and the lists of `ImageSets/Segmentation/`.
    Voc,
    /// `{Original,GT}/{Training,Testing}/` with numbered frames, as Figaro-1k.
    Figaro,
}

/// The files of one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The name that its files share.
    pub id: String,
    /// The split whose list names it; none for an id in no list.
    pub split: Option<Split>,
    /// The picture.
    pub image: PathBuf,
    /// The label map.
    pub labels: PathBuf,
    /// The edge map, where there is one.
    pub edges: Option<PathBuf>,
}

/// Names of the folders of a set whose layout is not NIA's, relative to its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// Of the pictures; `images` if not given.
    pub images: Option<PathBuf>,
    /// Of the label maps; `masks` or `labels`, whichever there is, if not given.
    pub masks: Option<PathBuf>,
    /// Of the edge maps; `edges` if not given, and that may be missing.
    pub edges: Option<PathBuf>,
    /// Of the lists `train.txt`, `val.txt` and `test.txt`; the root if not given. Each may be missing.
    pub lists: Option<PathBuf>,
}

impl Inventory {
    /// The set of `[data.nia]`, all splits.
    ///
    /// # Errors
    /// A missing root, or a `val-every` that leaves nothing to train on.
    pub fn of_nia(config: &nia::Config) -> Result<Self, Error> {
        layout::nia(&config.root, Some(config.val_every))
    }

    /// The set of `[data.folder]`, all splits.
    ///
    /// # Errors
    /// A missing root, classes and swaps that do not agree, or counts beyond the number of images.
    pub fn of_folder(config: &folder::Config) -> Result<Self, Error> {
        config.checked_classes()?;
        layout::folder(config)
    }

    /// The set of `[data.voc]`, all splits. Pictures in no list are left out: VOC has many without labels.
    ///
    /// # Errors
    /// A missing root.
    pub fn of_voc(config: &voc::Config) -> Result<Self, Error> {
        layout::voc(config)
    }

    /// The set of `[data.figaro]`, all splits. Where the test images serve as validation images they count as test images.
    ///
    /// # Errors
    /// A missing root, or a share out of range.
    pub fn of_figaro(config: &figaro::Config) -> Result<Self, Error> {
        frames::figaro(config)
    }

    /// A folder without a config: NIA's layout where there is `{train,val,test}/images/` or an id list, Figaro-1k's where
    /// there is `Original/{Training,Testing}/`, else a folder of images and one of masks.
    ///
    /// `classes` are the names in label order. NIA's and Figaro's layouts have their own; another set goes without if not given, and
    /// then every label from 0 to 254 is taken as a class.
    ///
    /// # Errors
    /// [`Error::MissingFolder`] for a root that is in neither layout.
    pub fn of_directory(root: &Path, folders: &Folders, classes: Option<Vec<String>>) -> Result<Self, Error> {
        if !root.is_dir() {
            return Err(Error::MissingFolder { path: root.to_path_buf(), role: "root of the set".into() });
        }
        if let Some(names) = &classes {
            Classes::new(names, &[])?;
        }
        if *folders == Folders::default() && layout::is_nia(root) {
            let set = layout::nia(root, None)?;
            return Ok(Self { classes: classes.or(set.classes), ..set });
        }
        if *folders == Folders::default() && frames::is_figaro(root) {
            let config = figaro::Config { root: root.to_path_buf(), split: figaro::Parts::TestAsValidation };
            let set = frames::figaro(&config)?;
            return Ok(Self { classes: classes.or(set.classes), ..set });
        }
        let lists = root.join(folders.lists.clone().unwrap_or_default());
        layout::directory(root, folders, classes, Some(&lists))
    }

    /// A folder of images and one of masks, without regard to any list.
    ///
    /// # Errors
    /// As for [`Inventory::of_directory`], and [`Error::Config`] for NIA's and Figaro's layouts, whose folders are the
    /// splits.
    pub fn without_splits(root: &Path, folders: &Folders) -> Result<Self, Error> {
        if *folders == Folders::default() && layout::is_nia(root) {
            let reason = format!(
                "{} is in NIA's layout, whose folders are the splits already; name one of them, such as {}",
                root.display(),
                root.join("train").display()
            );
            return Err(Error::Config { key: "folder", reason });
        }
        if *folders == Folders::default() && frames::is_figaro(root) {
            let reason = format!(
                "{} is in Figaro-1k's layout, whose Training and Testing are the splits already; [data.figaro] holds \
                 validation images out of Training",
                root.display()
            );
            return Err(Error::Config { key: "folder", reason });
        }
        layout::directory(root, folders, None, None)
    }

    /// The label map of an item.
    ///
    /// # Errors
    /// As for [`read_labels`](crate::read_labels), and for numbers that are not what the set says.
    pub fn labels(&self, item: &Item) -> Result<GrayImage, Error> {
        read_labels_as(&item.labels, self.class_count(), self.mask_values)
    }

    /// The picture of an item, as training takes it to lie under a label map of this size.
    ///
    /// # Errors
    /// As for [`read_rgb`](crate::read_rgb). A picture of another size is no error here.
    pub(crate) fn picture(&self, item: &Item, map: Option<(u32, u32)>) -> Result<RgbImage, Error> {
        match map.filter(|_| self.layout == Layout::Figaro) {
            Some(size) => figaro::read_under(&item.image, size),
            None => read_rgb(&item.image),
        }
    }

    /// Number of items of a split.
    #[must_use]
    pub fn count(&self, split: Option<Split>) -> usize {
        self.items.iter().filter(|item| item.split == split).count()
    }

    /// Number of classes, or 255, the most there can be, where nobody said.
    #[must_use]
    pub fn class_count(&self) -> usize {
        self.classes.as_ref().map_or(255, Vec::len)
    }
}

#[cfg(test)]
mod tests;
