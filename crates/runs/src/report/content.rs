//! What a report reads from a run's folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::scores::Scores;
use crate::{Error, Rows, Run, ScoredImages};

/// A run as far as it has gone.
#[derive(Debug)]
pub(super) struct Content {
    /// Its folder's name after that of its experiment.
    pub(super) name: String,
    pub(super) config: String,
    /// One row per step, per epoch, per step; none if the file is not there.
    pub(super) steps: Option<Rows>,
    pub(super) epochs: Option<Rows>,
    pub(super) times: Option<Rows>,
    /// In the order of their names.
    pub(super) evaluations: Vec<Evaluation>,
}

/// The scores of one checkpoint on one split.
#[derive(Debug)]
pub(super) struct Evaluation {
    /// Such as `val-best`.
    pub(super) name: String,
    pub(super) classes: Vec<String>,
    /// Pixels, truth × prediction, row after row.
    pub(super) matrix: Vec<u64>,
    pub(super) images: Option<ScoredImages>,
    pub(super) scores: Scores,
    pub(super) worst: Vec<Picture>,
    pub(super) best: Vec<Picture>,
}

/// A picture in a file.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) path: PathBuf,
    pub(super) caption: String,
}

impl Content {
    pub(super) fn read(run: &Run) -> Result<Self, Error> {
        let log = |name: &str| {
            let path = run.folder().join(name);
            if path.exists() { Rows::read(&path).map(Some) } else { Ok(None) }
        };
        let mut evaluations = Vec::new();
        for folder in folders(&run.evaluation("")) {
            evaluations.extend(Evaluation::read(&folder)?);
        }
        Ok(Self {
            name: run.name(),
            config: run.config().to_owned(),
            steps: log("log.tsv")?,
            epochs: log("epochs.tsv")?,
            times: log("times.tsv")?,
            evaluations,
        })
    }
}

impl Evaluation {
    /// None while its confusion matrix is not there: the evaluation did not end.
    fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join("confusion.tsv");
        if !path.exists() {
            return Ok(None);
        }
        let (classes, matrix) = confusion(&path)?;
        let images = ScoredImages::read(folder)?;
        let ranking = images.as_ref().map(ranking).unwrap_or_default();
        Ok(Some(Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            scores: Scores::new(&matrix, images.as_ref()),
            classes,
            matrix,
            images,
            worst: pictures(&folder.join("worst"), ranking.iter()),
            best: pictures(&folder.join("best"), ranking.iter().rev()),
        }))
    }
}

/// Class names and counts of confusion.tsv.
fn confusion(path: &Path) -> Result<(Vec<String>, Vec<u64>), Error> {
    let rows = Rows::read(path)?;
    let classes: Vec<String> = rows.rows.iter().map(|row| row[0].clone()).collect();
    let cells = rows.rows.iter().flat_map(|row| &row[1..]);
    let counts: Option<Vec<u64>> = cells.map(|cell| cell.parse().ok()).collect();
    match counts {
        Some(counts) if counts.len() == classes.len().pow(2) => Ok((classes, counts)),
        _ => Err(Error::damaged(path, "it is no square of counts")),
    }
}

/// Scores of all images that have one, the lowest first.
fn ranking(images: &ScoredImages) -> Vec<f64> {
    // By the score that the pictures were ranked by.
    let mut scores = images.score("mean_f1").or(images.score("f1")).unwrap_or_default().to_vec();
    scores.retain(|score| !score.is_nan());
    scores.sort_by(f64::total_cmp);
    scores
}

/// The pictures `001-ID.png` of a folder with their scores, which come in the order of their ranks.
fn pictures<'a>(folder: &Path, scores: impl Iterator<Item = &'a f64>) -> Vec<Picture> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "png")).collect();
    paths.sort();
    let captions = scores.map(|score| format!(" · mean F1 {:.1} %", 100.0 * score));
    let captions = captions.chain(std::iter::repeat(String::new()));
    paths.into_iter().zip(captions).map(|(path, score)| picture(path, &score)).collect()
}

fn picture(path: PathBuf, score: &str) -> Picture {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let id = stem.split_once('-').map_or(stem.as_str(), |(_, id)| id);
    Picture { caption: format!("{id}{score}"), path }
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
