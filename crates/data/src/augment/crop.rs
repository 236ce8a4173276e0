//! A random window of the scaled picture.

use rand::Rng;
use serde::Deserialize;

use crate::error::Error;
use crate::geometry::Geometry;

/// A random window of the picture instead of the whole one: `[augment.crop]`.
///
/// The picture is scaled with its shape kept, and the window of `augment.size` lies anywhere in it with equal chance.
/// The scale is drawn evenly, not evenly in its logarithm, as mmsegmentation's `ratio_range` does; there the factor is
/// of a fixed `img_scale`, here of the sample's own size. Labels of thin lines break up below a scale of 1, because they
/// are taken from the nearest pixel: `[1.0, 1.0]` copies pixels and labels as they are.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Crop {
    /// Least and greatest factor of the sample's own size, above 0 and at most 16. Above 1 the picture grows.
    pub scale: [f64; 2],
    /// What happens when the scaled picture is smaller than the window on a side.
    pub smaller: Smaller,
}

/// What happens when a scaled picture is smaller than the window, in width or height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Smaller {
    /// It keeps its scale and lies anywhere in the window with equal chance. Beyond it the image has the colour `augment.fill`, labels are
    /// [`VOID`](crate::VOID) and masks 0. (mmsegmentation pads at the right and below only.)
    Pad,
    /// The whole picture is stretched to the window.
    Resize,
}

/// So large a picture still has sides that fit into 32 bits.
const MOST: f64 = 16.0;

impl Crop {
    /// Checks the range of scales.
    pub(super) fn check(&self) -> Result<(), Error> {
        let [least, most] = self.scale;
        if least > 0.0 && least <= most && most <= MOST {
            return Ok(());
        }
        let reason = format!(
            "[{least}, {most}] must be two factors above 0 and at most {MOST}, the smaller one first"
        );
        Err(Error::Config { key: "augment.crop.scale", reason })
    }

    /// Draws the window of this output size for a picture of this size, both width and height.
    pub(super) fn window(&self, rng: &mut impl Rng, picture: (u32, u32), output: (u32, u32)) -> Geometry {
        let [least, most] = self.scale;
        let scale = least + (most - least) * rng.random::<f64>();
        // Every sample takes the same number of draws, whatever its size.
        let (across, down) = (rng.random::<f64>(), rng.random::<f64>());
        let scaled = |side: u32| (f64::from(side) * scale).round().max(1.0) as u32;
        let (width, height) = (scaled(picture.0), scaled(picture.1));
        let plain = Geometry::resize(output.0, output.1);
        if self.smaller == Smaller::Resize && (width < output.0 || height < output.1) {
            return plain;
        }
        let corner = (place(width, output.0, across), place(height, output.1, down));
        Geometry { picture: (width, height), corner, ..plain }
    }
}

