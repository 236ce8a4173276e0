//! The data tools as a user starts them.

use std::path::{Path, PathBuf};

use image::{GrayImage, Luma, RgbImage};
use serde_json::Value;

use crate::{Place, error};

impl Place {
    /// 30 procedural faces of 48 pixels in NIA's layout, with every class, in the folder `set`.
    fn with_faces() -> Self {
        let place = Self::new();
        place
            .run(&["data", "synth", "faces", "--out", "set", "--count", "30", "--size", "48", "--seed", "3"]);
        place
    }

    /// What `data check --json` prints, and its exit code.
    fn check(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let all = [&["data", "check", "set", "--json"], arguments].concat();
        let output = self.command(&all).output().unwrap();
        let json = serde_json::from_slice(&output.stdout);
        (json.unwrap_or_else(|e| panic!("{e}: {}", error(&output))), output.status.code())
    }

    /// The file of the `at`-th id of a list.
    fn file(&self, split: &str, folder: &str, at: usize) -> PathBuf {
        let list = std::fs::read_to_string(self.path(&format!("set/{split}_id.txt"))).unwrap();
        let ending = if folder == "images" { "png" } else { "grayscale.png" };
        self.path(&format!("set/{split}/{folder}/{}.{ending}", list.lines().nth(at).unwrap()))
    }
}

fn gray(path: &Path) -> GrayImage {
    image::open(path).unwrap().into_luma8()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_clean_set_passes_by_folder_and_by_config() {
    let place = Place::with_faces();
    let (json, code) = place.check(&[]);
    assert_eq!((code, &json["defects"], &json["images"]), (Some(0), &Value::Array(vec![]), &30.into()));
    assert_eq!(json["splits"]["train"], 24);
    let printed = place.run(&["data", "check", "set"]);
    assert!(printed.contains("NIA layout, 19 classes, 30 images (24 train, 3 val, 3 test)"), "{printed}");
    assert!(printed.contains("no defect in 30 images"), "{printed}");
    let config = "experiment = \"agrnet\"\n[data.nia]\nroot = \"set\"\nval-every = 10\n";
    std::fs::write(place.path("configs/nia.toml"), config).unwrap();
    assert!(place.run(&["data", "check", "nia"]).contains("no defect in 30 images"));
    let message = place.fails(&["data", "check", "nia", "--set", "data.nia.root=nowhere"]);
    assert!(message.contains("nowhere: no such folder"), "{message}");
    assert!(place.run(&["data", "check", "tiny"]).contains("no files to check"));
    for folder in ["empty/images", "empty/masks"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    assert!(place.fails(&["data", "check", "empty"]).contains("1 defect in empty"));
    let message = place.fails(&["data", "check", "nonsense"]);
    assert!(message.contains("neither a folder nor a config") && message.contains("nia, tiny"), "{message}");
}

#[test]
fn figaros_frames_are_checked_and_counted_by_config_and_by_folder() {
    let place = Place::new();
    place.run(&["data", "synth", "hair", "--out", "frames", "--count", "21", "--size", "48", "--seed", "4"]);
    let config = "experiment = \"hair\"\n[data.figaro]\nroot = \"frames\"\nsplit.held-out = { share = 0.5, seed = 1 }\n";
    std::fs::write(place.path("configs/frames-set.toml"), config).unwrap();
    let printed = place.run(&["data", "check", "frames-set"]);
    assert!(printed.contains("Figaro-1k layout, 2 classes, 21 images (7 train, 7 val, 7 test)"), "{printed}");
    assert!(printed.contains("no defect in 21 images"), "{printed}");
    assert!(place.run(&["data", "stats", "frames-set"]).contains("hair"));
    assert!(place.run(&["data", "stats", "frames"]).contains("Figaro-1k layout"));
    let mut mask = GrayImage::new(48, 48);
    mask.put_pixel(7, 5, Luma([77]));
    mask.save(place.path("frames/GT/Testing/Frame00002-gt.png")).unwrap();
    std::fs::write(place.path("frames/GT/Testing/Frame00002-gt (1).png"), "").unwrap();
    let output = place.command(&["data", "check", "frames", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), json["counts"]["not-binary"].as_u64()), (Some(1), Some(1)), "{json:#}");
    let defect = &json["defects"][0];
    assert_eq!([&defect["row"], &defect["column"], &defect["value"]], [5, 7, 77].map(Value::from).each_ref());
    assert!(json["notices"][0].as_str().unwrap().contains("Frame00002-gt (1).png"));
}

/// Plants one defect and looks for it: the file, some fields, and words of the human report.
#[track_caller]
fn planted(kind: &str, fields: &[(&str, Value)], words: &[&str], plant: impl FnOnce(&Place) -> String) {
    let place = Place::with_faces();
    let file = plant(&place);
    let (json, code) = place.check(&[]);
    let defects = json["defects"].as_array().unwrap();
    assert_eq!((code, defects.len()), (Some(1), 1), "{json:#}");
    assert_eq!(defects[0]["kind"], kind);
    let found = defects[0]["file"].as_str().unwrap();
    assert!(found.ends_with(&file), "{found} is not {file}");
    for (field, value) in fields {
        assert_eq!(&defects[0][field], value, "{field}");
    }
    let output = place.command(&["data", "check", "set"]).output().unwrap();
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    for word in words.iter().copied().chain([file.as_str(), "1 defect of 1 kind in "]) {
        let word = word.trim_start_matches("set/");
        assert!(printed.contains(word), "`{word}` is not in:\n{printed}");
    }
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("1 defect in set"), "{}", error(&output));
}

