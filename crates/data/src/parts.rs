//! Parts of a picture, each for a network of its own: where they lie in every picture, and the set of their crops.
//!
//! The original partitioned wrinkle model trained one network for each part of the face and merged their maps; which parts,
//! and how they were cut, is not published. Here a part's [`Region`] is a fixed share of the picture, or the box of some
//! classes of a label map or of some landmarks.

mod area;
mod crops;

pub use area::Area;
pub use crops::Crops;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::files;
use crate::label::read_labels;

/// One part: `[[parts]]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Part {
    /// Its name, also that of its folder.
    pub name: String,
    /// Rows and columns in pixels at which its network sees it.
    pub size: [usize; 2],
    /// Where it lies.
    pub region: Region,
}

/// Where a part lies: one of `[parts.region.fractions]`, `[parts.region.labels]` and `[parts.region.landmarks]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Region {
    /// The same share of every picture.
    Fractions(Fractions),
    /// Around some classes of the picture's label map.
    Labels(Labels),
    /// Around some landmarks.
    Landmarks(Landmarks),
}

/// Shares of the picture's height and width, 0..=1, from and to.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fractions {
    /// Of the height, from the top.
    pub rows: [f64; 2],
    /// Of the width, from the left.
    pub columns: [f64; 2],
}

/// The box of all pixels of some classes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Folder of the label maps, `<id>.png`, each of its picture's size.
    pub folder: PathBuf,
    /// The classes' indices.
    pub classes: Vec<u8>,
    /// Added on every side, in the box's longer sides. What lies beyond the picture is left out.
    pub margin: f64,
}

/// The box of some points.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landmarks {
    /// A JSON object with a list of points `[x, y]`, in pixels, for every id.
    pub file: PathBuf,
    /// Places in the list, from 0.
    pub points: Vec<usize>,
    /// Added on every side, in the box's longer sides. What lies beyond the picture is left out.
    pub margin: f64,
}

/// A part that can be found in any picture of a set.
#[derive(Debug, Clone)]
pub struct Finder {
    part: Part,
    /// Of every id; empty unless the region needs them.
    landmarks: HashMap<String, Vec<[f64; 2]>>,
}

impl Finder {
    /// Checks the part's numbers and reads its landmarks, if it has any.
    ///
    /// # Errors
    /// [`Error::Part`] for a box outside of the picture, an empty one, or no classes or points; a landmarks file that is missing
    /// or not of the form.
    pub fn new(part: &Part) -> Result<Self, Error> {
        let wrong = |reason: String| Err(Error::Part { part: part.name.clone(), reason });
        let named = !part.name.is_empty() && part.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !named {
            return wrong("its name must be letters, digits and hyphens, it is that of a folder".into());
        }
        if part.size.contains(&0) {
            return wrong(format!("its size is {} x {} pixels (rows x columns)", part.size[0], part.size[1]));
        }
        let mut landmarks = HashMap::new();
        match &part.region {
            Region::Fractions(Fractions { rows, columns }) => {
                let inside = |[from, to]: &[f64; 2]| 0.0 <= *from && from < to && *to <= 1.0;
                if !inside(rows) || !inside(columns) {
                    return wrong(format!(
                        "its box, rows {rows:?} and columns {columns:?}, lies outside of the picture or is empty; both are shares from \
                         0 to 1"
                    ));
                }
            }
            Region::Labels(Labels { classes, margin, .. }) => check(part, "classes", classes.len(), *margin)?,
            Region::Landmarks(Landmarks { file, points, margin }) => {
                check(part, "points", points.len(), *margin)?;
                landmarks = read_landmarks(file)?;
            }
        }
        Ok(Self { part: part.clone(), landmarks })
    }

