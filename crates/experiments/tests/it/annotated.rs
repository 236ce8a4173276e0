//! The tools for annotated photographs as a user starts them.

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::{Place, entries};

impl Place {
    /// `set/images/a.png` of 60 x 40 pixels with a dark vertical line at column 20, and its mask with the line as 3.
    fn with_line() -> Self {
        let place = Self::new();
        for folder in ["set/images", "set/masks"] {
            std::fs::create_dir_all(place.path(folder)).unwrap();
        }
        let line = |x: u32, y: u32| x == 20 && (5..35).contains(&y);
        let skin = |x, y| Rgb([if line(x, y) { 90 } else { 180 }, 120, 100 + x as u8]);
        RgbImage::from_fn(60, 40, skin).save(place.path("set/images/a.png")).unwrap();
        let label = |x, y| Luma([if line(x, y) { 3 } else { 0 }]);
        GrayImage::from_fn(60, 40, label).save(place.path("set/masks/a.png")).unwrap();
        place
    }

    fn gray(&self, file: &str) -> GrayImage {
        image::open(self.path(file)).unwrap().into_luma8()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn texture_maps_show_lines_bright() {
    let place = Place::with_line();
    let printed = place.run(&["data", "texture", "set/images", "--out", "textures"]);
    assert!(printed.contains("1 texture map in textures"), "{printed}");
    let map = place.gray("textures/a.png");
    assert!(map.get_pixel(20, 20)[0] > 30 && map.get_pixel(40, 20)[0] < 10);
    let message = place.fails(&["data", "texture", "set/images", "--out", "textures"]);
    assert!(message.contains("a.png exists already"), "{message}");
    place.write("bad/b.png", "x");
    let message = place.fails(&["data", "texture", "bad/b.png", "set/images", "--out", "more"]);
    assert!(
        message.contains("bad/b.png") && message.contains("1 of 2 images got no texture map"),
        "{message}"
    );
    assert!(place.path("more/a.png").is_file(), "the other was written");
}

#[test]
fn tiles_carry_their_place_in_their_names() {
    let place = Place::with_line();
    let tile = [
        "data",
        "tile",
        "set/images",
        "--masks",
        "set/masks",
        "--size",
        "32x32",
        "--overlap",
        "4",
        "--out",
        "tiles",
    ];
    assert!(place.run(&tile).contains("4 tiles of 1 image in tiles"));
    let (image, mask) =
        (place.gray("tiles/images/a_y00008_x00000.png"), place.gray("tiles/masks/a_y00008_x00000.png"));
    assert_eq!((image.dimensions(), mask.get_pixel(20, 0)[0], mask.get_pixel(20, 27)[0]), ((32, 32), 3, 0));
    assert_eq!(entries(&place.path("tiles/masks")).len(), 4);
    assert!(place.fails(&tile).contains("tiles/images is not empty"));
    let message =
        place.fails(&["data", "tile", "set/images", "--size", "32x32", "--overlap", "32", "--out", "x"]);
    assert!(message.contains("overlap: 32 pixels must be less") && !place.path("x").exists(), "{message}");
    GrayImage::new(9, 9).save(place.path("set/masks/a.png")).unwrap();
    let message =
        place.fails(&["data", "tile", "set/images", "--masks", "set/masks", "--size", "8x8", "--out", "y"]);
    assert!(
        message.contains("a.png: is 60 x 40") && entries(&place.path("y/images")).is_empty(),
        "{message}"
    );
}

#[test]
fn annotated_lines_become_masks_of_one_width() {
    let place = Place::with_line();
    place.write("json/a.json", r#"{"width": 60, "height": 40, "lines": [[[20.5, 5.5], [20.5, 34.5]]]}"#);
    let printed = place.run(&[
        "data",
        "lines",
        "--json",
        "json",
        "--photos",
        "set/images",
        "--width",
        "3",
        "--out",
        "masks",
    ]);
    assert!(printed.contains("1 mask in masks, 0 without a line"), "{printed}");
    let mask = place.gray("masks/a.png");
    let marked: Vec<u32> = (0..60).filter(|x| mask.get_pixel(*x, 20)[0] == 255).collect();
    assert_eq!(marked, [19, 20, 21], "index 1 is shown white");
    place.write("json/b.json", "{\"width\": 60,\n\"height\": 40, \"lines\": [[[1, 2]]");
    place.write("json/c.json", r#"{"width": 60, "height": 40, "lines": [[[1, 2], [61, 2]]]}"#);
    let message = place.fails(&["data", "lines", "--json", "json", "--out", "more"]);
    assert!(message.contains("b.json: is no JSON") && message.contains("line 2 column"), "{message}");
    assert!(message.contains("c.json: line 0, point 1 at [61, 2] lies outside"), "{message}");
    assert!(message.contains("2 of 3 images got no mask"), "{message}");
}

#[test]
fn pen_strokes_become_the_same_masks() {
    let place = Place::with_line();
    let mut drawn = image::open(place.path("set/images/a.png")).unwrap().into_rgb8();
    (5..35).for_each(|y| (18..23).for_each(|x| drawn.put_pixel(x, y, Rgb([255, 0, 0]))));
    drawn.put_pixel(50, 30, Rgb([255, 0, 0]));
    std::fs::create_dir(place.path("drawn")).unwrap();
    drawn.save(place.path("drawn/a.png")).unwrap();
    place.run(&["data", "lines", "--strokes", "drawn", "--colour", "255,0,0", "--out", "by-colour"]);
    place.run(&["data", "lines", "--strokes", "drawn", "--photos", "set/images", "--out", "by-change"]);
    let mask = place.gray("by-colour/a.png");
    assert_eq!(mask, place.gray("by-change/a.png"));
    assert_eq!(mask.rows().nth(20).unwrap().filter(|value| value[0] == 255).count(), 3);
    assert_eq!(mask.get_pixel(50, 30)[0], 0, "a speck");
    let message = place.fails(&["data", "lines", "--strokes", "drawn", "--out", "x"]);
    assert!(message.contains("--strokes needs --colour"), "{message}");
}

#[test]
fn boxes_are_cut_out_of_image_and_mask() {
    let place = Place::with_line();
    place.write("boxes.tsv", "id\tx\ty\tw\th\na\t10\t5\t20\t40\n");
    let message = place.fails(&["data", "crop", "set", "--boxes", "boxes.tsv", "--out", "x"]);
    assert!(
        message.contains("boxes.tsv: 'a': the box at x 10, y 5 of 20 x 40 pixels reaches beyond"),
        "{message}"
    );
    assert!(message.contains("--clip"), "{message}");
    place.run(&["data", "crop", "set", "--boxes", "boxes.tsv", "--clip", "--out", "clipped"]);
    let (image, mask) = (place.gray("clipped/images/a.png"), place.gray("clipped/masks/a.png"));
    assert_eq!((image.dimensions(), mask.dimensions(), mask.get_pixel(10, 0)[0]), ((20, 35), (20, 35), 3));
    place.run(&["data", "crop", "set", "--around", "3", "--margins", "5,0.1,5,0.5", "--out", "around"]);
    assert_eq!(
        place.gray("around/masks/a.png").dimensions(),
        (11, 38),
        "5 + 1 + 5 and 3 + 30 + 5 to the border"
    );
    place.run(&[
        "data",
        "crop",
        "set",
        "--around",
        "line",
        "--classes",
        "a,b,c,line",
        "--size",
        "16",
        "--out",
        "named",
    ]);
    assert_eq!(place.gray("named/images/a.png").dimensions(), (16, 16));
    let message = place.fails(&["data", "crop", "set", "--around", "fold", "--out", "y"]);
    assert!(message.contains("there is no class 'fold'"), "{message}");
    place.write("other.tsv", "b 1 1 2 2");
    let message = place.fails(&["data", "crop", "set", "--boxes", "other.tsv", "--out", "y"]);
    assert!(message.contains("there is no image 'b' in set") && !place.path("y").exists(), "{message}");
}

#[test]
fn black_and_white_masks_are_not_taken_for_void() {
    let place = Place::with_line();
    let white = GrayImage::from_fn(60, 40, |x, _| Luma([if x == 20 { 255 } else { 0 }]));
    white.save(place.path("set/masks/a.png")).unwrap();
    let message = place.fails(&["data", "stats", "set", "--classes", "skin,line"]);
    assert!(
        message.contains("masks/a.png: holds 0 and 255 alone") && message.contains("mask-values"),
        "{message}"
    );
    assert!(place.run(&["data", "stats", "set"]).contains("1 image"));
}
