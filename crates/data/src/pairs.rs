//! A set of files on disk: an image, its label map and perhaps its edge map per id.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use image::{GrayImage, RgbImage};

use crate::classes::Classes;
use crate::dataset::{Dataset, Map, Sample};
use crate::edges::edge_map;
use crate::error::Error;
use crate::label::read_mask;
use crate::mask_values::{MaskValues, read_labels_as};
use crate::rgb::read_rgb;

/// Images with label maps and edge maps, read from files.
///
/// Opened by [`nia::open`](crate::nia::open) or [`folder::open`](crate::folder::open), which find the files and
/// report a missing one at once. Images are taken as stored: a label map lies over the stored pixels, whatever an
/// EXIF block says about how to show them.
#[derive(Debug, Clone)]
pub struct Pairs {
    pub(crate) files: Vec<Files>,
    pub(crate) classes: Classes,
    /// What the numbers of the label maps mean, where the set says so.
    pub(crate) mask_values: Option<MaskValues>,
    /// Whether the set has an edge folder: its files then stay masks, because they need not be label borders.
    pub(crate) edge_files: bool,
}

/// The files of one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) id: String,
    pub(crate) image: PathBuf,
    pub(crate) labels: PathBuf,
    /// Made from the labels when there is none.
    pub(crate) edges: Option<PathBuf>,
}

impl Dataset<2> for Pairs {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn read(&self, index: usize) -> Result<Sample<2>, Error> {
        let files = self.files.get(index).ok_or(Error::Index { index, len: self.files.len() })?;
        let image = read_rgb(&files.image)?;
        let same_size = |map, target| same_size((&image, &files.image), map, target);
        let labels = read_labels_as(&files.labels, self.classes.names.len(), self.mask_values)?;
        let labels = same_size(labels, &files.labels)?;
        let edges = match &files.edges {
            Some(path) => same_size(read_mask(path)?, path)?,
            None => edge_map(&labels),
        };
        Ok(Sample { image, targets: [labels, edges] })
    }

    fn id(&self, index: usize) -> String {
        self.files.get(index).map_or_else(|| format!("sample {index}"), |files| files.id.clone())
    }

    fn classes(&self) -> &[String] {
        &self.classes.names
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &self.classes.swaps
    }

    fn maps(&self) -> [Map; 2] {
        [Map::Labels, if self.edge_files { Map::Mask } else { Map::Border }]
    }
}

/// The map, if it is as large as the image; each comes with its file.
pub(crate) fn same_size(
    (image, image_path): (&RgbImage, &Path),
    map: GrayImage,
    path: &Path,
) -> Result<GrayImage, Error> {
    if map.dimensions() == image.dimensions() {
        return Ok(map);
    }
    Err(Error::SizeMismatch {
        image: image_path.to_path_buf(),
        image_size: image.dimensions(),
        target: path.to_path_buf(),
        target_size: map.dimensions(),
    })
}

/// The files of a folder whose name ends in one of `endings`, by the name before it.
///
/// Endings are matched without regard to case, and must include the dot. Other files are passed over.
///
/// # Errors
/// A missing folder, or two files of one stem.
pub(crate) fn stems(folder: &Path, role: &str, endings: &[&str]) -> Result<BTreeMap<String, PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::MissingFolder { path: folder.to_path_buf(), role: role.into() },
        _ => Error::io(folder, "list the folder", e),
    })?;
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io(folder, "list the folder", e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(stem) = endings.iter().find_map(|ending| strip_ending(&name, ending)) else { continue };
        if let Some(other) = found.insert(stem.to_string(), path) {
            let place = format!("{} and {name}", other.file_name().unwrap_or_default().to_string_lossy());
            return Err(Error::DuplicateId { path: folder.to_path_buf(), id: stem.into(), place });
        }
    }
    Ok(found)
}

/// The file of an id, or the error that names the one expected.
pub(crate) fn file_of(
    found: &BTreeMap<String, PathBuf>,
    id: &str,
    folder: &Path,
    ending: &str,
    role: &str,
) -> Result<PathBuf, Error> {
    let missing = || Error::MissingFile { path: folder.join(format!("{id}{ending}")), role: role.into() };
    found.get(id).cloned().ok_or_else(missing)
}

/// The part of a file name before its ending. Names that start with a dot are hidden files, not samples.
pub(crate) fn strip_ending<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(ending.len())?;
    let (stem, tail) = name.split_at_checked(at)?;
    (tail.eq_ignore_ascii_case(ending) && !stem.is_empty() && !stem.starts_with('.')).then_some(stem)
}