    /// The part as configured.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// Where the part lies in a picture of `size` (width, height).
    ///
    /// # Errors
    /// [`Error::Part`], with the picture's id, when the part is not in the picture; a label map that is missing, unreadable or of
    /// another size.
    pub fn find(&self, id: &str, size: (u32, u32)) -> Result<Area, Error> {
        let found = match &self.part.region {
            Region::Fractions(Fractions { rows, columns }) => {
                let scaled = |[from, to]: [f64; 2], length: u32| [from, to].map(|f| f * f64::from(length));
                Area::around(scaled(*columns, size.0), scaled(*rows, size.1), 0.0, size)
            }
            Region::Labels(labels) => labels.area(id, size, |reason| self.not_found(id, reason))?,
            Region::Landmarks(landmarks) => {
                let points = self.landmarks.get(id).map(Vec::as_slice);
                let points = points.ok_or_else(|| self.not_found(id, landmarks.missing()))?;
                landmarks.area(points, size).map_err(|reason| self.not_found(id, reason))?
            }
        };
        found.ok_or_else(|| {
            let reason = format!(
                "its box lies outside of the picture of {} x {} pixels (width x height)",
                size.0, size.1
            );
            self.not_found(id, reason)
        })
    }

    fn not_found(&self, id: &str, reason: String) -> Error {
        Error::Part { part: self.part.name.clone(), reason: format!("in '{id}': {reason}") }
    }
}

impl Labels {
    /// `fault` makes an error of a reason.
    fn area(
        &self,
        id: &str,
        size: (u32, u32),
        fault: impl Fn(String) -> Error,
    ) -> Result<Option<Area>, Error> {
        let path = self.folder.join(format!("{id}.png"));
        let labels = read_labels(&path, usize::from(u8::MAX))?;
        if labels.dimensions() != size {
            return Err(Error::SizeMismatch {
                image: PathBuf::from(id),
                image_size: size,
                target: path,
                target_size: labels.dimensions(),
            });
        }
        let own = labels.enumerate_pixels().filter(|(_, _, label)| self.classes.contains(&label[0]));
        let corners =
            own.map(|(x, y, _)| [f64::from(x), f64::from(y)]).flat_map(|[x, y]| [[x, y], [x + 1.0, y + 1.0]]);
        let none = || fault(format!("no pixel of {} is of the classes {:?}", path.display(), self.classes));
        let [columns, rows] = bounds(corners).ok_or_else(none)?;
        Ok(Area::around(columns, rows, self.margin, size))
    }
}

impl Landmarks {
    /// None if the box lies outside of the picture; an error is a reason.
    fn area(&self, points: &[[f64; 2]], size: (u32, u32)) -> Result<Option<Area>, String> {
        if let Some(beyond) = self.points.iter().find(|&&point| point >= points.len()) {
            let have = points.len();
            return Err(format!(
                "{} has {have} points for it, there is no point {beyond}",
                self.file.display()
            ));
        }
        let found = bounds(self.points.iter().map(|&point| points[point]));
        Ok(found.and_then(|[columns, rows]| Area::around(columns, rows, self.margin, size)))
    }

    fn missing(&self) -> String {
        format!("{} has no points for it", self.file.display())
    }
}

/// Least and greatest x, and y.
fn bounds(points: impl Iterator<Item = [f64; 2]>) -> Option<[[f64; 2]; 2]> {
    points
        .map(|[x, y]| [[x, x], [y, y]])
        .reduce(|[a, b], [c, d]| [[a[0].min(c[0]), a[1].max(c[1])], [b[0].min(d[0]), b[1].max(d[1])]])
}

fn check(part: &Part, what: &str, count: usize, margin: f64) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::Part { part: part.name.clone(), reason });
    if count == 0 {
        return wrong(format!("its list of {what} is empty"));
    }
    if !(0.0..=10.0).contains(&margin) {
        return wrong(format!("its margin is {margin}, it must be between 0 and 10 box sides"));
    }
    Ok(())
}

