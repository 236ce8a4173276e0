//! What can be wrong with data: one error type that names the file, and for labels the pixel and the value.

use std::path::{Path, PathBuf};

/// A fault in a data file, a folder or a data setting. Each message says which file, what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A folder that the layout needs is not there.
    #[error("{}: no such folder ({role}); create it or correct the path in the config", path.display())]
    MissingFolder {
        /// Where it should be.
        path: PathBuf,
        /// What it would hold.
        role: String,
    },
    /// A file that the layout needs is not there.
    #[error("{}: no such file ({role}); add it or take its id out of the set", path.display())]
    MissingFile {
        /// Where it should be.
        path: PathBuf,
        /// What it would hold.
        role: String,
    },
    /// A list, folder or split without samples.
    #[error("{}: {what} is empty; it needs at least one entry", path.display())]
    Empty {
        /// The list or folder.
        path: PathBuf,
        /// What has no entries.
        what: String,
    },
    /// An id that stands twice in a list, or in two splits, or two files of one stem.
    #[error("{}: id '{id}' occurs twice ({place}); keep one of them", path.display())]
    DuplicateId {
        /// The list or folder.
        path: PathBuf,
        /// The repeated id.
        id: String,
        /// Where both occurrences are.
        place: String,
    },
    /// A folder that would be written over.
    #[error("{}: exists already; remove it or choose another folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The operating system refused to read or write.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, such as `read` or `create the folder`.
        action: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// An image or label file whose content is not what its format says.
    #[error("{}: cannot read the image: {reason}; the file is damaged or of another format, replace it", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        reason: String,
    },
    /// A file that declares more pixels than the limit; nothing was allocated for it.
    #[error("{}: declares {width} x {height} pixels (width x height), more than the limit of {limit} pixels; scale the picture down", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Declared width in pixels.
        width: u32,
        /// Declared height in pixels.
        height: u32,
        /// Most pixels allowed.
        limit: u64,
    },
    /// A label file that holds colours instead of indices.
    #[error("{}: is {found}, but a label map must be a gray or palette PNG whose pixel values are class indices; convert it first", path.display())]
    LabelFormat {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: String,
    },
    /// A label that is neither a class nor [`VOID`](crate::VOID).
    #[error("{}: label {value} at row {row}, column {column} is not a class: the set has {classes} classes (0..={}) and 255 for void; correct the file or the class list", path.display(), classes.saturating_sub(1))]
    LabelRange {
        /// The file.
        path: PathBuf,
        /// Row of the first such pixel, from 0 at the top.
        row: u32,
        /// Column of the first such pixel, from 0 at the left.
        column: u32,
        /// The value found; 16-bit files can hold more than 255.
        value: u16,
        /// Number of classes of the set.
        classes: usize,
    },
    /// A map that should be black and white and is not.
    #[error("{}: value {value} at row {row}, column {column} is neither 0 nor 255, as mask-values = \"0-255\" says; redraw the mask in black and white, or take mask-values out of the config if its values are class indices", path.display())]
    MaskValue {
        /// The file.
        path: PathBuf,
        /// Row of the first such pixel, from 0 at the top.
        row: u32,
        /// Column of the first such pixel, from 0 at the left.
        column: u32,
        /// The value found.
        value: u16,
    },
    /// A map of a set with two classes that is black and white, so that its second class may be stored as void.
    #[error("{}: holds 0 and 255 alone (255 first at row {row}, column {column}), and 255 is void; set mask-values = \"0-255\" in [data.folder] if it means the second class, or mask-values = \"index\" if it means void", path.display())]
    AmbiguousMask {
        /// The file.
        path: PathBuf,
        /// Row of the first pixel of 255, from 0 at the top.
        row: u32,
        /// Its column, from 0 at the left.
        column: u32,
    },
    /// A mask of a thing and its background that holds a third value.
    #[error("{}: value {value} at row {row}, column {column} is neither background nor foreground: a mask holds 0 and 1 alone, or 0 and 255; redraw it in black and white", path.display())]
    NotBinary {
        /// The file.
        path: PathBuf,
        /// Row of the first such pixel, from 0 at the top.
        row: u32,
        /// Column of the first such pixel, from 0 at the left.
        column: u32,
        /// The value found.
        value: u16,
    },
    /// A file of a set of numbered frames whose name has no number.
    #[error("{}: its name holds no frame number from 1 to {last}, such as Frame00123; rename the file or take it out", path.display())]
    FrameName {
        /// The file.
        path: PathBuf,
        /// The highest number.
        last: u32,
    },
    /// An annotation that does not say where the face is.
    #[error("{}: {reason}; correct the annotation or take the photograph out", path.display())]
    Annotation {
        /// The JSON file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A part of the picture that cannot be found there.
    #[error("part '{part}': {reason}; correct its region, or take the picture out")]
    Part {
        /// The part's name.
        part: String,
        /// What is wrong.
        reason: String,
    },
    /// An image and a map of different size.
    #[error("{}: is {} x {} pixels (width x height), but {} is {} x {}; both must have one size", image.display(), image_size.0, image_size.1, target.display(), target_size.0, target_size.1)]
    SizeMismatch {
        /// The image file.
        image: PathBuf,
        /// Its width and height in pixels.
        image_size: (u32, u32),
        /// The label or edge file.
        target: PathBuf,
        /// Its width and height in pixels.
        target_size: (u32, u32),
    },
    /// A class name that the set does not have.
    #[error("unknown class '{name}' in {place}; the classes are {}", allowed.join(", "))]
    UnknownClass {
        /// The name.
        name: String,
        /// The setting that holds it.
        place: &'static str,
        /// The names of the set, in label order.
        allowed: Vec<String>,
    },
    /// A setting that cannot work; the message names the key and the allowed values.
    #[error("{key}: {reason}")]
    Config {
        /// The key, such as `augment.flip`.
        key: &'static str,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A sample index beyond the last.
    #[error("sample {index} does not exist: the set has {len} samples")]
    Index {
        /// The index asked for.
        index: usize,
        /// Number of samples.
        len: usize,
    },
    /// Preparing a sample panicked, which is a fault of the program and not of the data.
    #[error("preparing sample '{id}' failed inside the program: {reason}")]
    Panicked {
        /// The sample's id.
        id: String,
        /// The panic's message.
        reason: String,
    },
    /// A loader thread could not be started or ended without a word.
    #[error("the loader: {reason}")]
    Loader {
        /// What happened.
        reason: String,
    },
    /// Making the batch's tensors failed.
    #[error("making the tensors of a batch: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    /// An operating-system error with its path.
    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), action, source }
    }

    /// A decoder's complaint about a file.
    pub(crate) fn image(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Image { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
