mod figaro;

use std::path::PathBuf;

use image::{GrayImage, Luma, Rgb, RgbImage};
use png::{BitDepth, ColorType};
use tempfile::TempDir;

use super::*;
use crate::faces::{self, Faces};
use crate::testing::{gray_png, jpeg_bytes, png_bytes, put, raw_png};
use crate::{Folders, Split, nia, read_labels, read_rgb, write_index_png, write_nia, write_rgb_png};

/// Procedural faces in NIA's layout, with every class.
struct Set(TempDir);

impl Set {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = faces::Config { seed: 3, size: 48, train: 12, val: 3, test: 3 };
        for split in Split::ALL {
            let faces = Faces::open(&config, split).unwrap();
            write_nia(folder.path(), split, &faces, |_| ()).unwrap();
        }
        Self(folder)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// The id at a place of a list, and the path of one of its files.
    fn file(&self, split: &str, folder: &str, at: usize) -> PathBuf {
        let list = std::fs::read_to_string(self.path(&format!("{split}_id.txt"))).unwrap();
        let ending = if folder == "images" { "png" } else { "grayscale.png" };
        self.path(&format!("{split}/{folder}/{}.{ending}", list.lines().nth(at).unwrap()))
    }

    fn labels(&self, split: &str, at: usize) -> (PathBuf, GrayImage) {
        let path = self.file(split, "labels", at);
        let labels = read_labels(&path, 19).unwrap();
        (path, labels)
    }

    fn defects(&self) -> Vec<Defect> {
        let set = Inventory::of_directory(self.0.path(), &Folders::default(), None).unwrap();
        check(&set, Edges::OfLabels, &|| ())
    }

    /// The only defect there is.
    #[track_caller]
    fn only(&self) -> Defect {
        let defects = self.defects();
        let told: Vec<String> = defects.iter().map(ToString::to_string).collect();
        assert_eq!(defects.len(), 1, "{told:#?}");
        defects.into_iter().next().unwrap()
    }
}

#[test]
fn a_clean_set_has_no_defect() {
    let set = Set::new();
    assert_eq!(set.defects(), []);
    let config = nia::Config { root: set.path(""), val_every: 10 };
    let inventory = Inventory::of_nia(&config).unwrap();
    assert_eq!(check(&inventory, Edges::OfLabels, &|| ()), []);
    let counts =
        [Some(Split::Train), Some(Split::Val), Some(Split::Test), None].map(|split| inventory.count(split));
    assert_eq!(counts, [12, 3, 3, 0]);
}

#[test]
fn a_missing_file_of_a_pair_is_named() {
    for (folder, role) in [("images", "image"), ("labels", "label map")] {
        let set = Set::new();
        let gone = set.file("val", folder, 1);
        std::fs::remove_file(&gone).unwrap();
        let Defect::MissingPair { file, role: found, .. } = set.only() else { panic!("{}", set.only()) };
        assert_eq!((found, file.parent(), file.file_stem()), (role, gone.parent(), gone.file_stem()));
    }
    let set = Set::new();
    put(&set.path("train/edges/77.grayscale.png"), gray_png(&GrayImage::new(3, 3)));
    assert_eq!(set.defects().len(), 2, "an edge map alone lacks an image and a label map");
}

#[test]
fn a_listed_id_without_files_is_named() {
    let set = Set::new();
    let list = set.path("test_id.txt");
    let text = std::fs::read_to_string(&list).unwrap();
    put(&list, format!("{text}ghost\n"));
    let defects = set.defects();
    assert_eq!(defects.len(), 2);
    for defect in defects {
        assert!(matches!(&defect, Defect::MissingPair { because_of, .. } if *because_of == list), "{defect}");
        assert!(defect.to_string().contains("ghost"));
    }
}

#[test]
fn repeated_ids_and_twin_files_are_named_with_both_places() {
    let set = Set::new();
    let list = set.path("train_id.txt");
    let text = std::fs::read_to_string(&list).unwrap();
    let first = text.lines().next().unwrap().to_owned();
    put(&list, format!("{text}{first}\n"));
    let Defect::DuplicateId { file, id, place } = set.only() else { panic!("{}", set.only()) };
    assert_eq!((file, id, place), (list.clone(), first.clone(), "lines 1 and 13".into()));
    put(&list, text);
    put(&set.path(&format!("train/images/{first}.jpg")), jpeg_bytes(48, 48));
    let Defect::DuplicateId { file, id, .. } = set.only() else { panic!("{}", set.only()) };
    assert_eq!((file, id), (set.path("train/images"), first));
}

#[test]
fn missing_and_empty_lists_are_named() {
    let set = Set::new();
    std::fs::remove_file(set.path("val_id.txt")).unwrap();
    assert!(set.only().to_string().contains("val_id.txt: no such file (id list)"));
    put(&set.path("val_id.txt"), "\n");
    assert!(set.only().to_string().contains("val_id.txt: the id list is empty"));
}

#[test]
fn sizes_that_differ_are_told() {
    let set = Set::new();
    let (image, labels) = (set.file("train", "images", 2), set.file("train", "labels", 2));
    write_rgb_png(&image, &RgbImage::from_pixel(48, 47, Rgb([9, 200, 30]))).unwrap();
    let defects = set.defects();
    assert_eq!(defects.len(), 2, "the label map and the edge map");
    assert_eq!(
        defects[0],
        Defect::SizeMismatch { file: labels, size: (48, 48), image, image_size: (48, 47) }
    );
}

