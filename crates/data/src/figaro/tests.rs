use std::fs;

use image::{GrayImage, ImageFormat, Luma, Rgb};
use tempfile::TempDir;

use super::*;
use crate::testing::{gray_png, jpeg_bytes, put};

/// Two frames of each style in Training and one in Testing, 8 x 4 pixels.
fn set() -> (TempDir, Config) {
    let folder = TempDir::new().unwrap();
    for style in 0..7u32 {
        for (half, place) in [("Training", 1), ("Training", 150), ("Testing", 77)] {
            add(folder.path(), half, style * 150 + place);
        }
    }
    let config = Config { root: folder.path().into(), split: Parts::TestAsValidation };
    (folder, config)
}

fn add(root: &Path, half: &str, number: u32) {
    put(&root.join(format!("Original/{half}/Frame{number:05}-org.jpg")), jpeg_bytes(8, 4));
    // The column of the number's last digit is hair, white; a row is one byte.
    let row = !(0x80u8 >> (number % 8));
    put(
        &root.join(format!("GT/{half}/Frame{number:05}-gt.pbm")),
        [b"P4\n8 4\n".as_slice(), &[row; 4]].concat(),
    );
}

fn held_out(config: &Config, share: f64, seed: u64) -> Config {
    Config { split: Parts::HeldOut(HeldOut { share, seed }), ..config.clone() }
}

fn ids(set: &Figaro) -> Vec<String> {
    (0..set.len()).map(|index| set.id(index)).collect()
}

fn error(config: &Config, split: Split) -> String {
    open(config, split).unwrap_err().to_string()
}

