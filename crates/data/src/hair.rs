//! Procedural hair: portraits in seven hair styles drawn from a seed, with an exact mask of the hair.
//!
//! A picture is a scene in head units ([`render`] says how it is seeded): a sitter before a background, seen from before or
//! behind, whose hair is some hundreds of locks. A lock grows from the scalp over the skull, hangs down and bends as
//! its style says; it is as dark as it lies deep, and shines where the lamp does. The styles are those of Figaro-1k, and
//! a picture's style is its number modulo seven.
//!
//! The mask is 1 where the locks together cover at least half of a pixel that nothing covers in turn. What is easily
//! taken for hair is none: beards and brows, hats over the hair, fur as a collar or behind the sitter, and backgrounds
//! of the hair's own colour. Some pictures are grey.

mod growth;
mod lock;
mod mane;
mod ropes;
mod scene;
mod style;
mod surroundings;
mod write;

use serde::Deserialize;

use crate::dataset::{Dataset, Sample, Split};
use crate::drawing::canvas::Canvas;
use crate::drawing::dice::Dice;
use crate::error::Error;
pub use crate::figaro::CLASSES;
use crate::rendered::Numbers;
use scene::Scene;
pub use style::Style;
pub use write::write_figaro;

/// The set's settings: `[data.hair]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Chooses the pictures.
    pub seed: u64,
    /// Side of the square pictures in pixels, 32..=4096.
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
pub struct Hair {
    seed: u64,
    size: u32,
    numbers: Numbers,
    classes: Vec<String>,
}

/// Renders picture `index` of the set of `seed`, `size` x `size` pixels, and its mask: 1 on hair, 0 elsewhere.
///
/// The picture depends on seed and index alone: another size shows the same scene, and no other picture has an
/// influence.
///
/// ```
/// let portrait = sconce_data::hair::render(7, 0, 64);
/// assert_eq!(portrait.image.dimensions(), (64, 64));
/// assert_eq!(portrait, sconce_data::hair::render(7, 0, 64));
/// ```
#[must_use]
pub fn render(seed: u64, index: u64, size: u32) -> Sample<1> {
    let scene = Scene::draw(&mut Dice::of_sample(seed, index), Style::of_picture(index));
    let mut canvas = Canvas::new(size as usize, None);
    scene.paint(&mut canvas);
    scene.expose(&mut canvas);
    let (image, labels) = canvas.into_images();
    Sample { image, targets: [scene::mask_of(labels)] }
}

impl Hair {
    /// Opens a split. The held-out pictures stay the same when the training set grows.
    ///
    /// # Errors
    /// [`Error::Config`] for a size out of bounds or a split without pictures.
    pub fn open(config: &Config, split: Split) -> Result<Self, Error> {
        check_size(config.size)?;
        let numbers = Numbers::of(split, [config.train, config.val, config.test])?;
        let classes = CLASSES.map(String::from).to_vec();
        Ok(Self { seed: config.seed, size: config.size, numbers, classes })
    }

    /// The hair style of a picture, by which scores can be told apart.
    #[must_use]
    pub fn style(&self, index: usize) -> Style {
        Style::of_picture(self.numbers.number(index) as u64)
    }
}

fn check_size(size: u32) -> Result<(), Error> {
    match (32..=4096).contains(&size) {
        true => Ok(()),
        false => Err(Error::Config { key: "size", reason: format!("{size} pixels; hair needs 32..=4096") }),
    }
}

impl Dataset<1> for Hair {
    fn len(&self) -> usize {
        self.numbers.len
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        Ok(render(self.seed, self.numbers.checked(index)?, self.size))
    }

    fn id(&self, index: usize) -> String {
        format!("hair-{:06}", self.numbers.number(index))
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
