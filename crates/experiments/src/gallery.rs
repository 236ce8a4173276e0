//! Pictures of an evaluation: the first images, the worst and the best.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::{GrayImage, RgbImage};
use sconce_data::write_rgb_png;
use sconce_runs::{Colour, Lowest, comparison_of_several, comparison_of_several_with_errors, contact_sheet};

/// How many of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Of the first images, in the order of the set.
    pub(crate) first: usize,
    /// Of the worst images, and as many of the best.
    pub(crate) worst: usize,
}

/// Writes pictures while images are scored; holds as many as are wanted of the worst and the best, however many there are.
pub(crate) struct Gallery {
    folder: PathBuf,
    wanted: Wanted,
    colours: Vec<Colour>,
    sheet: Vec<RgbImage>,
    worst: Lowest<Named>,
    best: Lowest<Named>,
}

/// The image's id, and a picture of it.
type Named = (String, RgbImage);

/// One image with what was predicted.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// Place in the set, from 0.
    pub(crate) index: usize,
    pub(crate) id: &'a str,
    /// By which images are ranked; none for one that cannot be scored.
    pub(crate) score: Option<f64>,
    pub(crate) image: &'a RgbImage,
    pub(crate) truth: &'a GrayImage,
    pub(crate) predicted: &'a GrayImage,
}

impl Gallery {
    pub(crate) fn new(folder: &Path, wanted: Wanted, colours: Vec<Colour>) -> Self {
        let (worst, best) = (Lowest::new(wanted.worst), Lowest::new(wanted.worst));
        Self { folder: folder.into(), wanted, colours, sheet: Vec::new(), worst, best }
    }

    /// Writes or keeps the image's pictures if they are among those wanted.
    pub(crate) fn show(&mut self, shown: Shown) -> Result<()> {
        self.show_several(shown, &[])
    }

    /// The same with further predictions beside the first.
    pub(crate) fn show_several(&mut self, shown: Shown, further: &[&GrayImage]) -> Result<()> {
        let Shown { index, id, score, image, truth, predicted } = shown;
        let predictions = &[&[predicted], further].concat();
        if index < self.wanted.first {
            let picture = comparison_of_several(image, truth, predictions, &self.colours)?;
            write_picture(&self.folder.join(OVERLAYS).join(format!("{id}.png")), &picture)?;
            if self.sheet.len() < ON_THE_SHEET {
                self.sheet.push(picture);
            }
        }
        let colours = &self.colours;
        let draw = || -> Result<Named> {
            let picture = comparison_of_several_with_errors(image, truth, predictions, colours)?;
            Ok((id.to_owned(), picture))
        };
        if let Some(score) = score {
            self.worst.offer(score, draw)?;
            self.best.offer(-score, draw)?;
        }
        Ok(())
    }

    /// Writes the sheet, the worst and the best.
    pub(crate) fn finish(self) -> Result<()> {
        if !self.sheet.is_empty() {
            write_picture(&self.folder.join("overview.png"), &contact_sheet(&self.sheet, SHEET_COLUMNS))?;
        }
        write_ranked(&self.folder.join(WORST), self.worst)?;
        write_ranked(&self.folder.join(BEST), self.best)
    }
}

pub(crate) const OVERLAYS: &str = "overlays";
pub(crate) const WORST: &str = "worst";
pub(crate) const BEST: &str = "best";

/// Comparisons side by side in overview.png, and how many at most.
const SHEET_COLUMNS: usize = 2;
const ON_THE_SHEET: usize = 24;

/// Writes `001-ID.png` and so on, then removes those of an earlier evaluation.
fn write_ranked(folder: &Path, ranked: Lowest<Named>) -> Result<()> {
    let mut written = Vec::new();
    for (rank, (_, (id, picture))) in (1..).zip(ranked.into_vec()) {
        let path = folder.join(format!("{rank:03}-{}.png", id.replace(['/', '\\'], "_")));
        write_picture(&path, &picture)?;
        written.push(path);
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "png") && !written.contains(&path) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes a PNG, and the folder where there is none yet.
pub(crate) fn write_picture(path: &Path, picture: &RgbImage) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    Ok(write_rgb_png(path, picture)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    /// Shows images whose scores are given, of a picture each.
    fn gallery(folder: &Path, worst: usize, scores: &[Option<f64>]) {
        let (image, labels) = (RgbImage::new(4, 4), GrayImage::from_pixel(4, 4, Luma([1])));
        let wanted = Wanted { first: 1, worst };
        let mut gallery = Gallery::new(folder, wanted, sconce_runs::palette(2));
        for (index, score) in scores.iter().enumerate() {
            let id = &format!("set/{index}");
            let (image, truth, predicted) = (&image, &labels, &labels);
            gallery.show(Shown { index, id, score: *score, image, truth, predicted }).unwrap();
        }
        gallery.finish().unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn worst_and_best_are_ranked_and_earlier_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let scores = [Some(0.5), Some(0.1), None, Some(0.9), Some(0.3)];
        gallery(folder.path(), 3, &scores);
        assert_eq!(names(&folder.path().join("worst")), ["001-set_1.png", "002-set_4.png", "003-set_0.png"]);
        assert_eq!(names(&folder.path().join("best"))[0], "001-set_3.png");
        assert!(
            folder.path().join("overlays/set/0.png").is_file()
                && folder.path().join("overview.png").is_file()
        );
        gallery(folder.path(), 1, &scores);
        assert_eq!(names(&folder.path().join("worst")), ["001-set_1.png"]);
    }
}
