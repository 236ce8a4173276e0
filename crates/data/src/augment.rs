//! What happens to a sample between the file and the batch: size, place and colour, the same for every map.

mod blur;
mod crop;

pub use blur::Blur;
pub use crop::{Crop, Smaller};

use blur::blurred;
use image::{GrayImage, RgbImage, imageops};
use rand::Rng;
use serde::Deserialize;

use crate::colour::Jitter;
use crate::dataset::{Map, Sample};
use crate::edges::edge_map_within;
use crate::error::Error;
use crate::geometry::{Geometry, shrink_mask, warp_image, warp_labels, warp_mask};
use crate::random::{Purpose, normal, stream};
use crate::resize::{output_size, resize_image};

/// How samples are prepared: `[augment]`.
///
/// Image and targets always get one geometry. Without a turn or a change of scale the image is resized by
/// [`resize_image`]; otherwise one affine warp about the image's centre leads straight to the output size.
/// Either way the picture is stretched to the output's shape, as in evaluation. With a [`Crop`] it is not: a window of
/// the output's size is cut out of the scaled picture, in the same one warp, and turns are about the window's centre.
/// Labels are never interpolated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Output rows and columns in pixels.
    pub size: [usize; 2],
    /// Probability of a horizontal flip, which also exchanges left and right classes.
    pub flip: f64,
    /// A random window of the picture; without this table the whole picture is stretched to `size`.
    pub crop: Option<Crop>,
    /// Random scale and rotation; none without this table.
    pub affine: Option<Affine>,
    /// A rotation by an angle drawn evenly; none without this table. It adds to that of `affine`.
    pub rotation: Option<Rotation>,
    /// A random blur of the image; none without this table.
    pub blur: Option<Blur>,
    /// Red, green, blue, 0..=255, of the image beyond the picture, such as the mean that the network subtracts: black
    /// without this key.
    pub fill: Option<[u8; 3]>,
    /// Random colours; none without this table.
    pub colour: Option<Colour>,
}

/// Random scale and rotation: `[augment.affine]`.
///
/// AGRNet's training draws the scale from N(1, 0.25) cut to 0.75..=1.25, and in 0.6 of the samples an angle from
/// N(0, 30) cut to -60..=60 degrees.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Affine {
    /// Standard deviation of the scale about 1. A scale above 1 shows more than the picture: it zooms out.
    pub scale_deviation: f64,
    /// Largest distance of the scale from 1; below 1.
    pub scale_limit: f64,
    /// Probability of a rotation.
    pub rotation_probability: f64,
    /// Standard deviation of the rotation in degrees.
    pub rotation_deviation: f64,
    /// Largest rotation in degrees, to either side.
    pub rotation_limit: f64,
}

/// Random rotation by an angle drawn evenly from -limit ..= limit: `[augment.rotation]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rotation {
    /// Largest rotation in degrees, to either side, 0..=180.
    pub limit: f64,
    /// Probability of a rotation; 1 without this key.
    #[serde(default = "always")]
    pub probability: f64,
}

fn always() -> f64 {
    1.0
}

/// Random colours of the image: `[augment.colour]`. Each factor is drawn evenly from 1 - x ..= 1 + x.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Colour {
    /// Range of the factor of all values, 0..=1.
    pub brightness: f64,
    /// Range of the factor of the distance from the mean gray of what is seen of the picture, 0..=1.
    pub contrast: f64,
    /// Range of the factor of the distance from each pixel's gray, 0..=1.
    pub saturation: f64,
    /// Range of the turn of all hues, evenly drawn from -x ..= x of the whole colour circle, 0..=0.5; none without this key.
    pub hue: Option<f64>,
}