#[test]
fn a_label_out_of_range_is_found_with_pixel_and_value() {
    let fields = [("row", 5.into()), ("column", 7.into()), ("value", 77.into()), ("count", 2.into())];
    planted("label-range", &fields, &["label out of range: 1", "label 77 at row 5, column 7"], |place| {
        let path = place.file("train", "labels", 4);
        let mut labels = gray(&path);
        labels.put_pixel(7, 5, Luma([77]));
        labels.put_pixel(8, 5, Luma([77]));
        labels.save(&path).unwrap();
        // Its edges follow, so that this is the only defect.
        let edges = place.file("train", "edges", 4);
        std::fs::remove_file(edges).unwrap();
        name(&path)
    });
}

#[test]
fn missing_repeated_and_mismatched_files_are_found() {
    planted("missing-pair", &[("role", "label map".into())], &["missing pair"], |place| {
        let path = place.file("val", "labels", 0);
        std::fs::remove_file(&path).unwrap();
        name(&path)
    });
    let fields = [("place", "lines 1 and 25".into())];
    planted("duplicate-id", &fields, &["occurs twice: lines 1 and 25"], |place| {
        let list = place.path("set/train_id.txt");
        let text = std::fs::read_to_string(&list).unwrap();
        std::fs::write(&list, format!("{text}{}\n", text.lines().next().unwrap())).unwrap();
        "set/train_id.txt".into()
    });
    let fields = [("size", [40, 48].as_slice().into()), ("image_size", [48, 48].as_slice().into())];
    planted("size-mismatch", &fields, &["is 40 x 48, but train/images/"], |place| {
        let path = place.file("train", "edges", 0);
        GrayImage::new(40, 48).save(&path).unwrap();
        name(&path)
    });
}

#[test]
fn foreign_cut_off_and_wrong_maps_are_found() {
    planted("no-index-map", &[], &["colours"], |place| {
        let path = place.file("test", "labels", 1);
        RgbImage::new(48, 48).save(&path).unwrap();
        name(&path)
    });
    planted("unreadable", &[], &["unreadable file"], |place| {
        let path = place.file("train", "images", 2);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        name(&path)
    });
    let fields = [("row", 9.into()), ("column", 3.into()), ("count", 1.into())];
    planted("wrong-edges", &fields, &["row 9, column 3", "--any-edges"], |place| {
        let path = place.file("train", "edges", 3);
        let mut edges = gray(&path);
        edges.put_pixel(3, 9, Luma([1 - edges.get_pixel(3, 9)[0]]));
        edges.save(&path).unwrap();
        name(&path)
    });
}

