//! What every set of faces must keep: the same bytes again, labels that fit the picture, classes often enough.

use image::{GrayImage, RgbImage};

use super::canvas::Canvas;
use super::colour::Rgb;
use super::dice::Dice;
use super::scene::Scene;
use super::{Config, Faces, class, render};
use crate::dataset::{Dataset, Split};
use crate::edges::edge_map;
use crate::nia;

const CLASSES: usize = nia::CLASSES.len();

#[test]
fn the_same_seed_and_index_give_the_same_bytes() {
    let alone = render(5, 9, 80);
    for index in 0..9 {
        assert_ne!(render(5, index, 80).image, alone.image);
    }
    assert_eq!(render(5, 9, 80), alone);
    assert_ne!(render(6, 9, 80).image, alone.image);
    let elsewhere = std::thread::spawn(|| render(5, 9, 80)).join().unwrap();
    assert_eq!(elsewhere, alone);
}

#[test]
fn class_values_are_the_places_of_their_names() {
    let named = [
        ("background", class::BACKGROUND),
        ("skin", class::SKIN),
        ("l_brow", class::L_BROW),
        ("r_brow", class::R_BROW),
        ("l_eye", class::L_EYE),
        ("r_eye", class::R_EYE),
        ("eye_g", class::GLASSES),
        ("l_ear", class::L_EAR),
        ("r_ear", class::R_EAR),
        ("ear_r", class::EARRING),
        ("nose", class::NOSE),
        ("mouth", class::MOUTH),
        ("u_lip", class::U_LIP),
        ("l_lip", class::L_LIP),
        ("neck", class::NECK),
        ("neck_l", class::NECKLACE),
        ("cloth", class::CLOTH),
        ("hair", class::HAIR),
        ("hat", class::HAT),
    ];
    for (name, value) in named {
        assert_eq!(nia::CLASSES[usize::from(value)], name);
    }
}

/// A scene painted without light, each part in a colour of its class.
fn flat(index: u64, size: usize) -> (RgbImage, GrayImage) {
    let mut canvas = Canvas::new(size, Some(class_colour));
    Scene::draw(&mut Dice::of_sample(3, index)).paint(&mut canvas);
    canvas.into_images()
}

/// A colour for each class, far from the others: points of a 3 x 3 x 3 lattice.
fn class_colour(class: u8) -> Rgb {
    Rgb([class / 9, class / 3 % 3, class % 3].map(|digit| f32::from(digit) / 2.0))
}

/// Share of the pixels amid a 3 x 3 neighbourhood of one label whose colour is that label's, with at most `off` of 255
/// from others in any channel: abutting parts let a little through.
fn agreement(image: &RgbImage, labels: &GrayImage, off: f32) -> f64 {
    let (mut inner, mut right) = (0_u32, 0_u32);
    for y in 1..labels.height() - 1 {
        for x in 1..labels.width() - 1 {
            let label = labels.get_pixel(x, y)[0];
            if (0..9).all(|k| labels.get_pixel(x + k % 3 - 1, y + k / 3 - 1)[0] == label) {
                let want = class_colour(label).0.map(|c| c * 255.0);
                let got = image.get_pixel(x, y).0.map(f32::from);
                inner += 1;
                right += u32::from((0..3).all(|c| (want[c] - got[c]).abs() < off));
            }
        }
    }
    f64::from(right) / f64::from(inner)
}

/// The map moved by some pixels to the right; its first column is repeated.
fn moved(labels: &GrayImage, by: u32) -> GrayImage {
    GrayImage::from_fn(labels.width(), labels.height(), |x, y| *labels.get_pixel(x.saturating_sub(by), y))
}

#[test]
fn flat_colours_are_those_of_the_labels() {
    let mut moved_agreement = 0.0;
    for index in 0..40 {
        let (image, labels) = flat(index, 96);
        let (pure, nearest) = (agreement(&image, &labels, 3.0), agreement(&image, &labels, 62.0));
        assert!(pure > 0.99 && nearest > 0.9995, "face {index}: {pure} {nearest}");
        moved_agreement += agreement(&image, &moved(&labels, 2), 62.0) / 40.0;
    }
    assert!(moved_agreement < 0.99, "the check must notice a shift: {moved_agreement}");
}

#[test]
fn flat_and_lit_scenes_have_the_same_labels() {
    for index in 0..10 {
        assert_eq!(flat(index, 64).1, render(3, index, 64).targets[0]);
    }
}

/// Mean colour difference between neighbours that a label border separates.
fn contrast(image: &RgbImage, labels: &GrayImage) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for y in 0..labels.height() {
        for x in 1..labels.width() {
            if labels.get_pixel(x, y) != labels.get_pixel(x - 1, y) {
                let (a, b) = (image.get_pixel(x, y), image.get_pixel(x - 1, y));
                sum += (0..3).map(|c| f64::from(a[c].abs_diff(b[c]))).sum::<f64>();
                count += 1.0;
            }
        }
    }
    sum / count
}

