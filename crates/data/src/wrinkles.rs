//! Procedural skin with wrinkles: close-ups drawn from a seed, with an exact mask of the wrinkle lines.
//!
//! A picture is a scene in picture widths ([`render`] says how it is seeded): skin with its own curvature, blotches,
//! pores and fine relief; families of wrinkles as on a forehead, beside an eye or in a cheek; and what is easily taken for
//! wrinkles: hairs, brows, moles, the edges of shadows and nostrils. A wrinkle is a valley of the surface with raised
//! lips, shaded by the scene's one lamp, so it is dark with a brighter border on the side that faces the lamp; it is soft,
//! tapers in width and depth, wavers, branches and keeps company. A hair lies on the skin: dark, sharp, of even
//! width and no lip. A filter for dark lines answers to both; the surroundings of about 20 pixels tell them apart.
//!
//! The mask is 1 where a pixel's middle lies in a valley: no farther from its line than the valley's half width there,
//! and only where the valley is deep enough to be seen. Hairs over a wrinkle do not interrupt its mask.

mod family;
mod line;
mod marks;
mod relief;
mod scene;
mod skin;
mod strands;

use serde::Deserialize;

use crate::dataset::{Dataset, Sample, Split};
use crate::drawing::dice::Dice;
use crate::error::Error;
use crate::rendered::Numbers;
use scene::Scene;

/// Names of the two labels, in label order.
pub const CLASSES: [&str; 2] = ["background", "wrinkle"];

/// The set's settings: `[data.wrinkles]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Chooses the pictures.
    pub seed: u64,
    /// Side of the square pictures in pixels, 64..=4096.
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
pub struct Wrinkles {
    seed: u64,
    size: u32,
    numbers: Numbers,
    classes: Vec<String>,
}

/// Renders picture `index` of the set of `seed`, `size` x `size` pixels, and its mask: 1 on wrinkles, 0 elsewhere.
///
/// The picture depends on seed and index alone: another size shows the same scene, and no other picture has an
/// influence.
///
/// ```
/// let skin = sconce_data::wrinkles::render(7, 0, 64);
/// assert_eq!(skin.image.dimensions(), (64, 64));
/// assert_eq!(skin, sconce_data::wrinkles::render(7, 0, 64));
/// ```
#[must_use]
pub fn render(seed: u64, index: u64, size: u32) -> Sample<1> {
    let scene = Scene::draw(&mut Dice::of_sample(seed, index));
    let (image, mask) = scene.paint(size as usize);
    Sample { image, targets: [mask] }
}

impl Wrinkles {
    /// Opens a split. The held-out pictures stay the same when the training set grows.
    ///
    /// # Errors
    /// [`Error::Config`] for a size out of bounds or a split without pictures.
    pub fn open(config: &Config, split: Split) -> Result<Self, Error> {
        if !(64..=4096).contains(&config.size) {
            let reason = format!("{} pixels; wrinkles need 64..=4096", config.size);
            return Err(Error::Config { key: "size", reason });
        }
        let numbers = Numbers::of(split, [config.train, config.val, config.test])?;
        let classes = CLASSES.map(String::from).to_vec();
        Ok(Self { seed: config.seed, size: config.size, numbers, classes })
    }
}

impl Dataset<1> for Wrinkles {
    fn len(&self) -> usize {
        self.numbers.len
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        Ok(render(self.seed, self.numbers.checked(index)?, self.size))
    }

    fn id(&self, index: usize) -> String {
        format!("wrinkles-{:06}", self.numbers.number(index))
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
