//! What happens to a sample between the file and the batch: size, place and colour, the same for every map.

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
/// Either way the picture is stretched to the output's shape, as in evaluation. Labels are never interpolated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Output rows and columns in pixels.
    pub size: [usize; 2],
    /// Probability of a horizontal flip, which also exchanges left and right classes.
    pub flip: f64,
    /// Random scale and rotation; none without this table.
    pub affine: Option<Affine>,
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

/// Random colours of the image: `[augment.colour]`. Each factor is drawn evenly from 1 - x ..= 1 + x.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Colour {
    /// Range of the factor of all values, 0..=1.
    pub brightness: f64,
    /// Range of the factor of the distance from the picture's mean gray, 0..=1.
    pub contrast: f64,
    /// Range of the factor of the distance from each pixel's gray, 0..=1.
    pub saturation: f64,
}

impl Config {
    /// Nothing random: only the size, given as `[rows, columns]`. This is what evaluation uses.
    #[must_use]
    pub fn resize_only(size: [usize; 2]) -> Self {
        Self { size, flip: 0.0, affine: None, colour: None }
    }

    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`Error::Config`] with the key and the range.
    pub fn check(&self) -> Result<(), Error> {
        output_size(self.size)?;
        within("augment.flip", self.flip, 1.0)?;
        if let Some(affine) = &self.affine {
            within("augment.affine.scale-deviation", affine.scale_deviation, 10.0)?;
            within("augment.affine.scale-limit", affine.scale_limit, 0.99)?;
            within("augment.affine.rotation-probability", affine.rotation_probability, 1.0)?;
            within("augment.affine.rotation-deviation", affine.rotation_deviation, 360.0)?;
            within("augment.affine.rotation-limit", affine.rotation_limit, 360.0)?;
        }
        if let Some(colour) = &self.colour {
            within("augment.colour.brightness", colour.brightness, 1.0)?;
            within("augment.colour.contrast", colour.contrast, 1.0)?;
            within("augment.colour.saturation", colour.saturation, 1.0)?;
        }
        Ok(())
    }

    /// Prepares a sample. The result depends on the arguments alone: the random choices come from `seed`, `epoch` and
    /// `index`.
    ///
    /// `maps` and `swaps` are the dataset's. Beyond the picture the image is black, labels are
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
        let geometry = self.geometry(&mut rng)?;
        let jitter = self.jitter(&mut rng);
        let Sample { image, targets } = sample;
        let image = place_image(image, geometry, jitter)?;
        let mut sample = Sample { image, targets: place_targets(targets, maps, geometry) };
        if flips {
            flip(&mut sample, maps, swaps);
        }
        Ok(sample)
    }

    fn geometry(&self, rng: &mut impl Rng) -> Result<Geometry, Error> {
        let (width, height) = output_size(self.size)?;
        let mut geometry = Geometry::resize(width, height);
        if let Some(affine) = &self.affine {
            let spread =
                (affine.scale_deviation * normal(rng)).clamp(-affine.scale_limit, affine.scale_limit);
            let turns = rng.random_bool(affine.rotation_probability);
            let angle = affine.rotation_deviation * normal(rng);
            geometry.scale = 1.0 + spread;
            geometry.degrees =
                if turns { angle.clamp(-affine.rotation_limit, affine.rotation_limit) } else { 0.0 };
        }
        Ok(geometry)
    }

    fn jitter(&self, rng: &mut impl Rng) -> Jitter {
        let mut factor = |range: f64| (1.0 + range * (2.0 * rng.random::<f64>() - 1.0)) as f32;
        let colour = self.colour.unwrap_or(Colour { brightness: 0.0, contrast: 0.0, saturation: 0.0 });
        Jitter {
            brightness: factor(colour.brightness),
            contrast: factor(colour.contrast),
            saturation: factor(colour.saturation),
        }
    }
}

fn within(key: &'static str, value: f64, most: f64) -> Result<(), Error> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::Config { key, reason: format!("{value} is not within 0..={most}") })
}

