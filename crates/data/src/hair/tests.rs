//! What every set of hair must keep: the same bytes again, masks that fit the picture, all styles, and nothing else labelled.

use image::{GrayImage, RgbImage};

use super::scene::{Scene, mask_of};
use super::{CLASSES, Config, Hair, Style, render};
use crate::dataset::{Dataset, Sample, Split};
use crate::drawing::canvas::Canvas;
use crate::drawing::colour::{Rgb, WHITE};
use crate::drawing::dice::Dice;
use crate::faces::portrait::Portrait;

#[test]
fn the_same_seed_and_index_give_the_same_bytes() {
    let alone = render(5, 9, 64);
    for index in 0..9 {
        assert_ne!(render(5, index, 64).image, alone.image);
    }
    assert_eq!(render(5, 9, 64), alone);
    assert_ne!(render(6, 9, 64).image, alone.image);
    let elsewhere = std::thread::spawn(|| render(5, 9, 64)).join().unwrap();
    assert_eq!(elsewhere, alone);
}

/// Share of the pixels that are hair.
fn share(picture: &Sample<1>) -> f64 {
    let marked: u64 = picture.targets[0].iter().map(|v| u64::from(*v)).sum();
    marked as f64 / picture.targets[0].len() as f64
}

#[test]
fn every_style_has_hair_in_a_sane_share() {
    let mut shares = vec![Vec::new(); 7];
    for index in 0..140 {
        let picture = render(2, index, 64);
        assert!(picture.targets[0].iter().all(|v| *v <= 1));
        shares[Style::of_picture(index) as usize].push(share(&picture));
    }
    for (style, shares) in Style::ALL.iter().zip(shares) {
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let (low, high) = if *style == Style::Short { (0.02, 0.12) } else { (0.08, 0.35) };
        assert!(shares.len() == 20 && (low..high).contains(&mean), "{style}: {mean}");
        let some = shares.iter().filter(|share| **share > 0.003).count();
        assert!(some >= 18 && shares.iter().all(|share| *share < 0.9), "{style}: {shares:?}");
    }
}

/// A scene in two colours, white where hair lies.
fn flat(index: u64, size: usize) -> (RgbImage, GrayImage) {
    fn two(class: u8) -> Rgb {
        if class == Portrait::HAIR { Rgb([1.0; 3]) } else { Rgb([0.0; 3]) }
    }
    let mut canvas = Canvas::new(size, Some(two));
    Scene::draw(&mut Dice::of_sample(3, index), Style::of_picture(index)).paint(&mut canvas);
    let (image, labels) = canvas.into_images();
    (image, mask_of(labels))
}

#[test]
fn the_mask_is_where_hair_covers_half_of_a_pixel() {
    for index in 0..35 {
        let (image, mask) = flat(index, 96);
        assert_eq!(mask, render(3, index, 96).targets[0], "light and camera change no label");
        let wrong = image.pixels().zip(mask.pixels()).filter(|(c, m)| (c[0] >= 128) != (m[0] == 1)).count();
        // Two parts that share a border each leave a little of the pixel to what is behind.
        assert!(wrong * 200 < 96 * 96, "picture {index}: {wrong}");
    }
}

#[test]
fn another_size_shows_the_same_scene() {
    let (mut both, mut either) = (0, 0);
    for index in 0..14 {
        let (small, large) = (render(4, index, 96), render(4, index, 192));
        for (x, y, here) in small.targets[0].enumerate_pixels() {
            let there = large.targets[0].get_pixel(2 * x, 2 * y);
            both += u32::from(here[0] & there[0]);
            either += u32::from(here[0] | there[0]);
        }
    }
    let iou = f64::from(both) / f64::from(either);
    assert!(iou > 0.85, "half a pixel's shift, no more: {iou}");
}