fn read_landmarks(path: &Path) -> Result<HashMap<String, Vec<[f64; 2]>>, Error> {
    let bytes = files::read(path, "landmarks")?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Annotation {
        path: path.to_path_buf(),
        reason: format!("is not a JSON object with a list of points [x, y] for every id: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gray_png, put};
    use image::{GrayImage, Luma};

    fn part(region: &str) -> Part {
        toml::from_str(&format!("name = 'brow'\nsize = [16, 32]\n{region}")).unwrap()
    }

    fn fault(region: &str) -> String {
        Finder::new(&part(region)).unwrap_err().to_string()
    }

    #[test]
    fn fractions_are_shares_of_any_picture() {
        let finder =
            Finder::new(&part("region.fractions = { rows = [0.0, 0.5], columns = [0.25, 1.0] }")).unwrap();
        assert_eq!(finder.find("a", (40, 20)).unwrap(), Area { left: 10, top: 0, width: 30, height: 10 });
        assert_eq!(finder.find("a", (7, 3)).unwrap(), Area { left: 1, top: 0, width: 6, height: 2 });
        assert_eq!(finder.find("a", (1, 1)).unwrap(), Area { left: 0, top: 0, width: 1, height: 1 });
        for wrong in [
            "[0.0, 1.1], columns = [0.0, 1.0]",
            "[0.5, 0.5], columns = [0.0, 1.0]",
            "[0.0, 1.0], columns = [-0.1, 1.0]",
        ] {
            let error = fault(&format!("region.fractions = {{ rows = {wrong} }}"));
            assert!(error.contains("part 'brow'") && error.contains("outside of the picture"), "{error}");
        }
    }

    #[test]
    fn a_label_map_gives_the_box_of_its_classes() {
        let folder = tempfile::tempdir().unwrap();
        let labels = GrayImage::from_fn(40, 20, |x, y| Luma([u8::from((10..20).contains(&x) && y == 5) * 3]));
        put(&folder.path().join("a.png"), gray_png(&labels));
        let region = |class: u8, margin: f64| {
            let folder = folder.path().display();
            format!("region.labels = {{ folder = '{folder}', classes = [{class}], margin = {margin:?} }}")
        };
        let finder = Finder::new(&part(&region(3, 0.2))).unwrap();
        assert_eq!(finder.find("a", (40, 20)).unwrap(), Area { left: 8, top: 3, width: 14, height: 5 });
        let error = finder.find("a", (41, 20)).unwrap_err().to_string();
        assert!(error.contains("both must have one size"), "{error}");
        let error = finder.find("b", (40, 20)).unwrap_err().to_string();
        assert!(error.contains("b.png: no such file"), "{error}");
        let error = Finder::new(&part(&region(4, 0.2))).unwrap().find("a", (40, 20)).unwrap_err().to_string();
        assert!(error.contains("part 'brow': in 'a': no pixel of") && error.contains("[4]"), "{error}");
        assert!(fault(&region(3, -1.0)).contains("between 0 and 10"));
    }

    #[test]
    fn landmarks_give_the_box_of_their_points() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("points.json");
        put(&file, r#"{ "a": [[5, 5], [10.5, 12], [-50, -60], [-40, -55]], "b": [] }"#);
        let region = |points: &str| {
            format!("region.landmarks = {{ file = '{}', points = {points}, margin = 0.0 }}", file.display())
        };
        let finder = Finder::new(&part(&region("[0, 1]"))).unwrap();
        assert_eq!(finder.find("a", (40, 20)).unwrap(), Area { left: 5, top: 5, width: 6, height: 7 });
        for (points, id, word) in [
            ("[2, 3]", "a", "lies outside of the picture of 40 x 20"),
            ("[4]", "a", "there is no point 4"),
            ("[0]", "c", "has no points"),
        ] {
            let error =
                Finder::new(&part(&region(points))).unwrap().find(id, (40, 20)).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains(&format!("in '{id}'")), "{error}");
        }
        assert!(fault(&region("[]")).contains("points is empty"));
        put(&file, "{ \"a\": [[5, 5]");
        assert!(fault(&region("[0]")).contains("points.json: is not a JSON object"));
    }
}
