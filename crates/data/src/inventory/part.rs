//! One folder of images with its folder of label maps and perhaps of edge maps.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Item;
use crate::dataset::Split;
use crate::defect::Defect;
use crate::error::Error;
use crate::pairs::{PICTURES, strip_ending};

/// Endings of maps, the preferred ones first. A JPEG is no map, and a MATLAB file only in VOC's layout,
/// but they are found here so that they are named as such.
pub(super) const MAPS: [&[&str]; 5] = [
    &[crate::nia::MAP_ENDING],
    &[".png"],
    &[".mat"],
    &[".grayscale.jpg", ".grayscale.jpeg"],
    &[".jpg", ".jpeg"],
];

/// The files of three folders by id.
pub(super) struct Part {
    images: Files,
    labels: Files,
    edges: Option<Files>,
    /// Whether every id needs an edge map.
    pub(super) needs_edges: bool,
}

/// An id that a list names, and what became of it.
pub(super) struct Listed<'a> {
    pub(super) id: &'a str,
    pub(super) split: Option<Split>,
    /// The list, unless the id was found in the folders alone.
    pub(super) list: Option<&'a Path>,
}

impl Part {
    /// Lists the folders. One that is missing is a defect, and what it lacks is then not told file by file.
    pub(super) fn scan(
        [images, labels, edges]: [Option<PathBuf>; 3],
        map_ending: &'static str,
        defects: &mut Vec<Defect>,
    ) -> Self {
        let pictures: [&[&str]; 1] = [&PICTURES];
        let mut files = |folder: Option<PathBuf>, role, endings: &[&[&str]], ending| {
            folder.map(|folder| Files::scan(folder, role, endings, ending, defects))
        };
        let none = || Files { folder: PathBuf::new(), found: None, role: "image", ending: "" };
        Self {
            images: files(images, "image", &pictures, ".{jpg,jpeg,png}").unwrap_or_else(none),
            labels: files(labels, "label map", &MAPS, map_ending).unwrap_or_else(none),
            edges: files(edges, "edge map", &MAPS, map_ending),
            needs_edges: false,
        }
    }

    /// The same images with the label maps of another folder.
    pub(super) fn with_labels(
        &self,
        folder: PathBuf,
        map_ending: &'static str,
        defects: &mut Vec<Defect>,
    ) -> Self {
        let labels = Files::scan(folder, "label map", &MAPS, map_ending, defects);
        Self { images: self.images.clone(), labels, edges: None, needs_edges: false }
    }

    /// The files of these ids alone.
    pub(super) fn of_ids(mut self, ids: &HashSet<String>) -> Self {
        for found in [&mut self.images.found, &mut self.labels.found].into_iter().flatten() {
            found.retain(|id, _| ids.contains(id));
        }
        self
    }

    /// Every id that any of the folders holds, by name.
    pub(super) fn ids(&self) -> BTreeSet<&str> {
        let all = [Some(&self.images), Some(&self.labels), self.edges.as_ref()];
        all.into_iter()
            .flatten()
            .filter_map(|files| files.found.as_ref())
            .flat_map(BTreeMap::keys)
            .map(String::as_str)
            .collect()
    }

    /// The images by id, none if their folder is missing.
    pub(super) fn images(&self) -> BTreeMap<String, PathBuf> {
        self.images.found.clone().unwrap_or_default()
    }

    /// The item of an id, or the defects that keep it from being one.
    pub(super) fn item(&self, listed: &Listed, defects: &mut Vec<Defect>) -> Option<Item> {
        let Listed { id, split, list } = listed;
        let (image, labels) = (self.images.get(id), self.labels.get(id));
        let edges = self.edges.as_ref().and_then(|files| files.get(id));
        let because_of = image.or(labels).or(edges).map(PathBuf::as_path).or(*list)?;
        let mut missing = |files: &Files| {
            if files.found.is_some() {
                let file = files.folder.join(format!("{id}{}", files.ending));
                defects.push(Defect::MissingPair {
                    file,
                    role: files.role,
                    because_of: because_of.to_path_buf(),
                });
            }
        };
        if image.is_none() {
            missing(&self.images);
        }
        if labels.is_none() {
            missing(&self.labels);
        }
        if let (None, true, Some(files)) = (edges, self.needs_edges, &self.edges) {
            missing(files);
        }
        let (image, labels) = (image?.clone(), labels?.clone());
        Some(Item { id: (*id).to_owned(), split: *split, image, labels, edges: edges.cloned() })
    }
}

