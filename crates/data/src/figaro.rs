//! Figaro-1k: photographs of hair from any side, with a mask each (Svanera, Muhammad, Leonardi and Benini 2016,
//! "Figaro, hair detection and segmentation in the wild").
//!
//! ```text
//! root/
//!   Original/Training/Frame00001-org.jpg   Original/Testing/…
//!   GT/Training/Frame00001-gt.pbm          GT/Testing/…          or .png
//! ```
//!
//! Image and mask are paired by the frame's number, which also tells the hair's style: 150 frames each. Files whose name ends
//! in a number in brackets, such as `Frame00123-gt(1).pbm`, are stray copies: they are passed over and told about.

pub(crate) mod frames;

use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::Deserialize;

use crate::binary_mask::read_binary_mask;
use crate::dataset::{Dataset, Sample, Split};
use crate::error::Error;
use crate::pairs::same_size;
use crate::presence::Presence;
use crate::rgb::{read_rgb, read_rgb_upright};
use crate::stratify::{Fractions, stratified_split};
use frames::{Frame, Half};

/// Names of the two labels, in label order.
pub const CLASSES: [&str; 2] = ["background", "hair"];

/// The seven styles, in the order of the frames' numbers.
pub const STYLES: [&str; 7] = ["straight", "wavy", "curly", "kinky", "braids", "dreadlocks", "short-men"];

/// Frames of each style.
pub(crate) const PER_STYLE: u32 = 150;

/// The set's settings: `[data.figaro]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The folder that holds `Original` and `GT`.
    pub root: PathBuf,
    /// Where the validation images come from.
    pub split: Parts,
}

/// Where the validation images come from: `split`. The set itself has only `Training` and `Testing`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Parts {
    /// From `Training`, which is left with the rest.
    HeldOut(HeldOut),
    /// From `Testing`: all of `Training` is trained on, and the images that choose the checkpoint are those of the score,
    /// which flatters it. Published results on this set were mostly taken so.
    TestAsValidation,
}

/// The validation images among those of `Training`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HeldOut {
    /// Their share of every style, more than 0 and less than 1.
    pub share: f64,
    /// Chooses them.
    pub seed: u64,
}

/// One split of the set.
#[derive(Debug, Clone)]
pub struct Figaro {
    frames: Vec<Frame>,
    notices: Vec<String>,
    classes: Vec<String>,
}

/// Opens one split, in the order of the frames' numbers.
///
/// # Errors
/// A missing or empty folder, a name without a frame's number, an image without its mask or a mask without its image, two
/// files of one frame, a frame in both halves, or a share out of range.
pub fn open(config: &Config, split: Split) -> Result<Figaro, Error> {
    let (share, half) = match (config.split, split) {
        (Parts::HeldOut(held_out), Split::Train | Split::Val) => (Some(held_out), Half::Training),
        (Parts::TestAsValidation, Split::Train) => (None, Half::Training),
        _ => (None, Half::Testing),
    };
    if !config.root.is_dir() {
        return Err(Error::MissingFolder { path: config.root.clone(), role: "root of Figaro-1k".into() });
    }
    let (mut frames, notices) = frames::read(&config.root, half)?;
    frames::check_apart(&config.root, &frames, half)?;
    if let Some(held_out) = share {
        let styles: Vec<usize> = frames.iter().map(Frame::style).collect();
        let [rest, held_out] = part(&styles, held_out)?;
        let chosen = if split == Split::Val { held_out } else { rest };
        frames = chosen.into_iter().map(|index| frames[index].clone()).collect();
    }
    Ok(Figaro { frames, notices, classes: CLASSES.map(String::from).to_vec() })
}

/// The positions of the frames of `Training` that are trained on, and of those that are held out, by their styles.
pub(crate) fn part(styles: &[usize], HeldOut { share, seed }: HeldOut) -> Result<[Vec<usize>; 2], Error> {
    if !(share > 0.0 && share < 1.0) {
        let reason = format!("{share} must be more than 0 and less than 1");
        return Err(Error::Config { key: "data.figaro.split.held-out.share", reason });
    }
    let styles: Vec<Presence> = styles.iter().map(|style| Presence::of(&[*style as u8])).collect();
    let [rest, held_out, _] = stratified_split(&styles, Fractions::new([1.0 - share, share, 0.0])?, seed)?;
    Ok([rest, held_out])
}

impl Figaro {
    /// What was passed over, a line each.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The place of a sample's style in [`STYLES`].
    ///
    /// # Errors
    /// [`Error::Index`].
    pub fn style(&self, index: usize) -> Result<usize, Error> {
        self.frame(index).map(Frame::style)
    }

    fn frame(&self, index: usize) -> Result<&Frame, Error> {
        self.frames.get(index).ok_or(Error::Index { index, len: self.frames.len() })
    }
}

impl Dataset<1> for Figaro {
    fn len(&self) -> usize {
        self.frames.len()
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        let frame = self.frame(index)?;
        let mask = read_binary_mask(&frame.mask)?;
        let image = read_under(&frame.image, mask.dimensions())?;
        let mask = same_size((&image, &frame.image), mask, &frame.mask)?;
        Ok(Sample { image, targets: [mask] })
    }

    fn id(&self, index: usize) -> String {
        self.frames.get(index).map_or_else(|| format!("sample {index}"), Frame::id)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &[]
    }
}

/// The picture that lies under a mask of this size: as it is stored, or, where only that fits, as its EXIF orientation
/// shows it. Where neither fits it comes as it is stored.
pub(crate) fn read_under(path: &Path, size: (u32, u32)) -> Result<RgbImage, Error> {
    let stored = read_rgb(path)?;
    let turned = (stored.height(), stored.width()) == size && stored.dimensions() != size;
    match turned.then(|| read_rgb_upright(path)).transpose()? {
        Some(upright) if upright.dimensions() == size => Ok(upright),
        _ => Ok(stored),
    }
}

#[cfg(test)]
mod tests;
