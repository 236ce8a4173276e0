//! What can be wrong with a set, as a list of findings rather than one error.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::dataset::Split;
use crate::error::Error;

/// One thing that is wrong with a set. Rows and columns count from 0 at the top left, sizes are width and height in
/// pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Defect {
    /// A folder or list that the layout needs is not there, or holds nothing.
    Layout {
        /// The folder or list.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An image without its map, a map without its image, or a listed id without files.
    MissingPair {
        /// The file that is not there.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// What it would hold.
        role: &'static str,
        /// The file that asks for it: its counterpart, or the list that names the id.
        #[serde(serialize_with = "text")]
        because_of: PathBuf,
    },
    /// An id that stands twice in a list, in two lists, or is the stem of two files.
    DuplicateId {
        /// The list or folder.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// The repeated id.
        id: String,
        /// Where both are.
        place: String,
    },
    /// A file that is cut off, damaged, or of no format that is read here.
    Unreadable {
        /// The file.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// The decoder's or the system's reason.
        reason: String,
    },
    /// A file whose header declares more pixels than the limit.
    TooLarge {
        /// The file.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// Declared size.
        size: (u32, u32),
        /// Most pixels allowed.
        limit: u64,
    },
    /// A map with colours, or a JPEG, where an index PNG belongs.
    NoIndexMap {
        /// The file.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// The format found.
        found: String,
    },
    /// A mask of a thing and its background that holds a third value.
    NotBinary {
        /// The mask.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// Row of the first pixel of another value.
        row: u32,
        /// Column of that pixel.
        column: u32,
        /// Its value.
        value: u16,
    },
    /// A file of a set of numbered frames whose name has no number.
    FrameName {
        /// The file.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// The highest number.
        last: u32,
    },
    /// A map of another size than its image.
    SizeMismatch {
        /// The map.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// The map's size.
        size: (u32, u32),
        /// The image.
        #[serde(serialize_with = "text")]
        image: PathBuf,
        /// The image's size.
        image_size: (u32, u32),
    },
    /// Pixels whose label is neither a class nor void.
    LabelRange {
        /// The label map.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// Row of the first such pixel.
        row: u32,
        /// Column of the first such pixel.
        column: u32,
        /// Its value; a 16-bit file can hold more than 255.
        value: u16,
        /// Number of such pixels.
        count: u64,
        /// Number of classes of the set.
        classes: usize,
    },
    /// An edge map that is not the border of its label map.
    WrongEdges {
        /// The edge map.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// Row of the first pixel that differs.
        row: u32,
        /// Column of the first pixel that differs.
        column: u32,
        /// The value found there; any number but 0 is an edge.
        value: u16,
        /// Number of pixels that differ.
        count: u64,
    },
    /// One picture that is there twice, in two splits where the set has splits.
    SameImage {
        /// The later one.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// Its split.
        #[serde(serialize_with = "split_name")]
        split: Option<Split>,
        /// The earlier one.
        #[serde(serialize_with = "text")]
        other: PathBuf,
        /// The split of that.
        #[serde(serialize_with = "split_name")]
        other_split: Option<Split>,
    },
    /// A class that no pixel of the whole set has.
    EmptyClass {
        /// The set's folder.
        #[serde(serialize_with = "text")]
        file: PathBuf,
        /// The label.
        label: usize,
        /// The class.
        name: String,
    },
}

impl Defect {
    /// The file or folder at fault.
    #[must_use]
    pub fn file(&self) -> &Path {
        match self {
            Self::Layout { file, .. }
            | Self::MissingPair { file, .. }
            | Self::DuplicateId { file, .. }
            | Self::Unreadable { file, .. }
            | Self::TooLarge { file, .. }
            | Self::NoIndexMap { file, .. }
            | Self::NotBinary { file, .. }
            | Self::FrameName { file, .. }
            | Self::SizeMismatch { file, .. }
            | Self::LabelRange { file, .. }
            | Self::WrongEdges { file, .. }
            | Self::SameImage { file, .. }
            | Self::EmptyClass { file, .. } => file,
        }
    }