#[test]
fn one_picture_in_two_splits_and_an_empty_class_are_found() {
    planted(
        "same-image",
        &[("split", "test".into()), ("other_split", "train".into())],
        &["train/images/"],
        |place| {
            let path = place.file("test", "images", 2);
            std::fs::copy(place.file("train", "images", 5), &path).unwrap();
            name(&path)
        },
    );
    planted("empty-class", &[("label", 15.into())], &["class 15 'neck_l'"], |place| {
        for (split, count) in [("train", 24), ("val", 3), ("test", 3)] {
            for at in 0..count {
                let path = place.file(split, "labels", at);
                let mut labels = gray(&path);
                labels.iter_mut().filter(|label| **label == 15).for_each(|label| *label = 16);
                labels.save(&path).unwrap();
            }
            std::fs::remove_dir_all(place.path(&format!("set/{split}/edges"))).unwrap();
        }
        "set".into()
    });
}

#[test]
fn many_defects_are_all_told() {
    let place = Place::with_faces();
    std::fs::remove_file(place.file("train", "images", 0)).unwrap();
    std::fs::write(place.file("train", "images", 1), "no picture").unwrap();
    RgbImage::new(48, 48).save(place.file("val", "labels", 1)).unwrap();
    GrayImage::new(48, 48).save(place.file("val", "edges", 2)).unwrap();
    let (json, code) = place.check(&[]);
    let expected =
        serde_json::json!({ "missing-pair": 1, "unreadable": 1, "no-index-map": 1, "wrong-edges": 1 });
    assert_eq!((code, &json["counts"]), (Some(1), &expected), "{json:#}");
    let (json, _) = place.check(&["--any-edges"]);
    assert_eq!(json["counts"].as_object().unwrap().len(), 3);
}

/// A header that declares 60,000 x 60,000 pixels must not make the program ask for their 10 GB.
#[test]
#[cfg(target_os = "linux")]
fn a_declared_giant_takes_no_memory() {
    let place = Place::with_faces();
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0".as_slice();
    std::fs::write(place.file("val", "images", 0), [header, &[0x0f, 0xb0, 0xe2, 0x15]].concat()).unwrap();
    let limited = format!("ulimit -v 3000000; exec {} data check set", env!("CARGO_BIN_EXE_sconce"));
    let output = std::process::Command::new("sh").args(["-c", &limited]).current_dir(place.path("")).output();
    let output = output.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    assert!(printed.contains("1 defect of 1 kind in 30 images"), "{printed}{}", error(&output));
}

