//! The files of Figaro-1k, paired by the number of their frame.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{PER_STYLE, STYLES};
use crate::error::Error;
use crate::pairs::{PICTURES, stems};

/// One of the two halves in which the set comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Training,
    Testing,
}

impl Half {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Testing => "Testing",
        }
    }
}

/// An image and its mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    number: u32,
    pub(super) image: PathBuf,
    pub(super) mask: PathBuf,
}

impl Frame {
    /// In the names of its files.
    pub(super) fn id(&self) -> String {
        id_of(self.number)
    }

    /// Its place in [`STYLES`].
    pub(super) fn style(&self) -> usize {
        style_of(self.number)
    }
}

/// The name of a frame by its number.
pub(crate) fn id_of(number: u32) -> String {
    format!("Frame{number:05}")
}

/// The place in [`STYLES`] of a frame's style.
pub(crate) fn style_of(number: u32) -> usize {
    ((number - 1) / PER_STYLE) as usize
}

/// The frames of a half by number, and what was passed over.
pub(super) fn read(root: &Path, half: Half) -> Result<(Vec<Frame>, Vec<String>), Error> {
    let images = images(root, half)?;
    let masks = Found::list(root.join("GT").join(half.name()), "masks", &MASKS)?;
    if images.by_number.is_empty() && masks.by_number.is_empty() {
        return Err(Error::Empty { path: images.folder, what: "the image folder".into() });
    }
    if let Some(number) = masks.by_number.keys().find(|number| !images.by_number.contains_key(*number)) {
        return Err(images.lacks(*number, "-org.jpg", "image of a mask"));
    }
    let frame = |(&number, image): (&u32, &PathBuf)| {
        let mask = masks.by_number.get(&number).cloned();
        let mask = mask.ok_or_else(|| masks.lacks(number, "-gt.{pbm,png}", "mask of an image"))?;
        Ok(Frame { number, image: image.clone(), mask })
    };
    let frames = images.by_number.iter().map(frame).collect::<Result<_, Error>>()?;
    Ok((frames, [images.notices, masks.notices].concat()))
}

/// No frame may lie in the other half too, where there is one: its score would be that of an image trained on.
pub(super) fn check_apart(root: &Path, frames: &[Frame], half: Half) -> Result<(), Error> {
    let other = if half == Half::Training { Half::Testing } else { Half::Training };
    if !root.join("Original").join(other.name()).is_dir() {
        return Ok(());
    }
    let others = images(root, other)?.by_number;
    match frames.iter().find_map(|frame| Some((frame, others.get(&frame.number)?))) {
        None => Ok(()),
        Some((frame, twin)) => Err(Error::DuplicateId {
            path: root.to_path_buf(),
            id: frame.id(),
            place: format!("{} and {}", frame.image.display(), twin.display()),
        }),
    }
}

fn images(root: &Path, half: Half) -> Result<Found, Error> {
    Found::list(root.join("Original").join(half.name()), "images", &PICTURES)
}

/// Endings of masks.
pub(crate) const MASKS: [&str; 2] = [".pbm", ".png"];

/// The files of a folder.
struct Found {
    folder: PathBuf,
    by_number: BTreeMap<u32, PathBuf>,
    notices: Vec<String>,
}

impl Found {
    fn list(folder: PathBuf, role: &str, endings: &[&str]) -> Result<Self, Error> {
        let (mut by_number, mut notices) = (BTreeMap::new(), Vec::new());
        for (stem, path) in stems(&folder, role, endings)? {
            let Some(number) = frame_number(&path, &stem)? else {
                notices.push(copy_notice(&path));
                continue;
            };
            if let Some(other) = by_number.insert(number, path.clone()) {
                let place =
                    [&other, &path].map(|path| path.file_name().unwrap_or_default().to_string_lossy());
                let (id, place) = (format!("frame {number}"), place.join(" and "));
                return Err(Error::DuplicateId { path: folder, id, place });
            }
        }
        Ok(Self { folder, by_number, notices })
    }

    fn lacks(&self, number: u32, ending: &str, role: &str) -> Error {
        Error::MissingFile { path: self.folder.join(format!("Frame{number:05}{ending}")), role: role.into() }
    }
}

/// The frame's number in a file's name; none for a stray copy.
///
/// # Errors
/// [`Error::FrameName`].
pub(crate) fn frame_number(path: &Path, stem: &str) -> Result<Option<u32>, Error> {
    if is_copy(stem) {
        return Ok(None);
    }
    let last = STYLES.len() as u32 * PER_STYLE;
    let number = number(stem).filter(|number| (1..=last).contains(number));
    number.map(Some).ok_or_else(|| Error::FrameName { path: path.to_path_buf(), last })
}

/// What is told of a stray copy.
pub(crate) fn copy_notice(path: &Path) -> String {
    format!("{}: passed over, a copy by its name", path.display())
}

/// `Frame00123-gt(1)` and `Frame00123-gt (2)`, as file managers name a second copy.
fn is_copy(stem: &str) -> bool {
    let number = stem.strip_suffix(')').and_then(|stem| stem.rsplit_once('('));
    number.is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// 123 of `Frame00123-org`.
fn number(stem: &str) -> Option<u32> {
    let rest = stem.get(..5).filter(|word| word.eq_ignore_ascii_case("frame")).and(stem.get(5..))?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_copies_are_told_by_name() {
        for (stem, want) in [
            ("Frame00123-org", Some(123)),
            ("frame7", Some(7)),
            ("Frame-org", None),
            ("123", None),
            ("Främe1", None),
        ] {
            assert_eq!(number(stem), want, "{stem}");
        }
        assert!(is_copy("Frame00123-gt(1)") && is_copy("Frame00123-gt (12)"));
        assert!(!is_copy("Frame00123-gt") && !is_copy("Frame(1)-gt") && !is_copy("Frame1()"));
    }
}