#[test]
fn the_picture_changes_where_the_label_does() {
    let (mut at_borders, mut beside) = (0.0, 0.0);
    for index in 0..20 {
        let face = render(3, index, 128);
        at_borders += contrast(&face.image, &face.targets[0]);
        beside += contrast(&face.image, &moved(&face.targets[0], 3));
    }
    assert!(at_borders > 1.8 * beside, "{at_borders} {beside}");
}

#[test]
fn every_class_is_there_often_enough() {
    let faces = 300;
    let mut present = [0; CLASSES];
    for index in 0..faces {
        let face = render(11, index, 64);
        let mut pixels = [0; CLASSES];
        for label in face.targets[0].iter() {
            pixels[usize::from(*label)] += 1;
        }
        assert_eq!(face.targets[1], edge_map(&face.targets[0]));
        for class in 0..CLASSES {
            present[class] += u64::from(pixels[class] > 3);
        }
    }
    for (class, name) in nia::CLASSES.iter().enumerate() {
        let least = match *name {
            "eye_g" | "ear_r" | "neck_l" | "hat" => 0.24,
            "mouth" => 0.45,
            "l_ear" | "r_ear" => 0.55,
            "l_brow" | "r_brow" | "l_eye" | "r_eye" | "hair" | "cloth" => 0.8,
            _ => 0.97,
        };
        let share = present[class] as f64 / faces as f64;
        assert!(share >= least, "{name}: {share}");
    }
}

#[test]
fn another_size_shows_the_same_scene() {
    let (mut both, mut either) = ([0.0; CLASSES], [0.0; CLASSES]);
    for index in 0..40 {
        let (small, large) = (render(4, index, 128), render(4, index, 256));
        for (x, y, label) in small.targets[0].enumerate_pixels() {
            let (a, b) = (usize::from(label[0]), usize::from(large.targets[0].get_pixel(2 * x, 2 * y)[0]));
            either[a] += 1.0;
            if a == b {
                both[a] += 1.0;
            } else {
                either[b] += 1.0;
            }
        }
    }
    for (class, name) in nia::CLASSES.iter().enumerate() {
        let iou = both[class] / either[class];
        let least = if iou_is_thin(name) { 0.7 } else { 0.9 };
        assert!(iou > least, "{name}: {iou}");
    }
}

/// True for parts of a few pixels' width, which a half pixel's shift changes much.
fn iou_is_thin(name: &str) -> bool {
    !matches!(name, "background" | "skin" | "nose" | "neck" | "cloth" | "hair" | "hat")
}

#[test]
fn the_left_eye_is_on_the_right_side() {
    let mut right = 0;
    for index in 0..60 {
        let labels = &render(8, index, 64).targets[0];
        let middle = |class: u8| {
            let columns =
                labels.enumerate_pixels().filter(|(_, _, label)| label[0] == class).map(|(x, _, _)| x);
            let (sum, count) = columns.fold((0, 0), |(sum, count), x| (sum + x, count + 1));
            f64::from(sum) / f64::from(count)
        };
        let (left_eye, right_eye) = (middle(class::L_EYE), middle(class::R_EYE));
        right += u32::from(left_eye.is_nan() || right_eye.is_nan() || left_eye > right_eye);
    }
    assert_eq!(right, 60);
}

fn config() -> Config {
    toml::from_str("seed = 3\nsize = 32\ntrain = 4\nval = 2\ntest = 3\n").unwrap()
}

#[test]
fn splits_share_no_face() {
    let mut ids = Vec::new();
    let mut pictures = Vec::new();
    for split in Split::ALL {
        let faces = Faces::open(&config(), split).unwrap();
        ids.extend((0..faces.len()).map(|i| faces.id(i)));
        pictures.extend((0..faces.len()).map(|i| faces.read(i).unwrap().image));
        assert_eq!(faces.swaps(), nia::SWAPS);
        assert_eq!(faces.classes(), nia::CLASSES);
    }
    for a in 0..9 {
        assert!((0..a).all(|b| ids[a] != ids[b] && pictures[a] != pictures[b]));
    }
    let test = Faces::open(&config(), Split::Test).unwrap();
    assert_eq!((test.id(0), test.len()), ("face-000000".into(), 3));
    let grown = Faces::open(&Config { train: 9, ..config() }, Split::Val).unwrap();
    assert_eq!(grown.id(1), "face-000004");
}

#[test]
fn faults_in_the_settings_are_told() {
    let told = |config: &Config| Faces::open(config, Split::Val).unwrap_err().to_string();
    assert_eq!(told(&Config { size: 8, ..config() }), "size: 8 pixels; a face needs 16..=4096");
    assert_eq!(told(&Config { val: 0, ..config() }), "val: 0 pictures; a split needs at least one");
    let faces = Faces::open(&config(), Split::Val).unwrap();
    assert_eq!(faces.read(2).unwrap_err().to_string(), "sample 2 does not exist: the set has 2 samples");
    assert!(toml::from_str::<Config>("seed = 3\nsize = 32\ntrain = 4\nval = 2\n").is_err());
    assert!(
        toml::from_str::<Config>("seed = 3\nsize = 32\ntrain = 4\nval = 2\ntest = 1\nwidth = 3").is_err()
    );
}
