use std::path::Path;

use image::{GrayImage, Luma, RgbImage};
use png::{BitDepth, ColorType};
use tempfile::TempDir;

use super::mat::tests::mat_file;
use super::*;
use crate::check::{Edges, check};
use crate::testing::{gray_png, jpeg_bytes, png_bytes, put};
use crate::{Inventory, Layout};

const LISTS: &str = "ImageSets/Segmentation";

fn labels() -> GrayImage {
    GrayImage::from_fn(9, 6, |x, y| Luma([[0, 3, 20, 255][((x / 3 + y / 2) % 4) as usize]]))
}

fn ids(set: &Voc) -> Vec<String> {
    (0..set.len()).map(|index| set.id(index)).collect()
}

/// Photographs 1 to 6 of which 1 and 2 are trained on and 3 is val and test, and 7 of no list.
fn set() -> (TempDir, Config) {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    for id in 1..=7 {
        put(&root.join(format!("JPEGImages/{id}.jpg")), jpeg_bytes(9, 6));
    }
    for id in 1..=3 {
        let bytes = png_bytes((9, 6), ColorType::Indexed, BitDepth::Eight, &labels());
        put(&root.join(format!("SegmentationClass/{id}.png")), bytes);
    }
    put(&root.join(LISTS).join("train.txt"), "1\n2\n");
    put(&root.join(LISTS).join("val.txt"), "3\n");
    let text = format!(
        "root = {:?}\nmasks = 'SegmentationClass'\n\
         lists = {{ train = '{LISTS}/train.txt', val = '{LISTS}/val.txt', test = '{LISTS}/val.txt' }}",
        root.display().to_string()
    );
    (folder, toml::from_str(&text).unwrap())
}

/// SBD's `dataset` beside it: 2 and 4 in its training list, 3 and 5 in its val list.
fn with_sbd(config: &Config) -> Config {
    let root = config.root.join("sbd");
    for id in 2..=5u8 {
        let map = GrayImage::from_fn(9, 6, |x, y| Luma([(x as u8 + 2 * y as u8 + id) % 21]));
        put(&root.join(format!("cls/{id}.mat")), mat_file(&map, id % 2 == 0));
    }
    put(&root.join("train.txt"), "4\n2\n");
    put(&root.join("val.txt"), "3\n5\n");
    let lists = vec!["train.txt".into(), "val.txt".into()];
    Config { sbd: Some(Sbd { root, masks: "cls".into(), lists }), ..config.clone() }
}

fn error(config: &Config, split: Split) -> String {
    let result = open(config, split).and_then(|set| set.read(0));
    result.unwrap_err().to_string()
}

#[test]
fn palette_maps_are_read_as_indices_with_void() {
    let (_folder, config) = set();
    let train = open(&config, Split::Train).unwrap();
    assert_eq!((ids(&train), train.classes().len()), (vec!["1".into(), "2".into()], 21));
    let sample = train.read(1).unwrap();
    assert_eq!((sample.targets[0].clone(), sample.image.dimensions()), (labels(), (9, 6)));
    assert_eq!(ids(&open(&config, Split::Val).unwrap()), ids(&open(&config, Split::Test).unwrap()));
    assert!(matches!(train.read(2), Err(Error::Index { index: 2, len: 2 })));
}

#[test]
fn colours_of_the_palette_are_converted_and_others_refused() {
    let (folder, config) = set();
    let path = folder.path().join("SegmentationClass/1.png");
    let mut colours =
        RgbImage::from_fn(9, 6, |x, y| image::Rgb(PALETTE[usize::from(labels().get_pixel(x, y)[0])]));
    colours.save(&path).unwrap();
    assert_eq!(open(&config, Split::Train).unwrap().read(0).unwrap().targets[0], labels());
    colours.put_pixel(4, 2, image::Rgb([1, 2, 3]));
    colours.save(&path).unwrap();
    let told = error(&config, Split::Train);
    assert!(told.contains("1.png") && told.contains("(1, 2, 3) at row 2, column 4"), "{told}");
    assert!(told.contains("convert it"), "{told}");
    put(&path, jpeg_bytes(9, 6));
    assert!(error(&config, Split::Train).contains("is a JPEG"));
}