impl Config {
    /// Nothing random: only the size, given as `[rows, columns]`. This is what evaluation uses.
    #[must_use]
    pub fn resize_only(size: [usize; 2]) -> Self {
        Self {
            size,
            flip: 0.0,
            crop: None,
            affine: None,
            rotation: None,
            blur: None,
            fill: None,
            colour: None,
        }
    }

    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`Error::Config`] with the key and the range.
    pub fn check(&self) -> Result<(), Error> {
        output_size(self.size)?;
        within("augment.flip", self.flip, 1.0)?;
        if let Some(crop) = &self.crop {
            crop.check()?;
        }
        if let Some(affine) = &self.affine {
            within("augment.affine.scale-deviation", affine.scale_deviation, 10.0)?;
            within("augment.affine.scale-limit", affine.scale_limit, 0.99)?;
            within("augment.affine.rotation-probability", affine.rotation_probability, 1.0)?;
            within("augment.affine.rotation-deviation", affine.rotation_deviation, 360.0)?;
            within("augment.affine.rotation-limit", affine.rotation_limit, 360.0)?;
        }
        if let Some(rotation) = &self.rotation {
            within("augment.rotation.limit", rotation.limit, 180.0)?;
            within("augment.rotation.probability", rotation.probability, 1.0)?;
        }
        if let Some(blur) = &self.blur {
            blur.check()?;
        }
        if let Some(colour) = &self.colour {
            within("augment.colour.brightness", colour.brightness, 1.0)?;
            within("augment.colour.contrast", colour.contrast, 1.0)?;
            within("augment.colour.saturation", colour.saturation, 1.0)?;
            within("augment.colour.hue", colour.hue.unwrap_or_default(), 0.5)?;
        }
        Ok(())
    }

    /// Prepares a sample. The result depends on the arguments alone: the random choices come from `seed`, `epoch` and
    /// `index`.
    ///
    /// `maps` and `swaps` are the dataset's. Beyond the picture the image has the colour `fill`, labels are
    /// [`VOID`](crate::VOID) and masks 0; the border of the picture makes no edge in a [`Map::Border`].
    ///
    /// # Errors
    /// As for [`Config::check`].
    pub fn apply<const T: usize>(
        &self,
        sample: Sample<T>,
        maps: &[Map; T],
        swaps: &[(u8, u8)],
        (seed, epoch, index): (u64, usize, usize),
    ) -> Result<Sample<T>, Error> {
        self.check()?;
        let mut rng = stream(seed, Purpose::Augment, epoch, index);
        let flips = rng.random_bool(self.flip);
        let geometry = self.geometry(&mut rng, sample.image.dimensions())?;
        let jitter = self.jitter(&mut rng);
        let deviation = self.blur.map_or(0.0, |blur| blur.draw(&mut rng));
        let (Sample { image, targets }, geometry) = shown(sample, geometry);
        let image = self.place_image(image, geometry, (jitter, deviation))?;
        let mut sample = Sample { image, targets: place_targets(targets, maps, geometry) };
        if flips {
            flip(&mut sample, maps, swaps);
        }
        Ok(sample)
    }

    fn geometry(&self, rng: &mut impl Rng, picture: (u32, u32)) -> Result<Geometry, Error> {
        let (width, height) = output_size(self.size)?;
        let mut geometry = match &self.crop {
            Some(crop) => crop.window(rng, picture, (width, height)),
            None => Geometry::resize(width, height),
        };
        geometry.sample = Some(picture);
        if let Some(affine) = &self.affine {
            let spread =
                (affine.scale_deviation * normal(rng)).clamp(-affine.scale_limit, affine.scale_limit);
            let turns = rng.random_bool(affine.rotation_probability);
            let angle = affine.rotation_deviation * normal(rng);
            geometry.scale = 1.0 + spread;
            geometry.degrees =
                if turns { angle.clamp(-affine.rotation_limit, affine.rotation_limit) } else { 0.0 };
        }
        if let Some(Rotation { limit, probability }) = self.rotation {
            let turns = rng.random_bool(probability);
            let angle = limit * (2.0 * rng.random::<f64>() - 1.0);
            geometry.degrees += if turns { angle } else { 0.0 };
        }
        Ok(geometry)
    }

    /// Colours change and blur comes before a warp, so that what lies beyond the picture keeps its colour and out of it.
    fn place_image(
        &self,
        image: RgbImage,
        geometry: Geometry,
        (jitter, deviation): (Jitter, f64),
    ) -> Result<RgbImage, Error> {
        let size = image.dimensions();
        let shrink = geometry.shrink(size).floor();
        let (width, height) = if geometry.is_resize() {
            (geometry.width, geometry.height)
        } else if shrink >= 2.0 {
            // A warp looks at four pixels only: a picture that shrinks by two or more is first reduced by that.
            reduced(size, shrink)
        } else {
            size
        };
        let mut image = if (width, height) == size {
            image
        } else {
            resize_image(&image, (height as usize, width as usize))?
        };
        jitter.apply(&mut image);
        let image = blurred(image, deviation * geometry.shrink((width, height)));
        let fill = self.fill.unwrap_or_default();
        Ok(if geometry.is_resize() { image } else { warp_image(&image, geometry, fill) })
    }

    fn jitter(&self, rng: &mut impl Rng) -> Jitter {
        let Some(colour) = self.colour else { return Jitter::NONE };
        let mut even = |range: f64| range * (2.0 * rng.random::<f64>() - 1.0);
        let mut factor = |range: f64| (1.0 + even(range)) as f32;
        Jitter {
            brightness: factor(colour.brightness),
            contrast: factor(colour.contrast),
            saturation: factor(colour.saturation),
            hue: colour.hue.map_or(0.0, |range| even(range) as f32),
        }
    }
}

