//! What a dataset is: numbered samples of one image and its target maps.

use std::sync::Arc;

use image::{GrayImage, RgbImage};

use crate::Error;

/// Label of pixels that belong to no class: they carry no loss and are not scored.
pub const VOID: u8 = 255;

/// One image and `T` maps of its size.
///
/// Face parsing has `T = 2`: `targets[0]` holds a class index or [`VOID`] at each pixel, `targets[1]` holds 1
/// on the border between labels and 0 elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample<const T: usize> {
    /// Red, green, blue, 0..=255.
    pub image: RgbImage,
    /// Maps of the image's width and height.
    pub targets: [GrayImage; T],
}

/// Samples numbered from 0, each read on demand and from any thread.
///
/// The first target holds class indices. Reading the same index again gives the same sample.
pub trait Dataset<const T: usize>: Send + Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// The sample of this index, at its own size.
    ///
    /// # Errors
    /// What is wrong with which file. An index of [`Dataset::len`] or more is [`Error::Index`].
    fn read(&self, index: usize) -> Result<Sample<T>, Error>;

    /// Name of a sample, unique in its set: the file stem for files. An index beyond the last gives a name too.
    fn id(&self, index: usize) -> String;

    /// Class names in label order.
    fn classes(&self) -> &[String];

    /// Pairs of classes that a horizontal flip exchanges, such as left and right eye. Each class stands in one
    /// pair at most.
    fn swaps(&self) -> &[(u8, u8)];

    /// How each target follows a change of size or place. Unless a set says otherwise, the second target is the
    /// border of the first and all others are labels.
    fn maps(&self) -> [Map; T] {
        std::array::from_fn(|target| if target == 1 { Map::Border } else { Map::Labels })
    }

    /// True for a set without samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a target is carried over when its image is resized, turned or mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Map {
    /// Class indices: taken from the nearest pixel, left and right exchanged by a flip, [`VOID`] beyond the picture.
    Labels,
    /// The edge map of the first target: made anew from it ([`edge_map`](crate::edge_map)).
    Border,
    /// A 0/1 mask of its own, such as edges drawn by other means: 1 where any pixel under the new one is 1, 0 beyond
    /// the picture.
    Mask,
}

/// Which part of a set to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Fits the weights.
    Train,
    /// Chooses the best checkpoint.
    Val,
    /// Is scored once, at the end.
    Test,
}

impl Split {
    /// All splits, in the order of their use.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// Name in file names and on the command line: `train`, `val` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl<const T: usize, D: Dataset<T> + ?Sized> Dataset<T> for Arc<D> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn read(&self, index: usize) -> Result<Sample<T>, Error> {
        (**self).read(index)
    }

    fn id(&self, index: usize) -> String {
        (**self).id(index)
    }

    fn classes(&self) -> &[String] {
        (**self).classes()
    }

    fn swaps(&self) -> &[(u8, u8)] {
        (**self).swaps()
    }

    fn maps(&self) -> [Map; T] {
        (**self).maps()
    }
}
