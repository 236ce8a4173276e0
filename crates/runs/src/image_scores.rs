//! Scores of every single image of an evaluation, written as they come and read back for a report.

use std::fs;
use std::path::{Path, PathBuf};

use crate::atomic::Growing;
use crate::npy::{description, header};
use crate::{Error, Rows};

/// Pixels of one class: of one image, or summed over many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// Of the class in truth and predicted as it.
    pub both: u64,
    /// Of the class in truth.
    pub truth: u64,
    /// Predicted as the class.
    pub predicted: u64,
}

impl ClassCounts {
    /// The counts of each class in a confusion matrix, row (truth) after row.
    pub fn of_matrix(matrix: &[u64]) -> Vec<Self> {
        let classes = matrix.len().isqrt();
        let of = |class: usize| Self {
            both: matrix[class * classes + class],
            truth: matrix[class * classes..][..classes].iter().sum(),
            predicted: matrix[class..].iter().step_by(classes).sum(),
        };
        (0..classes).map(of).collect()
    }

    /// 2 both / (truth + predicted); none for a class that occurs in neither.
    pub fn f1(&self) -> Option<f64> {
        ratio(2 * self.both, self.truth + self.predicted)
    }

    /// Intersection over union; none for a class that occurs in neither.
    pub fn iou(&self) -> Option<f64> {
        ratio(self.both, self.truth + self.predicted - self.both)
    }

    /// Share of the predicted pixels that are right; none for a class that was never predicted.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.both, self.predicted)
    }

    /// Share of the true pixels that were found; none for a class that does not occur.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.both, self.truth)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Two files that grow by an image at a time, in memory for one: `images.tsv` with its scores, and `images-counts.npy`, an
/// array (images, classes, 3) of u32 with its [`ClassCounts`]. They are there when [`finish`](Self::finish) returns.
pub struct ImageScores {
    path: PathBuf,
    scores: Growing,
    counts: Growing,
    shape: [usize; 3],
    written: usize,
}

impl ImageScores {
    /// Begins the files in `folder` for so many `images` and `classes`; `names` are those of the scores.
    ///
    /// # Errors
    ///
    /// They cannot be written.
    pub fn create(folder: &Path, names: &[&str], images: usize, classes: usize) -> Result<Self, Error> {
        let shape = [images, classes, PARTS];
        let path = folder.join(COUNTS);
        let (mut scores, mut counts) = (Growing::create(&folder.join(SCORES))?, Growing::create(&path)?);
        scores.write(format!("id\t{}\n", names.join("\t")).as_bytes())?;
        counts.write(&header(KIND, &shape))?;
        Ok(Self { path, scores, counts, shape, written: 0 })
    }

    /// Adds an image: its scores, none for one that it does not have, and its confusion matrix (truth × prediction).
    ///
    /// # Errors
    ///
    /// The files cannot be written, or the matrix is not that of the classes.
    pub fn push(&mut self, id: &str, scores: &[Option<f64>], matrix: &[u64]) -> Result<(), Error> {
        if matrix.len() != self.shape[1] * self.shape[1] {
            let what = format!("a confusion matrix of {} counts for {} classes", matrix.len(), self.shape[1]);
            return Err(Error::Size { what });
        }
        let cells = scores.iter().map(|score| score.map_or(String::new(), |score| format!("{score:?}")));
        let line = std::iter::once(crate::table::one_line(id)).chain(cells).collect::<Vec<_>>().join("\t");
        self.scores.write((line + "\n").as_bytes())?;
        for counts in ClassCounts::of_matrix(matrix) {
            for part in [counts.both, counts.truth, counts.predicted] {
                let what = || format!("'{id}' has {part} pixels of a class, more than 32 bits hold");
                let part = u32::try_from(part).map_err(|_| Error::Size { what: what() })?;
                self.counts.write(&part.to_le_bytes())?;
            }
        }
        self.written += 1;
        Ok(())
    }

    /// Gives the files their names.
    ///
    /// # Errors
    ///
    /// They cannot be written, or hold more or fewer images than were announced.
    pub fn finish(self) -> Result<(), Error> {
        if self.written != self.shape[0] {
            let what = format!("{}: {} images for {}", self.path.display(), self.written, self.shape[0]);
            return Err(Error::Size { what });
        }
        self.scores.commit()?;
        self.counts.commit()
    }
}

/// What [`ImageScores`] wrote.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoredImages {
    /// One per image.
    pub ids: Vec<String>,
    /// Name and values of each score, one value per image; NaN where an image does not have it.
    pub scores: Vec<(String, Vec<f64>)>,
    /// Of each image, then of each class.
    pub counts: Vec<Vec<ClassCounts>>,
}