    /// The kind in a few words, and what to do about it.
    #[must_use]
    pub fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Layout { .. } => {
                ("missing or empty folder or list", "create it, or name another in the config")
            }
            Self::MissingPair { .. } => ("missing pair", "add the file, or take out its counterpart or id"),
            Self::DuplicateId { .. } => ("duplicate id", "keep one of the two"),
            Self::Unreadable { .. } => ("unreadable file", "replace it with a whole copy"),
            Self::TooLarge { .. } => ("too many pixels", "scale the picture down"),
            Self::NoIndexMap { .. } => {
                ("no index map", "convert it to a gray or palette PNG whose values are class indices")
            }
            Self::NotBinary { .. } => {
                ("mask not binary", "a mask holds 0 and 1 alone, or 0 and 255; redraw it in black and white")
            }
            Self::FrameName { .. } => {
                ("name without a frame number", "rename the file like Frame00123, or take it out")
            }
            Self::SizeMismatch { .. } => ("size mismatch", "image and map must have one size"),
            Self::LabelRange { .. } => ("label out of range", "correct the file or the class list"),
            Self::WrongEdges { .. } => (
                "wrong edge map",
                "write it anew (`data edges`), or say --any-edges if it was made by other means",
            ),
            Self::SameImage { .. } => {
                ("same picture twice", "keep it in one split only, or scores are flattered")
            }
            Self::EmptyClass { .. } => ("empty class", "a class without pixels cannot be learned or scored"),
        }
    }

    /// What is wrong, without the file's name; other files are shown by `show`.
    #[must_use]
    pub fn what(&self, show: impl Fn(&Path) -> String) -> String {
        match self {
            Self::Layout { reason, .. } | Self::Unreadable { reason, .. } => reason.clone(),
            Self::MissingPair { role, because_of, .. } => {
                format!("no such file ({role}), but there is {}", show(because_of))
            }
            Self::DuplicateId { id, place, .. } => format!("id '{id}' occurs twice: {place}"),
            Self::TooLarge { size: (width, height), limit, .. } => {
                format!("declares {width} x {height} pixels, the limit is {limit} pixels")
            }
            Self::NoIndexMap { found, .. } => format!("is {found}"),
            Self::NotBinary { row, column, value, .. } => {
                format!("value {value} at row {row}, column {column} is neither background nor foreground")
            }
            Self::FrameName { last, .. } => format!("its name holds no frame number from 1 to {last}"),
            Self::SizeMismatch { size, image, image_size, .. } => {
                format!(
                    "is {} x {}, but {} is {} x {}",
                    size.0,
                    size.1,
                    show(image),
                    image_size.0,
                    image_size.1
                )
            }
            Self::LabelRange { row, column, value, count, classes, .. } => format!(
                "label {value} at row {row}, column {column} is not a class (0..={}, 255 is void){}",
                classes.saturating_sub(1),
                and_more(*count)
            ),
            Self::WrongEdges { row, column, value, count, .. } => {
                let (is, should) = if *value == 0 { ("none", "an edge") } else { ("an edge", "none") };
                format!(
                    "value {value} at row {row}, column {column} is {is}, the labels have {should} there{}",
                    and_more(*count)
                )
            }
            Self::SameImage { split, other, other_split, .. } => {
                let of = |split: &Option<Split>| split.map_or(String::new(), |split| format!(" ({split})"));
                format!("is the same picture{} as {}{}", of(split), show(other), of(other_split))
            }
            Self::EmptyClass { label, name, .. } => {
                format!("no pixel of class {label} '{name}' in any label map")
            }
        }
    }
}

/// The message of a single defect: file, place and value.
impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file().display(), self.what(|path| path.display().to_string()))
    }
}

/// What reading one file reports.
impl From<Error> for Defect {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLarge { path, width, height, limit } => {
                Self::TooLarge { file: path, size: (width, height), limit }
            }
            Error::LabelFormat { path, found } => Self::NoIndexMap { file: path, found },
            Error::MaskValue { path, row, column, value } => {
                let found = format!("no mask of 0 and 255: it holds {value} at row {row}, column {column}");
                Self::NoIndexMap { file: path, found }
            }
            Error::AmbiguousMask { path, row, column } => {
                let found = format!(
                    "a mask of 0 and 255 alone (255 first at row {row}, column {column}), and 255 is void; \
                     mask-values in [data.folder] says what it means"
                );
                Self::NoIndexMap { file: path, found }
            }
            Error::NotBinary { path, row, column, value } => {
                Self::NotBinary { file: path, row, column, value }
            }
            Error::FrameName { path, last } => Self::FrameName { file: path, last },
            Error::Image { path, reason } => Self::Unreadable { file: path, reason },
            Error::Io { path, action, source } => {
                Self::Unreadable { file: path, reason: format!("cannot {action}: {source}") }
            }
            Error::MissingFile { path, role } => {
                Self::Layout { file: path, reason: format!("no such file ({role})") }
            }
            Error::MissingFolder { path, role } => {
                Self::Layout { file: path, reason: format!("no such folder ({role})") }
            }
            Error::Empty { path, what } => Self::Layout { file: path, reason: format!("{what} is empty") },
            Error::DuplicateId { path, id, place } => Self::DuplicateId { file: path, id, place },
            other => Self::Unreadable { file: PathBuf::new(), reason: other.to_string() },
        }
    }
}

fn and_more(count: u64) -> String {
    match count {
        0 | 1 => String::new(),
        2 => "; 1 more such pixel".into(),
        _ => format!("; {} more such pixels", count - 1),
    }
}

/// A path as text, whatever bytes it is made of.
fn text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn split_name<S: Serializer>(split: &Option<Split>, serializer: S) -> Result<S::Ok, S::Error> {
    split.map(Split::name).serialize(serializer)
}