fn within(key: &'static str, value: f64, most: f64) -> Result<(), Error> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::Config { key, reason: format!("{value} is not within 0..={most}") })
}

/// The part of a large sample that a window shows: no work is done on the rest.
fn shown<const T: usize>(sample: Sample<T>, geometry: Geometry) -> (Sample<T>, Geometry) {
    let Some(([left, top, width, height], geometry)) = geometry.part(sample.image.dimensions()) else {
        return (sample, geometry);
    };
    let image = imageops::crop_imm(&sample.image, left, top, width, height).to_image();
    let cut = |target: GrayImage| imageops::crop_imm(&target, left, top, width, height).to_image();
    (Sample { image, targets: sample.targets.map(cut) }, geometry)
}

fn place_targets<const T: usize>(
    targets: [GrayImage; T],
    maps: &[Map; T],
    geometry: Geometry,
) -> [GrayImage; T] {
    if targets.iter().all(|target| geometry.is_identity(target.dimensions())) {
        return targets;
    }
    let first = targets.first().map(|labels| warp_labels(labels, geometry)).unwrap_or_default();
    std::array::from_fn(|target| match maps[target] {
        Map::Labels if target == 0 => first.0.clone(),
        Map::Labels => warp_labels(&targets[target], geometry).0,
        Map::Border => edge_map_within(&first.0, &first.1),
        Map::Mask => place_mask(&targets[target], geometry),
    })
}

fn place_mask(mask: &GrayImage, geometry: Geometry) -> GrayImage {
    let shrink = geometry.shrink(mask.dimensions()).floor();
    if shrink < 2.0 {
        return warp_mask(mask, geometry);
    }
    let (width, height) = reduced(mask.dimensions(), shrink);
    warp_mask(&shrink_mask(mask, width, height), geometry)
}

fn reduced((width, height): (u32, u32), shrink: f64) -> (u32, u32) {
    let by = |side: u32| (f64::from(side) / shrink).round().max(1.0) as u32;
    (by(width), by(height))
}

fn flip<const T: usize>(sample: &mut Sample<T>, maps: &[Map; T], swaps: &[(u8, u8)]) {
    let mut other: [u8; 256] = std::array::from_fn(|label| label as u8);
    for (left, right) in swaps {
        (other[usize::from(*left)], other[usize::from(*right)]) = (*right, *left);
    }
    imageops::flip_horizontal_in_place(&mut sample.image);
    for (target, map) in sample.targets.iter_mut().zip(maps) {
        imageops::flip_horizontal_in_place(target);
        if *map == Map::Labels {
            target.iter_mut().for_each(|label| *label = other[usize::from(*label)]);
        }
    }
}

#[cfg(test)]
mod tests;