/// Endings of the pictures that [`read_rgb`] takes.
pub(crate) const PICTURES: [&str; 3] = [".jpg", ".jpeg", ".png"];

/// The ids of a list file, one a line; blank lines are passed over.
///
/// A line may also be a picture's name or path, alone or followed by its label map's
/// (`images/12.jpg labels/12.png`): the id is then the picture's stem.
///
/// # Errors
/// A missing file, no ids, an id that stands twice, or one that cannot be a file's name.
pub(crate) fn read_ids(path: &Path) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    let mut lines = HashMap::new();
    for (number, id) in numbered_ids(path)? {
        // Behind a folder's path, `/1` and `../1` would name a file outside of it.
        if Path::new(&id).file_name() != Some(OsStr::new(&id)) {
            let what = format!(
                "line {number}: '{id}' is no id; give a picture's name with its ending, or the stem alone"
            );
            return Err(Error::io(path, "read", std::io::Error::new(ErrorKind::InvalidData, what)));
        }
        if let Some(first) = lines.insert(id.clone(), number) {
            let place = format!("lines {first} and {number}");
            return Err(Error::DuplicateId { path: path.to_path_buf(), id, place });
        }
        ids.push(id);
    }
    if ids.is_empty() {
        return Err(Error::Empty { path: path.to_path_buf(), what: "the id list".into() });
    }
    Ok(ids)
}

/// The ids of a list file as they stand there, each with the number of its line, from 1.
///
/// # Errors
/// A missing file, or one that is no text.
pub(crate) fn numbered_ids(path: &Path) -> Result<Vec<(usize, String)>, Error> {
    let bytes = crate::files::read(path, "id list")?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::io(path, "read", std::io::Error::new(ErrorKind::InvalidData, "the list is not UTF-8 text"))
    })?;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    Ok(lines.filter_map(|(at, line)| Some((at + 1, id_of_line(line.trim())?.to_owned()))).collect())
}

/// The id that a line of a list stands for.
pub(crate) fn id_of_line(line: &str) -> Option<&str> {
    let picture = |field: &'_ str| PICTURES.iter().any(|ending| strip_ending(field, ending).is_some());
    let first = line.split_whitespace().next()?;
    let name = if picture(first) { first.rsplit('/').next()? } else { line };
    Some(PICTURES.iter().find_map(|ending| strip_ending(name, ending)).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_names_paths_and_pairs() {
        for (line, id) in [
            ("12", Some("12")),
            ("a b", Some("a b")),
            ("12.JPG", Some("12")),
            ("images/12.jpg labels/12.png", Some("12")),
            ("", None),
        ] {
            assert_eq!(id_of_line(line), id);
        }
    }

    #[test]
    fn lists_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train_id.txt");
        let ids = |text: &str| {
            fs::write(&path, text).unwrap();
            read_ids(&path).map_err(|e| e.to_string())
        };
        assert_eq!(ids("\u{feff}3\r\n\r\n 1 \n2").unwrap(), ["3", "1", "2"]);
        assert!(ids("\n \n").unwrap_err().contains("train_id.txt: the id list is empty"));
        assert!(ids("a\nb\n\na").unwrap_err().contains("id 'a' occurs twice (lines 1 and 4)"));
        for id in ["/2", "../2", "images/2", "..", "a/"] {
            let error = ids(&format!("1\n{id}\n")).unwrap_err();
            assert!(error.contains("train_id.txt") && error.contains(&format!("line 2: '{id}'")), "{error}");
        }
        fs::write(&path, [0xff, 0xfe, 0x31]).unwrap();
        assert!(read_ids(&path).unwrap_err().to_string().contains("not UTF-8"));
    }

    #[test]
    fn stems_skip_hidden_and_foreign_files_and_reject_twins() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1.PNG", "2.jpeg", ".3.png", "notes.txt", ".png", "é.jpg"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = stems(folder.path(), "images", &PICTURES).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["1", "2", "é"]);
        fs::write(folder.path().join("1.jpg"), "").unwrap();
        let error = stems(folder.path(), "images", &PICTURES).unwrap_err().to_string();
        assert!(error.contains("id '1' occurs twice"), "{error}");
        let missing = stems(&folder.path().join("none"), "images", &PICTURES).unwrap_err().to_string();
        assert!(missing.contains("none: no such folder (images)"), "{missing}");
    }
}