#[test]
fn labels_out_of_range_are_told_with_pixel_value_and_number() {
    let set = Set::new();
    let (path, mut labels) = set.labels("train", 4);
    labels.put_pixel(7, 5, Luma([77]));
    labels.put_pixel(9, 40, Luma([19]));
    write_index_png(&path, &labels, None).unwrap();
    write_index_png(&set.file("train", "edges", 4), &edge_map(&labels), None).unwrap();
    let only = set.only();
    let expected = Defect::LabelRange { file: path, row: 5, column: 7, value: 77, count: 2, classes: 19 };
    assert_eq!(only, expected);
    assert!(
        only.to_string().contains("label 77 at row 5, column 7 is not a class (0..=18, 255 is void); 1 more")
    );
}

#[test]
fn colours_and_jpegs_are_no_index_maps() {
    let set = Set::new();
    let path = set.file("test", "labels", 0);
    let rgb = png_bytes((48, 48), ColorType::Rgb, BitDepth::Eight, &[5; 48 * 48 * 3]);
    put(&path, rgb);
    let Defect::NoIndexMap { file, found } = set.only() else { panic!("{}", set.only()) };
    assert!(file == path && found.contains("Rgb"), "{found}");
    std::fs::remove_file(&path).unwrap();
    let jpeg = path.with_extension("jpg");
    put(&jpeg, jpeg_bytes(48, 48));
    let Defect::NoIndexMap { file, found } = set.only() else { panic!("{}", set.only()) };
    assert_eq!((file, found.as_str()), (jpeg, "a JPEG"));
}

#[test]
fn cut_off_and_foreign_files_are_unreadable() {
    for (folder, keep) in [("images", 0.5), ("labels", 0.5), ("edges", 0.7), ("images", 0.0)] {
        let set = Set::new();
        let path = set.file("train", folder, 0);
        let bytes = std::fs::read(&path).unwrap();
        put(&path, &bytes[..(bytes.len() as f64 * keep) as usize]);
        let only = set.only();
        assert!(matches!(&only, Defect::Unreadable { file, .. } if *file == path), "{only}");
    }
    let set = Set::new();
    let path = set.file("train", "images", 0);
    put(&path, raw_png((60_000, 60_000), [8, 2, 0], &[]));
    assert!(matches!(set.only(), Defect::TooLarge { file, size: (60_000, 60_000), .. } if file == path));
}

#[test]
fn edges_that_are_not_the_labels_borders_are_told_unless_any_will_do() {
    let set = Set::new();
    let (_, labels) = set.labels("train", 1);
    let mut edges = edge_map(&labels);
    let flipped = [(3, 2), (40, 30), (41, 30)];
    for (x, y) in flipped {
        edges.put_pixel(x, y, Luma([1 - edges.get_pixel(x, y)[0]]));
    }
    let path = set.file("train", "edges", 1);
    write_index_png(&path, &edges, None).unwrap();
    let value = u16::from(edges.get_pixel(3, 2)[0]);
    assert_eq!(set.only(), Defect::WrongEdges { file: path.clone(), row: 2, column: 3, value, count: 3 });
    let inventory = Inventory::of_directory(set.0.path(), &Folders::default(), None).unwrap();
    assert_eq!(check(&inventory, Edges::Any, &|| ()), []);
    put(&path, gray_png(&GrayImage::new(48, 40)));
    assert!(matches!(set.only(), Defect::SizeMismatch { size: (48, 40), .. }));
}

#[test]
fn a_picture_stored_anew_in_another_split_is_found() {
    let set = Set::new();
    let (old, new) = (set.file("train", "images", 6), set.file("test", "images", 1));
    let picture = read_rgb(&old).unwrap();
    std::fs::remove_file(&new).unwrap();
    let new = new.with_extension("jpg");
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&picture).unwrap();
    put(&new, jpeg);
    let expected = Defect::SameImage {
        file: new,
        split: Some(Split::Test),
        other: old,
        other_split: Some(Split::Train),
    };
    assert_eq!(set.only(), expected);
}

#[test]
fn a_class_without_pixels_is_named() {
    let set = Set::new();
    for (split, count) in [("train", 12), ("val", 3), ("test", 3)] {
        for at in 0..count {
            let (path, mut labels) = set.labels(split, at);
            labels.iter_mut().filter(|label| **label == 15).for_each(|label| *label = 16);
            write_index_png(&path, &labels, None).unwrap();
            write_index_png(&set.file(split, "edges", at), &edge_map(&labels), None).unwrap();
        }
    }
    let root = set.0.path().to_path_buf();
    assert_eq!(set.only(), Defect::EmptyClass { file: root, label: 15, name: "neck_l".into() });
}

#[test]
fn all_defects_at_once_are_all_found() {
    let set = Set::new();
    let gone = set.file("train", "labels", 0);
    std::fs::remove_file(&gone).unwrap();
    let (wrong, mut labels) = set.labels("train", 1);
    labels.put_pixel(0, 0, Luma([200]));
    write_index_png(&wrong, &labels, None).unwrap();
    let cut = set.file("val", "images", 0);
    put(&cut, &std::fs::read(&cut).unwrap()[..300]);
    let copy = set.file("test", "images", 2);
    std::fs::copy(set.file("train", "images", 5), &copy).unwrap();
    let kinds: Vec<&str> = set.defects().iter().map(|defect| defect.kind().0).collect();
    let expected =
        ["missing pair", "label out of range", "wrong edge map", "unreadable file", "same picture twice"];
    assert_eq!(kinds, expected);
}