#[test]
fn missing_files_wrong_labels_and_sizes_are_named() {
    let (folder, config) = set();
    let mask = folder.path().join("SegmentationClass/1.png");
    let mut map = labels();
    map.put_pixel(2, 5, Luma([21]));
    put(&mask, gray_png(&map));
    let told = error(&config, Split::Train);
    assert!(told.contains("1.png: label 21 at row 5, column 2 is not a class") && told.contains("0..=20"));
    put(&mask, gray_png(&GrayImage::new(6, 9)));
    assert!(error(&config, Split::Train).contains("1.png is 6 x 9; both must have one size"));
    std::fs::remove_file(&mask).unwrap();
    let told = error(&config, Split::Train);
    assert!(told.contains("SegmentationClass/1.png: no such file (label map)"), "{told}");
    std::fs::remove_file(folder.path().join("JPEGImages/3.jpg")).unwrap();
    assert!(error(&config, Split::Val).contains("JPEGImages/3.jpg: no such file (image)"));
    put(&folder.path().join(LISTS).join("val.txt"), "3\n2\n");
    assert!(error(&config, Split::Train).contains("val.txt: id '2' occurs twice"));
    let nowhere = Config { root: folder.path().join("none"), ..config };
    assert!(error(&nowhere, Split::Val).contains("none: no such folder (root of the VOC set)"));
}

#[test]
fn sbd_adds_to_training_what_is_not_held_out() {
    let (_folder, config) = set();
    let config = with_sbd(&config);
    let train = open(&config, Split::Train).unwrap();
    assert_eq!(ids(&train), ["1", "2", "4", "5"]);
    assert_eq!(train.read(1).unwrap().targets[0], labels(), "VOC's own label");
    for (index, id) in [(2, 4), (3, 5)] {
        let map = &train.read(index).unwrap().targets[0];
        assert!(map.enumerate_pixels().all(|(x, y, label)| u32::from(label[0]) == (x + 2 * y + id) % 21));
    }
    assert_eq!(ids(&open(&config, Split::Val).unwrap()), ["3"]);
}

#[test]
fn an_inventory_has_the_listed_pictures_alone() {
    let (folder, config) = set();
    let plain = Inventory::of_voc(&config).unwrap();
    assert_eq!((plain.layout, plain.items.len(), plain.defects.len()), (Layout::Voc, 3, 0));
    let config = with_sbd(&config);
    let set = Inventory::of_voc(&config).unwrap();
    let train: Vec<&str> =
        set.items.iter().filter(|i| i.split == Some(Split::Train)).map(|i| i.id.as_str()).collect();
    assert_eq!((train, set.count(Some(Split::Val)), set.count(None)), (vec!["1", "2", "4", "5"], 1, 0));
    assert!(set.items.iter().all(|item| set.labels(item).is_ok()));
    std::fs::remove_file(folder.path().join("sbd/cls/5.mat")).unwrap();
    put(&folder.path().join("sbd/cls/4.mat"), "MATLAB 5.0 MAT-file");
    let set = Inventory::of_voc(&config).unwrap();
    let told: Vec<String> = check(&set, Edges::OfLabels, &|| ()).iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|line| line.contains("5.mat")), "{told:?}");
    assert!(told.iter().any(|line| line.contains("4.mat") && line.contains("byte order")), "{told:?}");
}

/// Photographs of VOC with labels of SBD in palette PNGs.
#[test]
fn real_photographs_are_read() {
    let root = Path::new("../../../shared/data/voc_sbd");
    if !root.is_dir() {
        eprintln!("skipped: {} is not there", root.display());
        return;
    }
    let (_folder, config) = set();
    let config = Config { root: root.into(), masks: "SegmentationClassAug".into(), ..config };
    let [train, val] = [Split::Train, Split::Val].map(|split| open(&config, split).unwrap());
    assert_eq!(train.len() + val.len(), 160);
    let mut seen = [0u64; 256];
    for index in 0..val.len() {
        val.read(index).unwrap().targets[0].iter().for_each(|label| seen[usize::from(*label)] += 1);
    }
    assert!(
        seen[..21].iter().filter(|count| **count > 0).count() > 10 && seen[21..255].iter().sum::<u64>() == 0
    );
    let void = seen[255] as f64 / seen.iter().sum::<u64>() as f64;
    assert!(seen[0] > seen[15] && void < 0.1, "{void}");
    assert!(Inventory::of_voc(&config).unwrap().defects.is_empty());
}