#[test]
fn what_looks_like_hair_is_not_labelled() {
    let (mut beards, mut hats, mut furs) = (0, 0, 0);
    for index in 0..140 {
        let scene = Scene::draw(&mut Dice::of_sample(7, index), Style::of_picture(index));
        let bare = scene.without_hair();
        let mut canvas = Canvas::new(48, None);
        bare.paint(&mut canvas);
        assert!(mask_of(canvas.into_images().1).iter().all(|label| *label == 0), "picture {index}");
        let [beard, hat, fur] = scene.distractors();
        (beards, hats, furs) = (beards + u32::from(beard), hats + u32::from(hat), furs + u32::from(fur));
    }
    assert!(beards >= 10 && hats >= 10 && furs >= 15, "{beards} {hats} {furs}");
}

#[test]
fn a_hat_hides_hair() {
    let (mut covered, mut open) = ((0.0, 0.0), (0.0, 0.0));
    for index in 0..140 {
        let scene = Scene::draw(&mut Dice::of_sample(7, index), Style::of_picture(index));
        let [_, hat, _] = scene.distractors();
        let sum = if hat { &mut covered } else { &mut open };
        *sum = (sum.0 + share(&render(7, index, 48)), sum.1 + 1.0);
    }
    assert!(covered.0 / covered.1 < 0.85 * open.0 / open.1, "{covered:?} {open:?}");
}

#[test]
fn some_pictures_are_grey() {
    let grey = |picture: &Sample<1>| picture.image.pixels().all(|p| p[0] == p[1] && p[1] == p[2]);
    let count = (0..100).filter(|index| grey(&render(1, *index, 32))).count();
    assert!((4..25).contains(&count), "{count}");
}

#[test]
fn a_grey_colour_is_as_bright_as_it_was() {
    assert!((Rgb([0.5; 3]).luma() - 0.5).abs() < 1e-6 && WHITE.luma() > 0.95);
    assert!(Rgb([0.0, 1.0, 0.0]).luma() > Rgb([1.0, 0.0, 0.0]).luma());
}

fn config() -> Config {
    toml::from_str("seed = 3\nsize = 32\ntrain = 4\nval = 2\ntest = 3\n").unwrap()
}

#[test]
fn splits_share_no_picture_and_know_their_styles() {
    let (mut ids, mut pictures, mut styles) = (Vec::new(), Vec::new(), Vec::new());
    for split in [Split::Test, Split::Val, Split::Train] {
        let set = Hair::open(&config(), split).unwrap();
        ids.extend((0..set.len()).map(|i| set.id(i)));
        pictures.extend((0..set.len()).map(|i| set.read(i).unwrap().image));
        styles.extend((0..set.len()).map(|i| set.style(i)));
        assert!(set.swaps().is_empty());
        assert_eq!(set.classes(), CLASSES);
    }
    for a in 0..9 {
        assert!((0..a).all(|b| ids[a] != ids[b] && pictures[a] != pictures[b]));
    }
    assert_eq!((&styles[..7], styles[7]), (&Style::ALL[..], Style::Straight));
    let grown = Hair::open(&Config { train: 9, ..config() }, Split::Val).unwrap();
    assert_eq!(grown.id(1), "hair-000004");
}

#[test]
fn faults_in_the_settings_are_told() {
    let told = |config: &Config| Hair::open(config, Split::Val).unwrap_err().to_string();
    assert_eq!(told(&Config { size: 8, ..config() }), "size: 8 pixels; hair needs 32..=4096");
    assert_eq!(told(&Config { val: 0, ..config() }), "val: 0 pictures; a split needs at least one");
    let set = Hair::open(&config(), Split::Val).unwrap();
    assert_eq!(set.read(2).unwrap_err().to_string(), "sample 2 does not exist: the set has 2 samples");
    assert!(toml::from_str::<Config>("seed = 3\nsize = 64\ntrain = 4\nval = 2\n").is_err());
    let more = "seed = 3\nsize = 64\ntrain = 4\nval = 2\ntest = 1\nwidth = 3";
    assert!(toml::from_str::<Config>(more).is_err());
}
