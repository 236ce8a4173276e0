//! Procedural faces: portraits drawn from a seed, with a label map and an edge map that agree to the pixel.
//!
//! A face is a scene of parts in head units ([`render`] says how it is seeded), painted from back to front. Each part
//! is an outline on a turned head; its exact pixel coverage mixes its colour into the picture, and where it covers at
//! least half of a pixel it takes the label. So the label is the last part painted there, by the numbers that made the
//! colour. Light, noise and blur change colours only, and blur reaches one pixel.
//!
//! The classes are those of NIA ([`nia::CLASSES`]). `l_` is the sitter's own left, the right side of a frontal picture,
//! as in CelebAMask-HQ. Frames and lenses are `eye_g`, but eyes and brows seen through clear lenses keep their class. An
//! eye is all that shows between the lids. Beards are skin. Things held before the face are background, hands too.

mod backdrop;
mod beard;
mod brows;
mod class;
mod clothes;
mod ears;
mod eyes;
mod glasses;
mod hair;
mod hat;
mod head;
mod mouth;
mod necklace;
mod nose;
mod occluder;
pub(crate) mod portrait;
mod pose;
mod scene;
mod torso;

use serde::Deserialize;

use crate::dataset::{Dataset, Sample, Split};
use crate::drawing::{canvas, colour, dice, geometry, light, mask, noise, path, sensor};
use crate::edges::edge_map;
use crate::error::Error;
use crate::nia;
use crate::rendered::Numbers;
use canvas::Canvas;
use dice::Dice;
use scene::Scene;

/// The set's settings: `[data.faces]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Chooses the faces.
    pub seed: u64,
    /// Side of the square pictures in pixels, 16..=4096.
    pub size: u32,
    /// Number of faces to train on.
    pub train: usize,
    /// Number of faces held out to choose the checkpoint.
    pub val: usize,
    /// Number of faces held out for the score.
    pub test: usize,
}

/// One split of a procedural set; each face is rendered when it is read.
#[derive(Debug, Clone)]
pub struct Faces {
    seed: u64,
    size: u32,
    numbers: Numbers,
    classes: Vec<String>,
}

/// Renders face `index` of the set of `seed` as a picture of `size` x `size` pixels.
///
/// The face depends on seed and index alone: another size shows the same scene, and no other face has an influence.
/// The targets are the label map in NIA order and its edge map ([`edge_map`]).
///
/// ```
/// let face = sconce_data::faces::render(7, 0, 64);
/// assert_eq!(face.image.dimensions(), (64, 64));
/// assert_eq!(face, sconce_data::faces::render(7, 0, 64));
/// ```
#[must_use]
pub fn render(seed: u64, index: u64, size: u32) -> Sample<2> {
    let scene = Scene::draw(&mut Dice::of_sample(seed, index));
    let mut canvas = Canvas::new(size as usize, None);
    scene.paint(&mut canvas);
    scene.expose(&mut canvas);
    let (image, labels) = canvas.into_images();
    let edges = edge_map(&labels);
    Sample { image, targets: [labels, edges] }
}

impl Faces {
    /// Opens a split. Test faces come first, then validation, then training, so that the held-out faces stay the same
    /// when the training set grows.
    ///
    /// # Errors
    /// [`Error::Config`] for a size out of bounds or a split without faces.
    pub fn open(config: &Config, split: Split) -> Result<Self, Error> {
        if !(16..=4096).contains(&config.size) {
            let reason = format!("{} pixels; a face needs 16..=4096", config.size);
            return Err(Error::Config { key: "size", reason });
        }
        let numbers = Numbers::of(split, [config.train, config.val, config.test])?;
        let classes = nia::CLASSES.map(String::from).to_vec();
        Ok(Self { seed: config.seed, size: config.size, numbers, classes })
    }
}

impl Dataset<2> for Faces {
    fn len(&self) -> usize {
        self.numbers.len
    }

    fn read(&self, index: usize) -> Result<Sample<2>, Error> {
        Ok(render(self.seed, self.numbers.checked(index)?, self.size))
    }

    fn id(&self, index: usize) -> String {
        format!("face-{:06}", self.numbers.number(index))
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &nia::SWAPS
    }
}

#[cfg(test)]
mod tests;