/// 40 images of 12 x 10 pixels, a quarter of them with a second class, 4 with a third.
fn plain() -> Place {
    let place = Place::new();
    for folder in ["set/images", "set/masks"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    for index in 0..40u8 {
        let image =
            RgbImage::from_fn(12, 10, |x, y| image::Rgb([index.wrapping_mul(37), x as u8 * 9, y as u8 * 20]));
        image.save(place.path(&format!("set/images/{index}.png"))).unwrap();
        let label = if index % 10 == 0 { 2 } else { u8::from(index % 4 == 0) };
        let mask = GrayImage::from_fn(12, 10, |x, _| Luma([if x < 6 { 0 } else { label }]));
        mask.save(place.path(&format!("set/masks/{index}.png"))).unwrap();
    }
    place
}

#[test]
fn synthetic_wrinkles_are_a_folder_with_lists() {
    let place = Place::new();
    let printed = place
        .run(&["data", "synth", "wrinkles", "--out", "skin", "--count", "12", "--size", "64", "--seed", "5"]);
    assert!(printed.contains("12 pictures of 64 x 64 pixels in skin"), "{printed}");
    let stats = ["data", "stats", "skin", "--classes", "background,wrinkle", "--json"];
    let json: Value = serde_json::from_str(&place.run(&stats)).unwrap();
    let share = json["classes"][1]["share"].as_f64().unwrap();
    assert!(json["images"] == 12 && (0.01..0.2).contains(&share), "{json}");
    let lines = |list: &str| read(&place.path(list)).lines().count();
    assert_eq!(["skin/train.txt", "skin/val.txt", "skin/test.txt"].map(lines), [10, 1, 1]);
    let again = place.fails(&["data", "synth", "wrinkles", "--out", "skin", "--count", "12", "--size", "64"]);
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn synthetic_hair_is_a_figaro_set() {
    let place = Place::new();
    let synth = ["data", "synth", "hair", "--out", "hair", "--size", "32", "--seed", "5", "--count"];
    let printed = place.run(&[&synth[..], &["21"]].concat());
    assert!(printed.contains("21 pictures of 32 x 32 pixels in hair"), "{printed}");
    let files = |folder: &str| std::fs::read_dir(place.path(folder)).unwrap().count();
    assert_eq!(["hair/Original/Training", "hair/GT/Training", "hair/GT/Testing"].map(files), [14, 14, 7]);
    let again = place.fails(&[&synth[..], &["21"]].concat());
    assert!(again.contains("exists already"), "{again}");
}

#[test]
fn stats_count_classes_and_suggest_weights() {
    let place = plain();
    let json: Value = serde_json::from_str(&place.run(&["data", "stats", "set", "--json"])).unwrap();
    assert_eq!((&json["images"], &json["labelled-pixels"]), (&40.into(), &4800.into()));
    let third = &json["classes"][2];
    assert_eq!((&third["pixels"], &third["images"], &third["share"]), (&240.into(), &4.into(), &0.05.into()));
    // Frequencies: class 2 has 60 of 120 pixels in its images, class 1 too, class 0 more.
    assert_eq!(third["median-frequency-weight"], 1.0);
    let printed = place.run(&["data", "stats", "set", "--classes", "back,front,rare"]);
    assert!(printed.contains("rare") && printed.contains("every image is 12 x 10 pixels"), "{printed}");
    assert!(place.run(&["data", "stats", "tiny"]).contains("17 rendered pictures"));
    std::fs::write(place.path("set/masks/3.png"), "x").unwrap();
    let message = place.fails(&["data", "stats", "set"]);
    assert!(message.contains("masks/3.png") && message.contains("1 of 40 images"), "{message}");
}

fn split<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["data", "split", "set", "--out", "lists", "--seed", "7"], more].concat()
}

