//! Hostile pictures, label maps, id lists and annotations. How to search longer: the documentation of `sconce-fuzz`.

mod jpeg;
mod png_chunks;

use std::path::{Path, PathBuf};
use std::time::Duration;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use sconce_data::crop::read_boxes;
use sconce_data::strokes::read_line_mask;
use sconce_data::{
    Dataset, Error, MAX_PIXELS, Split, folder, nia, read_binary_mask, read_labels, read_mask, read_rgb,
    read_rgb_upright,
};
use sconce_fuzz::{Target, damage_text};

/// What the decoders may use besides the pixels, in bytes.
const DECODER: u64 = 80 << 20;

/// A JPEG may declare all of [`MAX_PIXELS`] and hold a few of them: the decoder fills the rest.
const ALL_PIXELS_TWICE: Duration = Duration::from_secs(30);

fn outcome<T>(result: Result<T, Error>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

/// Each number of the file in up to 2 bytes, and unpacked into 2.
fn labels() -> Target {
    let memory = |length| 4 * MAX_PIXELS + DECODER + 4 * length;
    Target::new("label", "7.png", memory, |path| {
        let mask = outcome(read_mask(path));
        outcome(read_labels(path, 19))?;
        mask
    })
}

/// As a label map, or a PBM, which has a byte a pixel.
fn masks() -> Target {
    let memory = |length| 4 * MAX_PIXELS + DECODER + 4 * length;
    Target::new("mask", "7.pbm", memory, |path| outcome(read_binary_mask(path)))
}

/// Up to 8 bytes a pixel as stored, and 3 as red, green, blue.
fn pictures(name: &'static str) -> Target {
    let memory = |length| 11 * MAX_PIXELS + DECODER + 4 * length;
    let target = Target::new(name, "7.jpg", memory, |path| {
        let stored = outcome(read_rgb(path));
        assert_eq!(stored, outcome(read_rgb_upright(path)));
        stored
    });
    target.within(ALL_PIXELS_TWICE)
}

fn lists() -> Target {
    let memory = |length| 64 * length + (1 << 20);
    let target = Target::new("ids", "train_id.txt", memory, |path| {
        let root = path.parent().unwrap();
        let nia = nia::open(&nia::Config { root: root.into(), val_every: 2 }, Split::Train);
        let lists = folder::open(&plain_folder(root), Split::Train);
        for set in [&nia, &lists].into_iter().flatten() {
            assert!((0..set.len()).all(|index| !set.id(index).is_empty()));
        }
        outcome(nia)?;
        outcome(lists)
    });
    for id in 1..=6 {
        for (folder, ending) in [("images", "jpg"), ("labels", "png")] {
            let folder = target.folder().join("train").join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{id}.{ending}")), "").unwrap();
        }
    }
    target
}

/// The canvas has one byte a pixel.
fn annotated_lines() -> Target {
    let memory = |length| MAX_PIXELS + 200 * length + (1 << 20);
    let target = Target::new("lines", "7.json", memory, |path| outcome(read_line_mask(path, None, &[], 3.0)));
    target.within(ALL_PIXELS_TWICE)
}

fn boxes() -> Target {
    let memory = |length| 200 * length + (1 << 20);
    Target::new("boxes", "boxes.tsv", memory, |path| outcome(read_boxes(path)))
}

fn plain_folder(root: &Path) -> folder::Config {
    let list = |name: &str| PathBuf::from(format!("{name}_id.txt"));
    folder::Config {
        root: root.into(),
        images: "train/images".into(),
        masks: "train/labels".into(),
        edges: None,
        mask_values: None,
        classes: ["skin", "hair"].map(String::from).into(),
        swaps: Vec::new(),
        split: folder::Parts::Lists(folder::Lists {
            train: list("train"),
            val: list("val"),
            test: list("test"),
        }),
    }
}

fn label_files() -> Vec<Vec<u8>> {
    use png::BitDepth::{Eight, Four, One, Sixteen, Two};
    use png::ColorType::{Grayscale, Indexed};
    let map = GrayImage::from_fn(13, 9, |x, y| Luma([((x / 3 + y / 2) % 2) as u8]));
    let mut files: Vec<_> = [One, Two, Four, Eight]
        .into_iter()
        .flat_map(|depth| [(Grayscale, depth), (Indexed, depth)])
        .collect();
    files.push((Grayscale, Sixteen));
    let mut files: Vec<_> =
        files.into_iter().map(|(colour, depth)| png_chunks::file(map.dimensions(), colour, depth)).collect();
    files.push(png_chunks::interlaced());
    files
}

fn picture() -> RgbImage {
    RgbImage::from_fn(40, 24, |x, y| Rgb([x as u8 * 6, y as u8 * 9, (x * y % 250) as u8]))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png_files() -> Vec<Vec<u8>> {
    let image = DynamicImage::from(picture());
    let kinds = [
        image.to_rgb8().into(),
        image.to_rgba16().into(),
        image.to_luma_alpha8().into(),
        image.to_luma16().into(),
    ];
    kinds.iter().map(|image| encoded(image, ImageFormat::Png)).chain(label_files()).collect()
}

fn jpeg_files() -> Vec<Vec<u8>> {
    let colour = encoded(&picture().into(), ImageFormat::Jpeg);
    let gray = encoded(&DynamicImage::from(picture()).to_luma8().into(), ImageFormat::Jpeg);
    vec![jpeg::turned(&colour), colour, gray]
}

#[test]
fn fuzz_label() {
    labels().run(500, label_files(), png_chunks::damage);
}

#[test]
fn fuzz_mask() {
    let good = [
        "P1\n# by hand\n5 2\n1 0 1 0 1\n01010\n",
        "P4\n16 4\n\x0f\x70\x01\x7f\x55\x2a\x11\x08",
        "P4 8 1 \x7e",
    ];
    let words = ["P1", "P4", "P7", "\n", "#", " ", "0", "1", "99999999", "-1", "\x7f"];
    let files = good.map(|text| text.as_bytes().to_vec()).to_vec();
    masks().run(300, files, move |random, base, other| damage_text(random, base, other, &words));
}

#[test]
fn fuzz_png() {
    pictures("png").run(250, png_files(), png_chunks::damage);
}

#[test]
fn fuzz_jpeg() {
    pictures("jpeg").run(250, jpeg_files(), jpeg::damage);
}

#[test]
fn fuzz_ids() {
    let good =
        ["1\n2\n3\n6\n", "\u{feff}1\r\n 2 \r\n\r\n3", "images/1.jpg labels/1.png\nimages/2.jpg\n4.JPG\n"];
    let words = ["1", "images/", ".jpg", ".png", "../", " ", "\r\n", "\u{2028}", "7.jpeg"];
    let files = good.map(|text| text.as_bytes().to_vec()).to_vec();
    lists().run(200, files, move |random, base, other| damage_text(random, base, other, &words));
}

#[test]
fn fuzz_lines() {
    let good = [
        r#"{"width": 6, "height": 4, "lines": [[[0.5, 0.5], [5.5, 0.5]], [[2.5, 2.5]]]}"#,
        r#"{"imageWidth": 6, "imageHeight": 4, "shapes": [{"label": "a", "shape_type": "line", "points": [[0, 1], [5, 3]]}]}"#,
    ];
    let words = ["[", "]", "0", "-1", "1e300", "null", "{", "\"lines\"", "99999", ",", "\"points\""];
    let files = good.map(|text| text.as_bytes().to_vec()).to_vec();
    annotated_lines().run(200, files, move |random, base, other| damage_text(random, base, other, &words));
}

#[test]
fn fuzz_boxes() {
    let good = ["id\tx\ty\tw\th\na\t1\t2\t3\t4\n", "a,1,2,3,4\nb,-1,2.5,3,4\n", "7 10 20 30 40"];
    let words = ["\t", ",", ";", " ", "\r\n", "-", "1e300", "NaN", "0", "id"];
    let files = good.map(|text| text.as_bytes().to_vec()).to_vec();
    boxes().run(200, files, move |random, base, other| damage_text(random, base, other, &words));
}

#[test]
fn an_absolute_id_is_told_with_its_list() {
    let error = lists().check(b"1\n/2.jpgimages4JPG\n").unwrap_err();
    assert!(error.contains("train_id.txt") && error.contains("line 2"), "{error}");
}

#[test]
fn a_palette_that_ends_within_a_colour_is_refused() {
    for length in [3, 6, 768] {
        pictures("palette").check(&png_chunks::with_palette(length)).unwrap();
    }
    for length in [0, 1, 19, 769, 771] {
        let error = pictures("palette").check(&png_chunks::with_palette(length)).unwrap_err();
        assert!(error.contains("whole colours"), "{error}");
    }
}