#[test]
fn frames_are_paired_by_number_and_have_a_style() {
    let (_folder, config) = set();
    let train = open(&config, Split::Train).unwrap();
    assert_eq!((train.len(), train.notices().len()), (14, 0));
    assert_eq!(ids(&train)[..3], ["Frame00001", "Frame00150", "Frame00151"]);
    let styles: Vec<usize> = (0..14).map(|index| train.style(index).unwrap()).collect();
    assert_eq!(styles, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
    let sample = train.read(2).unwrap();
    assert_eq!((sample.image.dimensions(), sample.targets[0].dimensions()), ((8, 4), (8, 4)));
    let hair: Vec<u32> = sample.targets[0].enumerate_pixels().filter(|p| p.2[0] == 1).map(|p| p.0).collect();
    assert_eq!(hair, [151 % 8; 4]);
    assert!(matches!(train.read(14), Err(Error::Index { index: 14, len: 14 })));
    assert_eq!((train.classes(), train.swaps().len()), (CLASSES.map(String::from).as_slice(), 0));
}

#[test]
fn validation_images_come_from_training_or_from_testing() {
    let (_folder, config) = set();
    let splits = |config: &Config| Split::ALL.map(|split| ids(&open(config, split).unwrap()));
    let [train, val, test] = splits(&config);
    assert_eq!((train.len(), &val), (14, &test));
    let half = held_out(&config, 0.5, 1);
    let [some, others, again] = splits(&half);
    assert_eq!((some.len(), others.len(), &again), (7, 7, &test));
    let styles = |split| {
        let set = open(&half, split).unwrap();
        (0..7).map(|index| set.style(index).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((styles(Split::Train), styles(Split::Val)), ((0..7).collect(), (0..7).collect()));
    let mut all = [some.clone(), others].concat();
    all.sort();
    assert_eq!(all, train);
    assert_eq!(splits(&half)[0], some);
    assert!((2..9).any(|seed| splits(&held_out(&config, 0.5, seed))[0] != some), "the seed draws");
    for share in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(error(&held_out(&config, share, 1), Split::Val).contains("held-out.share: "));
    }
}

#[test]
fn copies_are_passed_over_with_a_notice() {
    let (folder, config) = set();
    put(&folder.path().join("GT/Training/Frame00001-gt(1).pbm"), "P4 3 3");
    put(&folder.path().join("Original/Training/Frame00001-org (2).jpg"), "");
    let train = open(&config, Split::Train).unwrap();
    assert_eq!(train.len(), 14);
    let told = train.notices().join("\n");
    assert!(told.contains("Frame00001-gt(1).pbm") && told.contains("Frame00001-org (2).jpg"), "{told}");
    assert!(open(&config, Split::Test).unwrap().notices().is_empty());
}

#[test]
fn files_without_a_partner_and_twins_are_named() {
    let (folder, config) = set();
    let path = |name: &str| folder.path().join(name);
    fs::rename(path("GT/Training/Frame00150-gt.pbm"), path("GT/Training/Frame00149-gt.pbm")).unwrap();
    assert!(error(&config, Split::Train).contains("Original/Training/Frame00149-org.jpg: no such file"));
    fs::remove_file(path("GT/Training/Frame00149-gt.pbm")).unwrap();
    let missing = error(&config, Split::Train);
    assert!(missing.contains("GT/Training/Frame00150-gt.{pbm,png}: no such file (mask of"), "{missing}");
    add(folder.path(), "Training", 150);
    put(&path("GT/Training/Frame150.png"), "");
    assert!(error(&config, Split::Train).contains("'frame 150' occurs twice"));
    fs::remove_file(path("GT/Training/Frame150.png")).unwrap();
    add(folder.path(), "Testing", 150);
    for split in Split::ALL {
        let leak = error(&config, split);
        assert!(leak.contains("id 'Frame00150' occurs twice") && leak.contains("Testing"), "{leak}");
    }
}

#[test]
fn strange_names_and_empty_or_missing_folders_are_named() {
    let (folder, config) = set();
    let odd = folder.path().join("Original/Training/holiday.jpg");
    put(&odd, "");
    assert!(error(&config, Split::Train).contains("holiday.jpg: its name holds no frame number"));
    fs::rename(&odd, folder.path().join("Original/Training/Frame01051-org.jpg")).unwrap();
    assert!(error(&config, Split::Train).contains("1 to 1050"));
    let empty = TempDir::new().unwrap();
    let config = Config { root: empty.path().into(), ..config };
    assert!(error(&config, Split::Train).contains("Original/Training: no such folder (images)"));
    for name in ["Original/Training", "GT/Training"] {
        fs::create_dir_all(empty.path().join(name)).unwrap();
    }
    assert!(error(&config, Split::Train).contains("Original/Training: the image folder is empty"));
    assert!(error(&config, Split::Test).contains("Original/Testing: no such folder"));
    let config = Config { root: empty.path().join("none"), ..config };
    assert!(error(&config, Split::Train).contains("none: no such folder (root of Figaro-1k)"));
}

/// A set whose first image and mask are these.
fn with_first(image: &[u8], mask: &[u8]) -> Result<Sample<1>, String> {
    let (folder, config) = set();
    put(&folder.path().join("Original/Training/Frame00001-org.jpg"), image);
    put(&folder.path().join("GT/Training/Frame00001-gt.pbm"), mask);
    open(&config, Split::Train).unwrap().read(0).map_err(|error| error.to_string())
}

fn black_mask(width: u32, height: u32) -> Vec<u8> {
    gray_png(&GrayImage::new(width, height))
}

#[test]
fn a_mask_of_another_size_or_a_third_value_is_refused() {
    let error = with_first(&jpeg_bytes(8, 4), &black_mask(9, 4)).unwrap_err();
    assert!(error.contains("8 x 4") && error.contains("9 x 4") && error.contains("00001-gt.pbm"), "{error}");
    let error = with_first(&jpeg_bytes(8, 4), &black_mask(4, 8)).unwrap_err();
    assert!(error.contains("8 x 4") && error.contains("4 x 8"), "{error}");
    let mut gray = GrayImage::new(8, 4);
    gray.put_pixel(3, 2, Luma([77]));
    let error = with_first(&jpeg_bytes(8, 4), &gray_png(&gray)).unwrap_err();
    assert!(error.contains("value 77 at row 2, column 3"), "{error}");
}

#[test]
fn a_turned_photograph_lies_under_its_mask() {
    let upright = crate::rgb::tests::oriented(&jpeg_bytes(8, 4), 6);
    let stored = with_first(&upright, &black_mask(8, 4)).unwrap().image;
    let turned = with_first(&upright, &black_mask(4, 8)).unwrap().image;
    assert_eq!(image::imageops::rotate90(&stored), turned);
}

#[test]
fn gray_transparent_and_cmyk_images_become_colours() {
    let encode = |image: image::DynamicImage, format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let gray = GrayImage::from_pixel(8, 4, Luma([90]));
    for format in [ImageFormat::Jpeg, ImageFormat::Png] {
        let image = with_first(&encode(gray.clone().into(), format), &black_mask(8, 4)).unwrap().image;
        assert!(image.pixels().all(|pixel| *pixel == Rgb([90; 3])), "{format:?}");
    }
    let glass = image::RgbaImage::from_pixel(8, 4, image::Rgba([200, 10, 60, 128]));
    let image = with_first(&encode(glass.into(), ImageFormat::Png), &black_mask(8, 4)).unwrap().image;
    assert_eq!(image.get_pixel(7, 3).0, [200, 10, 60]);
    // Ink of 0 is stored as 255 by Adobe's programs: no cyan, full magenta, half yellow, no black.
    let image = with_first(&cmyk_jpeg([255, 0, 128, 255]), &black_mask(8, 8)).unwrap().image;
    let [red, green, blue] = image.get_pixel(4, 4).0;
    assert!(red > 245 && green < 10 && blue.abs_diff(128) < 8, "{red} {green} {blue}");
}

/// A baseline JPEG (ITU-T T.81) of 8 x 8 pixels and four channels of one value each, with Adobe's mark.
fn cmyk_jpeg(values: [u8; 4]) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00".to_vec();
    bytes.extend([&[0xff, 0xdb, 0, 67, 0], [8; 64].as_slice()].concat()); // quantisation by 8: a step of DC is a gray level
    bytes.extend([0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4]);
    bytes.extend((1..=4).flat_map(|channel| [channel, 0x11, 0]));
    // DC: code 0 for "eight bits follow", 10 for none, 110 for seven. AC: code 0 for "end of block" alone.
    bytes.extend([0xff, 0xc4, 0, 22, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 7]);
    bytes.extend([0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    let code = |value| match value {
        0 => "0011111110",    // -128
        128 => "100",         // 0
        255 => "11011111110", // 127
        other => unreachable!("{other} has no code here"),
    };
    let mut bits: String = values.map(code).concat();
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
        bytes.push(byte);
        if byte == 0xff {
            bytes.push(0);
        }
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

#[test]
fn settings_name_where_the_validation_images_come_from() {
    let parse = |text: &str| toml::from_str::<Config>(text).map_err(|error| error.to_string());
    let config = parse("root = 'x'\nsplit = 'test-as-validation'").unwrap();
    assert_eq!(config.split, Parts::TestAsValidation);
    let config = parse("root = 'x'\n[split.held-out]\nshare = 0.1\nseed = 4").unwrap();
    assert_eq!(config.split, Parts::HeldOut(HeldOut { share: 0.1, seed: 4 }));
    let error = parse("root = 'x'\nsplit = 'test'").unwrap_err();
    assert!(error.contains("`held-out` or `test-as-validation`"), "{error}");
}