impl ScoredImages {
    /// Reads the files in `folder`; none if they are not there, as in the folder of an older evaluation.
    ///
    /// # Errors
    ///
    /// They cannot be read or do not belong together.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let (table, array) = (folder.join(SCORES), folder.join(COUNTS));
        if !table.exists() || !array.exists() {
            return Ok(None);
        }
        let rows = Rows::read(&table)?;
        let counts = read_counts(&array)?;
        if rows.rows.len() != counts.len() {
            let why = format!("it has {} images, {SCORES} has {}", counts.len(), rows.rows.len());
            return Err(Error::damaged(&array, why));
        }
        let ids = rows.rows.iter().map(|row| row[0].clone()).collect();
        let names = rows.columns.iter().skip(1);
        let scores = names.map(|name| (name.clone(), rows.numbers(name).unwrap_or_default())).collect();
        Ok(Some(Self { ids, scores, counts }))
    }

    /// The values of one score.
    pub fn score(&self, name: &str) -> Option<&[f64]> {
        self.scores.iter().find(|(found, _)| found == name).map(|(_, values)| &values[..])
    }
}

fn read_counts(path: &Path) -> Result<Vec<Vec<ClassCounts>>, Error> {
    let bytes = fs::read(path).map_err(|reason| Error::read(path, reason))?;
    let foreign = || Error::damaged(path, "it is no array (images, classes, 3) of u32");
    let found = description(&bytes).filter(|found| found.kind == KIND).ok_or_else(foreign)?;
    let [images, classes, PARTS] = found.shape[..] else { return Err(foreign()) };
    let numbers = &bytes[found.start..];
    let size = images.checked_mul(classes).and_then(|size| size.checked_mul(PARTS * 4));
    if size != Some(numbers.len()) {
        return Err(Error::damaged(path, format!("{} bytes for {images} images", numbers.len())));
    }
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    let class = |bytes: &[u8]| {
        let [both, truth, predicted] = [0, 4, 8].map(|place| number(&bytes[place..place + 4]));
        ClassCounts { both, truth, predicted }
    };
    let image = |bytes: &[u8]| bytes.chunks_exact(PARTS * 4).map(class).collect();
    Ok(numbers.chunks_exact((classes * PARTS * 4).max(1)).map(image).collect())
}

const SCORES: &str = "images.tsv";
const COUNTS: &str = "images-counts.npy";
/// Unsigned numbers of 32 bits, lowest byte first.
const KIND: &str = "<u4";
/// Numbers of [`ClassCounts`].
const PARTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_matrix_are_its_sums() {
        let counts = ClassCounts::of_matrix(&[5, 1, 0, 2, 7, 0, 0, 0, 0]);
        assert_eq!(counts[0], ClassCounts { both: 5, truth: 6, predicted: 7 });
        assert_eq!(counts[1], ClassCounts { both: 7, truth: 9, predicted: 8 });
        assert_eq!((counts[0].f1(), counts[0].iou()), (Some(10.0 / 13.0), Some(5.0 / 8.0)));
        assert_eq!((counts[1].precision(), counts[1].recall()), (Some(7.0 / 8.0), Some(7.0 / 9.0)));
        assert_eq!((counts[2].f1(), counts[2].iou(), counts[2].precision()), (None, None, None));
        assert!(ClassCounts::of_matrix(&[]).is_empty());
    }

    #[test]
    fn images_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = ImageScores::create(folder.path(), &["mean_f1", "accuracy"], 2, 2).unwrap();
        file.push("a\tb", &[Some(0.1 + 0.2), Some(1.0)], &[3, 0, 0, 70_000]).unwrap();
        assert_eq!(ScoredImages::read(folder.path()).unwrap(), None, "not there before they are whole");
        file.push("c", &[None, Some(0.0)], &[0, 4, 0, 0]).unwrap();
        assert!(matches!(file.push("d", &[], &[1]), Err(Error::Size { .. })));
        file.finish().unwrap();
        let read = ScoredImages::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.ids, ["a b", "c"]);
        let f1 = read.score("mean_f1").unwrap();
        assert!(f1[0] == 0.1 + 0.2 && f1[1].is_nan());
        assert_eq!(read.score("accuracy"), Some(&[1.0, 0.0][..]));
        assert_eq!(read.counts[0][1], ClassCounts { both: 70_000, truth: 70_000, predicted: 70_000 });
        assert_eq!(read.counts[1][0], ClassCounts { both: 0, truth: 4, predicted: 0 });
    }

    #[test]
    fn an_unfinished_evaluation_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = ImageScores::create(folder.path(), &[], 3, 2).unwrap();
        assert!(matches!(file.finish(), Err(Error::Size { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn counts_that_do_not_belong_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = ImageScores::create(folder.path(), &["f1"], 1, 2).unwrap();
        file.push("a", &[None], &[0; 4]).unwrap();
        file.finish().unwrap();
        let path = folder.path().join(COUNTS);
        let bytes = fs::read(&path).unwrap();
        for wrong in [&bytes[..20], &bytes[..bytes.len() - 1], b"no array"] {
            fs::write(&path, wrong).unwrap();
            let error = ScoredImages::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(COUNTS) && error.contains("damaged"), "{error}");
        }
        fs::write(&path, &bytes).unwrap();
        fs::write(folder.path().join(SCORES), "id\tf1\n").unwrap();
        assert!(ScoredImages::read(folder.path()).unwrap_err().to_string().contains("has 0"));
    }
}