/// The files of one folder by id.
#[derive(Clone)]
struct Files {
    folder: PathBuf,
    /// None when the folder is not there.
    found: Option<BTreeMap<String, PathBuf>>,
    role: &'static str,
    /// What a missing file's name would end in.
    ending: &'static str,
}

impl Files {
    fn scan(
        folder: PathBuf,
        role: &'static str,
        endings: &[&[&str]],
        ending: &'static str,
        defects: &mut Vec<Defect>,
    ) -> Self {
        let found = match names(&folder) {
            Ok(names) => Some(by_id(&folder, &names, endings, defects)),
            Err(reason) => {
                defects.push(Defect::Layout { file: folder.clone(), reason: format!("{reason} ({role}s)") });
                None
            }
        };
        Self { folder, found, role, ending }
    }

    fn get(&self, id: &str) -> Option<&PathBuf> {
        self.found.as_ref()?.get(id)
    }
}

/// The file names of a folder, sorted.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, String> {
    if !folder.is_dir() {
        return Err("no such folder".into());
    }
    let cannot = |e: std::io::Error| format!("cannot list the folder: {e}");
    let entries = fs::read_dir(folder).map_err(cannot)?;
    let names = entries.map(|entry| Ok(entry.map_err(cannot)?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<String>, String>>()?;
    names.sort();
    Ok(names)
}

/// Files by the stem before the first ending that fits. Of two files of one stem the one of the earlier group counts;
/// two of one group are a defect.
fn by_id(
    folder: &Path,
    names: &[String],
    endings: &[&[&str]],
    defects: &mut Vec<Defect>,
) -> BTreeMap<String, PathBuf> {
    let mut found: BTreeMap<String, (usize, &String)> = BTreeMap::new();
    for name in names {
        // The longest ending wins: `1.grayscale.png` is no `1.grayscale`.
        let fits = endings
            .iter()
            .enumerate()
            .flat_map(|(rank, group)| group.iter().map(move |ending| (rank, *ending)));
        let stems = fits.filter_map(|(rank, ending)| Some((rank, strip_ending(name, ending)?)));
        let Some((rank, stem)) = stems.min_by_key(|(_, stem)| stem.len()) else { continue };
        match found.get(stem) {
            Some((other_rank, other)) if *other_rank == rank => {
                let place = format!("{other} and {name}");
                defects.push(Defect::DuplicateId { file: folder.to_path_buf(), id: stem.into(), place });
            }
            Some((other_rank, _)) if *other_rank < rank => (),
            _ => {
                found.insert(stem.to_owned(), (rank, name));
            }
        }
    }
    found.into_iter().map(|(id, (_, name))| (id, folder.join(name))).collect()
}

/// The ids of a list, every line that repeats one told; none when the list cannot be read.
pub(super) fn list(path: &Path, defects: &mut Vec<Defect>) -> Option<Vec<String>> {
    match crate::pairs::numbered_ids(path) {
        Ok(lines) if lines.is_empty() => {
            defects.push(Error::Empty { path: path.to_path_buf(), what: "the id list".into() }.into());
            None
        }
        Ok(lines) => {
            let mut first: BTreeMap<String, usize> = BTreeMap::new();
            let mut ids = Vec::new();
            for (number, id) in lines {
                if let Some(earlier) = first.get(&id) {
                    let place = format!("lines {earlier} and {number}");
                    defects.push(Defect::DuplicateId { file: path.to_path_buf(), id, place });
                } else {
                    first.insert(id.clone(), number);
                    ids.push(id);
                }
            }
            Some(ids)
        }
        Err(error) => {
            defects.push(error.into());
            None
        }
    }
}
