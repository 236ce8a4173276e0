//! Procedural pictures of 20 shapes in VOC's manner: drawn from a seed, with exact labels and void along every border.
//!
//! A picture is a scene in picture widths ([`render`] says how it is seeded): a muted, textured backdrop with spots, and on it
//! some objects of different size and turn that hide and shade one another. A class has an outline, a pattern and a
//! colour of its own, and none of them is enough alone: a hue belongs to two classes, a pattern to four, and outlines are
//! hidden. Rings, frames, spirals, keys and forks are thin or have holes through which the backdrop is seen.
//!
//! Labels are those of the object whose paint covers most of a pixel, and [`VOID`] next to a pixel of another object, also of
//! the same class: one pixel to either side up to 239 pixels, then one more for every 160.

mod object;
mod outline;
mod scene;
mod surface;

use serde::Deserialize;

use crate::dataset::{Dataset, Sample, Split, VOID};
use crate::drawing::dice::Dice;
use crate::error::Error;
use crate::rendered::Numbers;
use scene::Scene;

/// Names of the classes in label order, as many as VOC has.
pub const CLASSES: [&str; 21] = [
    "background",
    "disc",
    "ring",
    "square",
    "frame",
    "triangle",
    "star",
    "cross",
    "crescent",
    "heart",
    "arrow",
    "hexagon",
    "wave",
    "spiral",
    "gear",
    "flower",
    "drop",
    "bolt",
    "window",
    "fork",
    "key",
];

/// The set's settings: `[data.shapes]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Chooses the pictures.
    pub seed: u64,
    /// Side of the square pictures in pixels, 48..=4096.
    pub size: u32,
    /// Number of pictures to train on.
    pub train: usize,
    /// Number of pictures held out to choose the checkpoint.
    pub val: usize,
    /// Number of pictures held out for the score.
    pub test: usize,
}

/// One split of a procedural set; each picture is rendered when it is read.
#[derive(Debug, Clone)]
pub struct Shapes {
    seed: u64,
    size: u32,
    numbers: Numbers,
    classes: Vec<String>,
}

/// Renders picture `index` of the set of `seed`, `size` x `size` pixels, and its labels.
///
/// The picture depends on seed and index alone: another size shows the same scene, and no other picture has an
/// influence.
///
/// ```
/// let shapes = sconce_data::shapes::render(7, 0, 64);
/// assert_eq!(shapes.image.dimensions(), (64, 64));
/// assert_eq!(shapes, sconce_data::shapes::render(7, 0, 64));
/// ```
#[must_use]
pub fn render(seed: u64, index: u64, size: u32) -> Sample<1> {
    let scene = Scene::draw(&mut Dice::of_sample(seed, index));
    let (image, labels) = scene.paint(size as usize);
    Sample { image, targets: [labels] }
}

impl Shapes {
    /// Opens a split. The held-out pictures stay the same when the training set grows.
    ///
    /// # Errors
    /// [`Error::Config`] for a size out of bounds or a split without pictures.
    pub fn open(config: &Config, split: Split) -> Result<Self, Error> {
        if !(48..=4096).contains(&config.size) {
            let reason = format!("{} pixels; shapes need 48..=4096", config.size);
            return Err(Error::Config { key: "size", reason });
        }
        let numbers = Numbers::of(split, [config.train, config.val, config.test])?;
        let classes = CLASSES.map(String::from).to_vec();
        Ok(Self { seed: config.seed, size: config.size, numbers, classes })
    }
}

impl Dataset<1> for Shapes {
    fn len(&self) -> usize {
        self.numbers.len
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        Ok(render(self.seed, self.numbers.checked(index)?, self.size))
    }

    fn id(&self, index: usize) -> String {
        format!("shapes-{:06}", self.numbers.number(index))
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &[]
    }
}

#[cfg(test)]
mod tests;