#[test]
fn splits_are_stratified_seeded_and_never_written_over() {
    let place = plain();
    place.run(&split(&[]));
    let lists = || ["train", "val", "test"].map(|name| read(&place.path(&format!("lists/{name}.txt"))));
    let first = lists();
    assert_eq!(first.each_ref().map(|list| list.lines().count()), [32, 4, 4]);
    let message = place.fails(&split(&["--fractions", "0.5,0.25,0.25"]));
    assert!(message.contains("train.txt exists already") && message.contains("--force"), "{message}");
    assert_eq!(lists(), first);
    place.run(&split(&["--force"]));
    assert_eq!(lists(), first);
    place.run(&split(&["--force", "--fractions", "0.5,0.25,0.25"]));
    let rare = |list: &String| list.lines().filter(|id| id.parse::<u8>().unwrap() % 10 == 0).count();
    assert_eq!(lists().each_ref().map(rare), [2, 1, 1]);
    for nonsense in ["0.8,0.1,0.2", "0,0.5,0.5", "1.1,-0.1,0", "NaN,0.5,0.5"] {
        assert!(place.fails(&split(&["--force", "--fractions", nonsense])).contains("fractions"));
    }
    let (json, _) = place.check(&["--lists", "../lists"]);
    assert_eq!(json["splits"], serde_json::json!({ "train": 20, "val": 10, "test": 10, "none": 0 }));
    std::fs::remove_file(place.path("set/masks/3.png")).unwrap();
    let message = place.fails(&["data", "split", "set", "--out", "new"]);
    assert!(message.contains("masks/3.png") && !place.path("new").exists(), "{message}");
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn edges_are_written_where_the_layout_wants_them() {
    let place = Place::with_faces();
    let old = gray(&place.file("val", "edges", 1));
    std::fs::remove_dir_all(place.path("set/val/edges")).unwrap();
    assert!(place.fails(&["data", "edges", "set", "--out", "set"]).contains("exists already"));
    assert!(!place.path("set/val/edges").exists());
    place.run(&["data", "edges", "set", "--out", "set", "--force"]);
    let new = gray(&place.file("val", "edges", 1));
    assert!(new.iter().zip(old.iter()).all(|(new, old)| *new == 255 * *old));
    assert!(place.run(&["data", "check", "set"]).contains("no defect"));
    place.run(&["data", "edges", "set", "--out", "canny", "--method", "canny", "--thresholds", "20,60"]);
    let canny = gray(&place.path("canny/val/edges").join(name(&place.file("val", "edges", 1))));
    assert!(canny.contains(&255) && canny != new);
    let message = place.fails(&["data", "edges", "set", "--out", "x", "--thresholds", "9,3"]);
    assert!(message.contains("thresholds"), "{message}");
    std::fs::write(place.file("train", "labels", 0), "x").unwrap();
    let message = place.fails(&["data", "edges", "set", "--out", "other"]);
    assert!(
        message.contains(&name(&place.file("train", "labels", 0))) && message.contains("1 of 30"),
        "{message}"
    );
    assert_eq!(crate::entries(&place.path("other/train/edges")).len(), 23, "the others were written");
}

#[test]
fn faces_are_cut_out_and_one_bad_annotation_stops_no_other() {
    let place = Place::new();
    let folder = place.path("source/0001/wild");
    std::fs::create_dir_all(&folder).unwrap();
    for (id, annotation) in [
        ("a", r#"[{"box": {"x": 20, "y": 30, "w": 20, "h": 20}}, {"points": []}]"#),
        ("b", r#"[{"points": []}]"#),
        ("c", r#"[{"box": {"x": 0, "y": 0, "w": 20, "h": 20}}, {"points": []}]"#),
    ] {
        std::fs::write(folder.join(format!("{id}.json")), annotation).unwrap();
        RgbImage::from_pixel(80, 90, image::Rgb([200, 90, 40]))
            .save(folder.join(format!("{id}.png")))
            .unwrap();
        let labels = GrayImage::from_fn(80, 90, |x, y| {
            Luma([u8::from((20..40).contains(&x) && (30..50).contains(&y))])
        });
        labels.save(folder.join(format!("{id}.grayscale.png"))).unwrap();
    }
    let crop = ["data", "crop", "source", "--out", "faces", "--size", "28"];
    let message = place.fails(&crop);
    assert!(
        message.contains("b.json: none of its objects has a `box`") && message.contains("1 of 3"),
        "{message}"
    );
    // Margins of 4, 14, 4 and 4 pixels: the window is 28 x 38.
    let mask = gray(&place.path("faces/masks/0001-wild-a.png"));
    assert_eq!((mask.get_pixel(3, 20)[0], mask.get_pixel(4, 20)[0], mask.get_pixel(4, 9)[0]), (0, 1, 0));
    let beyond = image::open(place.path("faces/images/0001-wild-c.png")).unwrap().into_rgb8();
    assert_eq!((beyond.get_pixel(0, 0).0, beyond.get_pixel(20, 20).0), ([0, 0, 0], [200, 90, 40]));
    assert!(place.fails(&crop).contains("exists already"));
    assert!(place.fails(&["data", "crop", "faces", "--out", "x"]).contains("annotations"));
    assert!(place.run(&["data", "stats", "faces", "--classes", "19"]).contains("2 images"));
}