/// Colours change before a warp, so that what lies beyond the picture stays black.
fn place_image(image: RgbImage, geometry: Geometry, jitter: Jitter) -> Result<RgbImage, Error> {
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
    Ok(if geometry.is_resize() { image } else { warp_image(&image, geometry) })
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
mod tests {
    use super::*;
    use crate::dataset::{Dataset, VOID};
    use crate::edges::edge_map;
    use crate::testing::{Blocks, colour_of, coloured};
    use image::Luma;

    const MAPS: [Map; 2] = [Map::Labels, Map::Border];

    fn paper() -> Affine {
        Affine {
            scale_deviation: 0.25,
            scale_limit: 0.25,
            rotation_probability: 0.6,
            rotation_deviation: 30.0,
            rotation_limit: 60.0,
        }
    }

    fn full(size: [usize; 2]) -> Config {
        let colour = Some(Colour { brightness: 0.3, contrast: 0.3, saturation: 0.3 });
        Config { size, flip: 0.5, affine: Some(paper()), colour }
    }

    #[test]
    fn a_flip_exchanges_left_and_right() {
        let labels = GrayImage::from_raw(3, 1, vec![1, 3, VOID]).unwrap();
        let sample = Sample { image: coloured(&labels), targets: [labels.clone(), edge_map(&labels)] };
        let config = Config { flip: 1.0, ..Config::resize_only([1, 3]) };
        let once = config.apply(sample.clone(), &MAPS, &[(1, 2)], (0, 0, 0)).unwrap();
        assert_eq!(once.targets[0].as_raw(), &[VOID, 3, 2]);
        assert_eq!(once.targets[1], edge_map(&once.targets[0]));
        assert_eq!(once.image.get_pixel(2, 0), &colour_of(1));
        let twice = config.apply(once, &MAPS, &[(1, 2)], (0, 0, 0)).unwrap();
        assert_eq!(twice, sample);
    }

    #[test]
    fn a_flip_leaves_masks_their_values() {
        let mask = GrayImage::from_raw(3, 1, vec![1, 0, 0]).unwrap();
        let sample = Sample { image: RgbImage::new(3, 1), targets: [mask.clone(), mask] };
        let config = Config { flip: 1.0, ..Config::resize_only([1, 3]) };
        let flipped = config.apply(sample, &[Map::Labels, Map::Mask], &[(0, 1)], (0, 0, 0)).unwrap();
        assert_eq!(flipped.targets[0].as_raw(), &[1, 1, 0]);
        assert_eq!(flipped.targets[1].as_raw(), &[0, 0, 1]);
    }

    #[test]
    fn samples_of_the_right_size_stay_as_they_are() {
        let sample = Blocks::new(1, (30, 20)).read(0).unwrap();
        let config = Config::resize_only([20, 30]);
        assert_eq!(config.apply(sample.clone(), &MAPS, &[], (1, 2, 3)).unwrap(), sample);
    }

    #[test]
    fn edges_follow_the_labels_and_not_the_border_of_the_picture() {
        let labels = GrayImage::from_fn(40, 40, |x, _| Luma([u8::from(x >= 20)]));
        let sample = Sample { image: coloured(&labels), targets: [labels.clone(), edge_map(&labels)] };
        let zoomed_out =
            Affine { scale_deviation: 9.0, scale_limit: 0.2, rotation_probability: 0.0, ..paper() };
        let config = Config { affine: Some(zoomed_out), ..Config::resize_only([40, 40]) };
        for epoch in 0..8 {
            let out = config.apply(sample.clone(), &MAPS, &[], (0, epoch, 0)).unwrap();
            let [labels, edges] = &out.targets;
            for (x, _, edge) in
                edges.enumerate_pixels().filter(|(x, y, _)| labels.get_pixel(*x, *y)[0] != VOID)
            {
                assert_eq!(edge[0] == 1, x == 19 || x == 20, "column {x}, epoch {epoch}");
            }
            assert!(edges.pixels().zip(labels.pixels()).all(|(e, l)| l[0] != VOID || e[0] == 0));
        }
    }

    #[test]
    fn everything_at_once_keeps_image_labels_and_edges_together() {
        let set = Blocks::new(3, (90, 70));
        let config = Config { colour: None, ..full([48, 40]) };
        for epoch in 0..20 {
            let out = config.apply(set.read(1).unwrap(), &MAPS, set.swaps(), (7, epoch, 1)).unwrap();
            let [labels, edges] = &out.targets;
            assert_eq!(
                (out.image.dimensions(), labels.dimensions(), edges.dimensions()),
                ((40, 48), (40, 48), (40, 48))
            );
            assert!(labels.iter().all(|label| *label < 4 || *label == VOID));
            assert!(edges.iter().all(|edge| *edge < 2));
            assert!(
                labels
                    .pixels()
                    .zip(out.image.pixels())
                    .all(|(label, colour)| { (label[0] == VOID) == (colour.0 == [0; 3]) }),
                "black where void, epoch {epoch}"
            );
        }
    }

    #[test]
    fn masks_of_their_own_are_resized_without_losing_lines() {
        for column in 0..64 {
            let mask = GrayImage::from_fn(64, 64, |x, _| Luma([u8::from(x == column)]));
            let sample = Sample { image: RgbImage::new(64, 64), targets: [GrayImage::new(64, 64), mask] };
            let config = Config::resize_only([16, 16]);
            let out = config.apply(sample, &[Map::Labels, Map::Mask], &[], (0, 0, 0)).unwrap();
            assert!(out.targets[1].enumerate_pixels().all(|(x, _, v)| (v[0] == 1) == (x == column / 4)));
        }
    }

    #[test]
    fn a_warp_that_shrinks_does_not_alias() {
        let checks = RgbImage::from_fn(64, 64, |x, y| image::Rgb([200 * ((x + y) % 2) as u8; 3]));
        let turn = Geometry { degrees: 10.0, ..Geometry::resize(16, 16) };
        let jitter = Jitter { brightness: 1.0, contrast: 1.0, saturation: 1.0 };
        let small = place_image(checks, turn, jitter).unwrap();
        let middle = imageops::crop_imm(&small, 4, 4, 8, 8).to_image();
        assert!(middle.iter().all(|v| v.abs_diff(100) < 12), "{:?}", middle.as_raw());
    }

    #[test]
    fn random_numbers_come_from_seed_epoch_and_index() {
        let set = Blocks::new(2, (40, 40));
        let config = full([32, 32]);
        let made = |key| config.apply(set.read(0).unwrap(), &MAPS, set.swaps(), key).unwrap();
        assert_eq!(made((1, 2, 3)), made((1, 2, 3)));
        for key in [(9, 2, 3), (1, 9, 3), (1, 2, 9)] {
            assert_ne!(made((1, 2, 3)), made(key));
        }
    }

    #[test]
    fn draws_have_the_published_spread() {
        let config = full([10, 10]);
        let drawn: Vec<Geometry> = (0..4000)
            .map(|index| config.geometry(&mut stream(0, Purpose::Augment, 0, index)).unwrap())
            .collect();
        let share =
            |holds: &dyn Fn(&Geometry) -> bool| drawn.iter().filter(|g| holds(g)).count() as f64 / 4000.0;
        assert!(drawn.iter().all(|g| (0.75..=1.25).contains(&g.scale) && g.degrees.abs() <= 60.0));
        // A deviation lies inside of 1 in 68 % of all draws, and beyond 2 in 4.6 %.
        assert!((share(&|g| g.scale > 0.75 && g.scale < 1.25) - 0.683).abs() < 0.03);
        assert!((share(&|g| g.degrees != 0.0) - 0.6).abs() < 0.03);
        assert!((share(&|g| g.degrees.abs() == 60.0) - 0.6 * 0.0455).abs() < 0.01);
    }

    #[test]
    fn settings_are_strict() {
        let parse = |text: &str| toml::from_str::<Config>(text).map_err(|e| e.to_string());
        let affine = "scale-deviation = 0.25\nscale-limit = 0.25\nrotation-probability = 0.6\nrotation-deviation = 30\nrotation-limit = 60.0";
        let config = parse(&format!("size = [473, 473]\nflip = 0.5\n[affine]\n{affine}")).unwrap();
        assert_eq!(config.affine, Some(paper()));
        assert_eq!(config.colour, None);
        let error = parse("size = [4, 4]\nflip = 0.5\nflop = 1").unwrap_err();
        assert!(error.contains("line 3") && error.contains("unknown field `flop`"), "{error}");
        assert!(parse("size = [4, 4]").unwrap_err().contains("missing field `flip`"));
        let wrong = Config { flip: 1.5, ..Config::resize_only([4, 4]) };
        assert_eq!(wrong.check().unwrap_err().to_string(), "augment.flip: 1.5 is not within 0..=1");
        assert!(Config { flip: f64::NAN, ..wrong }.check().is_err());
        assert!(Config::resize_only([0, 4]).check().is_err());
    }
}
