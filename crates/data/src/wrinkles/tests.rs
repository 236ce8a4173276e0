//! What every set of wrinkles must keep: the same bytes again, masks that fit the picture, distractors that fool a filter.

use super::family;
use super::scene::Scene;
use super::{CLASSES, Config, Wrinkles, render};
use crate::dataset::{Dataset, Sample, Split};
use crate::drawing::dice::Dice;
use crate::ridge::ridge_strength;

#[test]
fn the_same_seed_and_index_give_the_same_bytes() {
    let alone = render(5, 3, 80);
    for index in 0..3 {
        assert_ne!(render(5, index, 80).image, alone.image);
    }
    assert_eq!(render(5, 3, 80), alone);
    assert_ne!(render(6, 3, 80).image, alone.image);
    let elsewhere = std::thread::spawn(|| render(5, 3, 80)).join().unwrap();
    assert_eq!(elsewhere, alone);
}

/// Share of the pixels that are wrinkle.
fn share(skin: &Sample<1>) -> f64 {
    let marked: u64 = skin.targets[0].iter().map(|v| u64::from(*v)).sum();
    marked as f64 / skin.targets[0].len() as f64
}

#[test]
fn masks_are_thin_lines_of_two_values_and_seldom_empty() {
    let shares: Vec<f64> = (0..60)
        .map(|index| render(2, index, 64))
        .inspect(|skin| assert!(skin.targets[0].iter().all(|v| *v <= 1)))
        .map(|skin| share(&skin))
        .collect();
    let empty = shares.iter().filter(|share| **share == 0.0).count();
    let mean = shares.iter().sum::<f64>() / 60.0;
    assert!((1..=12).contains(&empty) && (0.03..0.1).contains(&mean), "{empty} {mean}");
    assert!(shares.iter().all(|share| *share < 0.25));
}

#[test]
fn another_size_shows_the_same_scene() {
    let (mut both, mut either) = (0, 0);
    for index in 0..12 {
        let (small, large) = (render(4, index, 128), render(4, index, 256));
        for (x, y, here) in small.targets[0].enumerate_pixels() {
            let there = large.targets[0].get_pixel(2 * x, 2 * y);
            both += u32::from(here[0] & there[0]);
            either += u32::from(here[0] | there[0]);
        }
    }
    let iou = f64::from(both) / f64::from(either);
    assert!(iou > 0.7, "half a pixel's shift, no more: {iou}");
}

/// Brightness of a scene without noise, marks or hairs, and its mask.
fn bare(index: u64, size: usize) -> (Vec<f64>, Vec<u8>) {
    let scene = Scene::draw(&mut Dice::of_sample(9, index)).bare();
    let (image, mask) = scene.paint(size);
    (image.pixels().map(|p| f64::from(p[1])).collect(), mask.into_raw())
}

#[test]
fn wrinkles_are_darker_than_the_skin_beside_them() {
    let size = 128;
    let mut pictures = 0;
    for index in 0..16 {
        let (brightness, mask) = bare(index, size);
        let (mut inside, mut beside) = (Mean::default(), Mean::default());
        for i in 6 * size + 6..(size - 6) * size - 6 {
            if mask[i] == 1 {
                inside.add(brightness[i]);
                let neighbours = [i - 6, i + 6, i - 6 * size, i + 6 * size];
                neighbours.into_iter().filter(|n| mask[*n] == 0).for_each(|n| beside.add(brightness[n]));
            }
        }
        if inside.count > 0.0 {
            pictures += 1;
            let (inside, beside) = (inside.sum / inside.count, beside.sum / beside.count);
            assert!(inside < 0.97 * beside, "picture {index}: {inside} {beside}");
        }
    }
    assert!(pictures > 8);
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }
}

#[test]
fn lines_come_in_families_and_differ_in_width_and_depth() {
    let families: Vec<_> = (0..100).map(|index| family::draw(&mut Dice::of_sample(1, index))).collect();
    let many = families.iter().filter(|lines| lines.len() >= 3).count();
    assert!(many > 80, "{many}");
    let widths: Vec<f32> = families.iter().flatten().map(|line| line.half_width).collect();
    let (thin, wide) = widths.iter().fold((1.0_f32, 0.0_f32), |(a, b), w| (a.min(*w), b.max(*w)));
    assert!(thin < 0.006 && wide > 0.014, "{thin} {wide}");
    assert!(families.iter().flatten().all(|line| line.darkness >= 0.16));
}

#[test]
fn a_filter_for_dark_lines_finds_wrinkles_and_takes_hairs_for_them() {
    let size = 128;
    let pictures: Vec<(Sample<1>, Vec<f32>)> = (0..10)
        .map(|index| render(1, index, size))
        .map(|skin| (ridge_strength(&skin.image, &[1.0, 2.0]).unwrap(), skin))
        .map(|(strength, skin)| (skin, strength))
        .collect();
    let best = (1..40).map(|k| f1(&pictures, k as f32 * 0.02)).fold(0.0, f64::max);
    assert!((0.2..0.6).contains(&best), "{best}");
}

/// F1 of the pixels that the filter gives more than a threshold.
fn f1(pictures: &[(Sample<1>, Vec<f32>)], threshold: f32) -> f64 {
    let (mut both, mut total) = (0_u32, 0_u32);
    for (skin, strength) in pictures {
        for (truth, value) in skin.targets[0].iter().zip(strength) {
            let predicted = *value > threshold;
            both += u32::from(predicted && *truth == 1);
            total += u32::from(predicted) + u32::from(*truth);
        }
    }
    2.0 * f64::from(both) / f64::from(total.max(1))
}

fn config() -> Config {
    toml::from_str("seed = 3\nsize = 64\ntrain = 4\nval = 2\ntest = 3\n").unwrap()
}

#[test]
fn splits_share_no_picture() {
    let mut ids = Vec::new();
    let mut pictures = Vec::new();
    for split in Split::ALL {
        let set = Wrinkles::open(&config(), split).unwrap();
        ids.extend((0..set.len()).map(|i| set.id(i)));
        pictures.extend((0..set.len()).map(|i| set.read(i).unwrap().image));
        assert!(set.swaps().is_empty());
        assert_eq!(set.classes(), CLASSES);
    }
    for a in 0..9 {
        assert!((0..a).all(|b| ids[a] != ids[b] && pictures[a] != pictures[b]));
    }
    let test = Wrinkles::open(&config(), Split::Test).unwrap();
    assert_eq!((test.id(0), test.len()), ("wrinkles-000000".into(), 3));
    let grown = Wrinkles::open(&Config { train: 9, ..config() }, Split::Val).unwrap();
    assert_eq!(grown.id(1), "wrinkles-000004");
}

#[test]
fn faults_in_the_settings_are_told() {
    let told = |config: &Config| Wrinkles::open(config, Split::Val).unwrap_err().to_string();
    assert_eq!(told(&Config { size: 8, ..config() }), "size: 8 pixels; wrinkles need 64..=4096");
    assert_eq!(told(&Config { val: 0, ..config() }), "val: 0 pictures; a split needs at least one");
    let set = Wrinkles::open(&config(), Split::Val).unwrap();
    assert_eq!(set.read(2).unwrap_err().to_string(), "sample 2 does not exist: the set has 2 samples");
    assert!(toml::from_str::<Config>("seed = 3\nsize = 64\ntrain = 4\nval = 2\n").is_err());
    let more = "seed = 3\nsize = 64\ntrain = 4\nval = 2\ntest = 1\nwidth = 3";
    assert!(toml::from_str::<Config>(more).is_err());
}