/// First pixel of a window on a side: one of all that keep the shorter of the two inside the longer.
fn place(picture: u32, window: u32, share: f64) -> i64 {
    let room = i64::from(picture) - i64::from(window);
    let step = (share * (room.unsigned_abs() + 1) as f64) as i64;
    step.min(room.abs()) * room.signum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Config;
    use crate::dataset::{Dataset, Map, Sample, VOID};
    use crate::edges::edge_map;
    use crate::testing::{Blocks, colour_of, coloured};
    use image::{GrayImage, Luma, RgbImage, imageops};
    use proptest::prelude::*;

    const MAPS: [Map; 3] = [Map::Labels, Map::Border, Map::Mask];

    fn cropping(size: [usize; 2], scale: [f64; 2], smaller: Smaller) -> Config {
        Config { crop: Some(Crop { scale, smaller }), ..Config::resize_only(size) }
    }

    /// A sample whose labels tell their place: column and row are in the colours, and no two pixels are alike.
    fn numbered(width: u32, height: u32) -> Sample<3> {
        let labels = GrayImage::from_fn(width, height, |x, y| Luma([((x * 7 + y * 3) % 250) as u8]));
        let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8 + 1, y as u8 + 1, 7]));
        let mask = GrayImage::from_fn(width, height, |x, y| Luma([u8::from((x + y) % 3 == 0)]));
        Sample { image, targets: [labels.clone(), edge_map(&labels), mask] }
    }

    #[test]
    fn without_scale_pixels_are_copied() {
        let sample = numbered(60, 50);
        let config = cropping([20, 30], [1.0, 1.0], Smaller::Pad);
        let mut corners = std::collections::HashSet::new();
        for epoch in 0..200 {
            let out = config.apply(sample.clone(), &MAPS, &[], (1, epoch, 0)).unwrap();
            let [left, top, _] = out.image.get_pixel(0, 0).0.map(u32::from);
            let (left, top) = (left - 1, top - 1);
            let window = |map: &GrayImage| imageops::crop_imm(map, left, top, 30, 20).to_image();
            assert_eq!(out.image, imageops::crop_imm(&sample.image, left, top, 30, 20).to_image());
            assert_eq!(out.targets[0], window(&sample.targets[0]));
            assert_eq!(out.targets[1], edge_map(&out.targets[0]));
            assert_eq!(out.targets[2], window(&sample.targets[2]));
            corners.insert((left, top));
        }
        let reach = |side: fn(&(u32, u32)) -> u32| {
            (corners.iter().map(side).min().unwrap(), corners.iter().map(side).max().unwrap())
        };
        assert_eq!((reach(|corner| corner.0), reach(|corner| corner.1)), ((0, 30), (0, 30)));
    }

    #[test]
    fn a_small_picture_is_padded_with_black_void_and_zero() {
        let sample = numbered(10, 40);
        let config = cropping([20, 16], [1.0, 1.0], Smaller::Pad);
        for epoch in 0..20 {
            let out = config.apply(sample.clone(), &MAPS, &[], (1, epoch, 0)).unwrap();
            assert_eq!(out.image.dimensions(), (16, 20));
            let column = (0..16).find(|x| out.image.get_pixel(*x, 0).0 != [0; 3]).unwrap();
            assert!(column <= 6);
            for (x, y, label) in out.targets[0].enumerate_pixels() {
                let inside = (column..column + 10).contains(&x);
                assert_eq!((label[0] != VOID, out.image.get_pixel(x, y)[2] != 0), (inside, inside));
                assert!(
                    inside
                        || (out.targets[1].get_pixel(x, y)[0], out.targets[2].get_pixel(x, y)[0]) == (0, 0)
                );
            }
        }
    }

    #[test]
    fn a_small_picture_is_stretched_if_asked() {
        let sample = numbered(10, 40);
        let config = cropping([20, 16], [1.0, 1.0], Smaller::Resize);
        let whole = Config::resize_only([20, 16]);
        assert_eq!(
            config.apply(sample.clone(), &MAPS, &[], (1, 2, 3)).unwrap(),
            whole.apply(sample, &MAPS, &[], (1, 2, 3)).unwrap()
        );
    }

    #[test]
    fn the_same_key_gives_the_same_window() {
        let set = Blocks::new(1, (90, 70));
        let config = cropping([32, 32], [0.5, 2.0], Smaller::Pad);
        let made = |key| config.apply(set.read(0).unwrap(), &set.maps(), set.swaps(), key).unwrap();
        assert_eq!(made((1, 2, 3)), made((1, 2, 3)));
        for key in [(9, 2, 3), (1, 9, 3), (1, 2, 9)] {
            assert_ne!(made((1, 2, 3)), made(key));
        }
    }

    #[test]
    fn settings_are_strict() {
        let parse = |text: &str| toml::from_str::<Crop>(text).map_err(|e| e.to_string());
        let crop = parse("scale = [0.5, 2.0]\nsmaller = \"pad\"").unwrap();
        assert_eq!(crop, Crop { scale: [0.5, 2.0], smaller: Smaller::Pad });
        let error = parse("scale = [0.5, 2.0]\nsmaller = \"crop\"").unwrap_err();
        assert!(error.contains("`pad` or `resize`"), "{error}");
        for scale in [[0.0, 1.0], [2.0, 1.0], [1.0, 17.0], [f64::NAN, 1.0]] {
            let error = Crop { scale, ..crop }.check().unwrap_err().to_string();
            assert!(error.starts_with("augment.crop.scale: ["), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn image_and_labels_move_together(
            size in (8u32..90, 8u32..90), output in (8usize..60, 8usize..60), scale in 0.5f64..2.0,
            pads: bool, flip: bool, turns: bool, epoch in 0usize..1000,
        ) {
            let labels = GrayImage::from_fn(size.0, size.1, |x, y| Luma([(x / 12 + 3 * (y / 12)) as u8 % 4]));
            let sample = Sample { image: coloured(&labels), targets: [labels.clone(), edge_map(&labels), labels] };
            let affine = turns.then_some(crate::augment::Affine {
                scale_deviation: 0.2,
                scale_limit: 0.25,
                rotation_probability: 1.0,
                rotation_deviation: 20.0,
                rotation_limit: 45.0,
            });
            let smaller = if pads { Smaller::Pad } else { Smaller::Resize };
            let config = cropping([output.1, output.0], [scale, scale], smaller);
            let config = Config { flip: f64::from(u8::from(flip)), affine, ..config };
            let out = config.apply(sample, &MAPS, &[], (3, epoch, 0)).unwrap();
            let labels = &out.targets[0];
            prop_assert_eq!(labels.dimensions(), (output.0 as u32, output.1 as u32));
            // So many output pixels does one pixel of the picture reach, at most.
            let grows = scale.max(output.0 as f64 / f64::from(size.0)).max(output.1 as f64 / f64::from(size.1));
            let reach = (grows / 0.75).ceil() as u32 + 1;
            for (x, y, label) in labels.enumerate_pixels() {
                let colour = *out.image.get_pixel(x, y);
                prop_assert_eq!(colour.0 == [0; 3], label[0] == VOID, "black where void");
                let span = |at: u32| (0..=2 * reach).map(move |step| (at + step).wrapping_sub(reach));
                if span(y).all(|row| span(x).all(|column| labels.get_pixel_checked(column, row) == Some(label))) {
                    prop_assert!(label[0] == VOID || colour == colour_of(label[0]));
                }
            }
        }
    }
}
