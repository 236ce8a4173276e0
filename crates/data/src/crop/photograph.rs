//! Photographs with their label maps and annotations, as delivered.

use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, RgbImage};

use super::{Margins, read_box};
use crate::error::Error;
use crate::label::read_labels;
use crate::nia::{CLASSES, MAP_ENDING};
use crate::pairs::{PICTURES, strip_ending};
use crate::rgb::read_rgb;

/// A photograph, its label map and its annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photograph {
    /// Path of the files below the set's folder without their ending, its parts joined by `-`: the same file name
    /// occurs in many folders of the set.
    pub id: String,
    stem: PathBuf,
}

/// How the picture of a cut-out is brought to its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Each pixel is the nearest one of the photograph, as in the published preparation.
    Nearest,
    /// Filtered so that nothing aliases.
    Smooth,
}

/// Every annotation below a folder, in the order of their paths.
///
/// # Errors
/// A folder that cannot be listed, none with an annotation, or two whose joined paths are the same.
pub fn photographs(root: &Path) -> Result<Vec<Photograph>, Error> {
    let mut stems = Vec::new();
    walk(root, &mut stems)?;
    stems.sort();
    let id = |stem: &Path| {
        let below = stem.strip_prefix(root).unwrap_or(stem);
        below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("-")
    };
    let mut found: Vec<Photograph> =
        stems.into_iter().map(|stem| Photograph { id: id(&stem), stem }).collect();
    if found.is_empty() {
        return Err(Error::Empty {
            path: root.to_path_buf(),
            what: "the set of annotations (*.json)".into(),
        });
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some([a, b]) = found.array_windows().find(|[a, b]| a.id == b.id) {
        let place = format!("{} and {}", a.stem.display(), b.stem.display());
        return Err(Error::DuplicateId { path: root.to_path_buf(), id: a.id.clone(), place });
    }
    Ok(found)
}

fn walk(folder: &Path, stems: &mut Vec<PathBuf>) -> Result<(), Error> {
    let cannot = |e| Error::io(folder, "list the folder", e);
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Links to folders are not followed: they can lead in a circle.
        if entry.file_type().map_err(cannot)?.is_dir() {
            walk(&entry.path(), stems)?;
        } else if let Some(stem) = strip_ending(&name, ".json") {
            stems.push(folder.join(stem));
        }
    }
    Ok(())
}

impl Photograph {
    /// The file that says where the face is.
    #[must_use]
    pub fn annotation(&self) -> PathBuf {
        self.with(".json")
    }

    /// The face at `size` x `size` pixels, and its label map.
    ///
    /// # Errors
    /// What is wrong with which of the three files.
    pub fn cut(&self, margins: &Margins, size: u32, filter: Filter) -> Result<(RgbImage, GrayImage), Error> {
        let annotation = self.annotation();
        let window = margins.around(read_box(&annotation)?);
        let (image_path, labels_path) = (self.picture(), self.with(MAP_ENDING));
        let (image, labels) = (read_rgb(&image_path)?, read_labels(&labels_path, CLASSES.len())?);
        if image.dimensions() != labels.dimensions() {
            let (image_size, target_size) = (image.dimensions(), labels.dimensions());
            return Err(Error::SizeMismatch {
                image: image_path,
                image_size,
                target: labels_path,
                target_size,
            });
        }
        if !window.touches(image.dimensions()) {
            let (width, height) = image.dimensions();
            let reason = format!("its box lies outside the photograph of {width} x {height} pixels");
            return Err(Error::Annotation { path: annotation, reason });
        }
        let picture = match filter {
            Filter::Nearest => window.picture(&image, size),
            Filter::Smooth => window.smooth_picture(&image, size)?,
        };
        Ok((picture, window.labels(&labels, size)))
    }

    /// The picture beside the annotation; a PNG if there is none.
    fn picture(&self) -> PathBuf {
        let found = PICTURES.iter().map(|ending| self.with(ending)).find(|path| path.is_file());
        found.unwrap_or_else(|| self.with(".png"))
    }

    fn with(&self, ending: &str) -> PathBuf {
        let mut path = self.stem.clone().into_os_string();
        path.push(ending);
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{coloured, gray_png, put};
    use crate::write_rgb_png;
    use image::Luma;
    use tempfile::TempDir;

    fn set() -> TempDir {
        let folder = TempDir::new().unwrap();
        let labels = GrayImage::from_fn(40, 60, |x, y| Luma([u8::from((10..20).contains(&x) && y >= 20)]));
        for stem in ["0001/wild/a", "0001/selfie/a"] {
            let path = |ending: &str| folder.path().join(format!("{stem}{ending}"));
            put(&path(".grayscale.png"), gray_png(&labels));
            put(&path(".json"), r#"[{"box": {"x": 10, "y": 20, "w": 10, "h": 20}}, {"points": []}]"#);
            write_rgb_png(&path(".png"), &coloured(&labels)).unwrap();
        }
        folder
    }

    #[test]
    fn equal_names_in_many_folders_are_kept_apart() {
        let folder = set();
        let ids: Vec<_> = photographs(folder.path()).unwrap().into_iter().map(|found| found.id).collect();
        assert_eq!(ids, ["0001-selfie-a", "0001-wild-a"]);
        put(&folder.path().join("0001-wild/a.json"), "");
        assert!(matches!(photographs(folder.path()), Err(Error::DuplicateId { .. })));
        let empty = TempDir::new().unwrap();
        assert!(matches!(photographs(empty.path()), Err(Error::Empty { .. })));
    }

    #[test]
    fn picture_and_labels_are_cut_alike() {
        let folder = set();
        let photograph = photographs(folder.path()).unwrap().remove(0);
        // The window is 14 x 38 pixels at (8, 6).
        let (picture, labels) = photograph.cut(&Margins::NIA, 14 * 38, Filter::Nearest).unwrap();
        assert_eq!(picture, coloured(&labels));
        let first = labels.enumerate_pixels().find(|(_, _, label)| label[0] == 1).unwrap();
        assert_eq!((first.0, first.1), (2 * 38, 14 * 14));
        let (smooth, _) = photograph.cut(&Margins::NIA, 32, Filter::Smooth).unwrap();
        assert_eq!(smooth.dimensions(), (32, 32));
    }

    #[test]
    fn what_is_wrong_names_the_file() {
        let folder = set();
        let photograph = photographs(folder.path()).unwrap().remove(0);
        let error = || photograph.cut(&Margins::NIA, 8, Filter::Nearest).unwrap_err().to_string();
        put(&photograph.annotation(), r#"{"box": {"x": 500, "y": 20, "w": 10, "h": 20}}"#);
        assert!(
            error().contains("selfie/a.json: its box lies outside the photograph of 40 x 60"),
            "{}",
            error()
        );
        put(&photograph.annotation(), r#"{"box": {"x": 5, "y": 20, "w": 10, "h": 20}}"#);
        put(&photograph.with(MAP_ENDING), gray_png(&GrayImage::new(3, 3)));
        assert!(error().contains("selfie/a.grayscale.png is 3 x 3"), "{}", error());
        fs::remove_file(photograph.picture()).unwrap();
        assert!(error().contains("selfie/a.png: no such file"), "{}", error());
    }
}
