use super::*;
use image::Rgb;
use proptest::prelude::*;

fn rows(map: &GrayImage) -> Vec<String> {
    let text = |value: &Luma<u8>| if value[0] == 0 { '.' } else { '#' };
    map.rows().map(|row| row.map(text).collect()).collect()
}

fn map(rows: &[&str]) -> GrayImage {
    GrayImage::from_fn(rows[0].len() as u32, rows.len() as u32, |x, y| {
        Luma([u8::from(rows[y as usize].as_bytes()[x as usize] == b'#')])
    })
}

fn annotated(text: &str, photo: Option<(u32, u32)>, labels: &[&str]) -> Result<GrayImage, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("7.json");
    std::fs::write(&path, text).unwrap();
    let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
    read_line_mask(&path, photo, &labels, 1.0).map_err(|e| e.to_string())
}

/// Number of pieces that hang together over corners.
fn pieces(map: &GrayImage) -> u32 {
    connected_components(map, Connectivity::Eight, Luma([0])).iter().copied().max().unwrap_or(0)
}

#[test]
fn both_formats_draw_the_same_line() {
    let plain = r#"{"width": 6, "height": 4, "lines": [[[0.5, 0.5], [5.5, 0.5], [5.5, 3.5]], [[2.5, 2.5]]]}"#;
    let drawn = annotated(plain, None, &[]).unwrap();
    assert_eq!(rows(&drawn), ["######", ".....#", "..#..#", ".....#"]);
    let labelme = r#"{"imageWidth": 6, "imageHeight": 4, "shapes": [
        {"label": "wrinkle", "shape_type": "linestrip", "points": [[0.5, 0.5], [5.5, 0.5], [5.5, 3.5]]},
        {"label": "spot", "shape_type": "polygon", "points": [[0, 0], [1, 0], [1, 1]]},
        {"label": "fold", "shape_type": "line", "points": [[2.5, 2.5], [2.5, 2.5]]}]}"#;
    assert_eq!(annotated(labelme, Some((6, 4)), &["wrinkle", "fold"]).unwrap(), drawn);
    let error = annotated(labelme, None, &[]).unwrap_err();
    assert!(error.contains("7.json: shape 1 ('spot') is of type 'polygon'"), "{error}");
}

#[test]
fn faulty_annotations_are_named_with_their_place() {
    let sized = |rest: &str| format!(r#"{{"width": 6, "height": 4, {rest}}}"#);
    for (text, fault) in [
        ("{\n\"lines\": [[[1, 2],, 3]]}".to_owned(), "is no JSON: expected value at line 2 column 19"),
        (r#"{"lines": []}"#.into(), "does not say its picture's width and height"),
        (sized(r#""points": []"#), "neither `lines` nor labelme's `shapes`"),
        (
            sized(r#""lines": [[[1, 1]], [[1, 1], [6.5, 1]]]"#),
            "line 1, point 1 at [6.5, 1] lies outside of the picture of 6 x 4",
        ),
        (sized(r#""lines": [[[1, -0.1]]]"#), "line 0, point 0 at [1, -0.1] lies outside"),
        (sized(r#""lines": [[[1, "2"]]]"#), r#"line 0, point 0 is [1,"2"], not [x, y]"#),
        (sized(r#""lines": [[]]"#), "line 0 has no points"),
        (r#"{"width": 0, "height": 4, "lines": []}"#.into(), "its size is 0"),
        (r#"{"width": 4000000, "height": 4000000, "lines": []}"#.into(), "the limit is"),
    ] {
        let error = annotated(&text, None, &[]).unwrap_err();
        assert!(error.contains("7.json: ") && error.contains(fault), "{error}");
    }
    let error = annotated(&sized(r#""lines": []"#), Some((4, 6)), &[]).unwrap_err();
    assert!(error.contains("6 x 4 pixels (width x height), but the photograph has 4 x 6"), "{error}");
}

#[test]
fn lines_have_their_width() {
    for (width, thick) in [(1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4), (5.0, 5)] {
        let mask = GrayImage::from_fn(40, 20, |x, y| Luma([u8::from((8..32).contains(&x) && y == 9)]));
        let drawn = redraw(&mask, width, 0);
        assert_eq!(drawn.rows().filter(|row| row.clone().nth(20).unwrap()[0] == 1).count(), thick, "{width}");
    }
}

#[test]
fn strokes_are_found_by_colour_or_by_change() {
    let photo = RgbImage::from_fn(20, 10, |x, y| Rgb([180 + x as u8, 140 + y as u8, 120]));
    let mut drawn = photo.clone();
    (3..17).for_each(|x| drawn.put_pixel(x, 4, Rgb([250, 10, 5])));
    drawn.put_pixel(0, 0, Rgb([182, 141, 118]));
    let want = GrayImage::from_fn(20, 10, |x, y| Luma([u8::from((3..17).contains(&x) && y == 4)]));
    assert_eq!(pen_mask(&drawn, Pen::Colour([255, 0, 0]), 20).unwrap(), want);
    assert_eq!(pen_mask(&drawn, Pen::Change(&photo), 20).unwrap(), want);
    let other = RgbImage::new(10, 20);
    let error = pen_mask(&drawn, Pen::Change(&other), 20).unwrap_err().to_string();
    assert!(error.contains("20 x 10 pixels (width x height), but the photograph has 10 x 20"), "{error}");
}

/// A picture as it is after it was stored as a JPEG.
fn stored(image: &RgbImage) -> RgbImage {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(image).unwrap();
    image::load_from_memory(&bytes).unwrap().into_rgb8()
}

#[test]
fn strokes_are_found_in_jpegs() {
    let grain = |x: u32, y: u32| (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761) >> 28;
    let photo = RgbImage::from_fn(64, 64, |x, y| Rgb([190, 140, 120].map(|skin| skin + grain(x, y) as u8)));
    let mut stroke = GrayImage::new(64, 64);
    draw_line(&mut stroke, &[[8.0, 12.0], [30.0, 40.0], [56.0, 44.0]], 4.0);
    let mut drawn = photo.clone();
    for (pixel, _) in drawn.pixels_mut().zip(stroke.iter()).filter(|(_, mark)| **mark == 1) {
        *pixel = Rgb([0, 255, 0]);
    }
    let (drawn, photo, want) = (stored(&drawn), stored(&photo), redraw(&stroke, 3.0, 8));
    for pen in [Pen::Colour([0, 255, 0]), Pen::Change(&photo)] {
        let found = redraw(&pen_mask(&drawn, pen, 60).unwrap(), 3.0, 8);
        let pairs = || found.iter().zip(want.iter());
        let both = pairs().filter(|(a, b)| (**a, **b) == (1, 1)).count() as f64;
        let any = pairs().filter(|(a, b)| **a + **b > 0).count() as f64;
        assert!(both / any > 0.7, "{pen:?}: {both} of {any}");
    }
}

#[test]
fn specks_go_and_lines_stay() {
    let mask = map(&["..........", "..........", "..######..", "..........", ".#........", "#........."]);
    let (all, long) = (redraw(&mask, 1.0, 0), redraw(&mask, 1.0, 4));
    assert_eq!(all, mask);
    assert_eq!(rows(&long)[2..], ["..######..", "..........", "..........", ".........."]);
}

#[test]
fn thick_strokes_become_one_pixel_wide() {
    let bar = map(&["........", ".######.", ".######.", ".######.", "........"]);
    assert!(rows(&thin(&bar))[2].contains("####"));
    assert!(thin(&bar).enumerate_pixels().all(|(_, y, value)| value[0] == 0 || y == 2));
    assert_eq!(pieces(&thin(&map(&["....", ".##.", ".##.", "...."]))), 1, "a square is not erased");
    let ring = GrayImage::from_fn(60, 60, |x, y| {
        let radius = (f64::from(x) - 29.5).hypot(f64::from(y) - 29.5);
        Luma([u8::from((16.0..24.0).contains(&radius))])
    });
    let lines = thin(&ring);
    let inside = connected_components(&lines, Connectivity::Four, Luma([1]));
    assert_eq!((pieces(&lines), inside.iter().copied().max()), (1, Some(2)), "the ring stays a ring");
    assert!(lines.iter().filter(|value| **value == 1).count() < 160);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn thinning_keeps_what_hangs_together(
        points in prop::collection::vec((5f64..55.0, 5f64..55.0), 1..6), width in 1f64..9.0,
    ) {
        let mut mask = GrayImage::new(60, 60);
        let points: Vec<[f64; 2]> = points.into_iter().map(|(x, y)| [x, y]).collect();
        draw_line(&mut mask, &points, width);
        draw_line(&mut mask, &[[1.0, 1.0], [1.0, 58.0]], 1.0);
        let lines = thin(&mask);
        prop_assert_eq!(pieces(&lines), pieces(&mask));
        prop_assert!(lines.iter().zip(mask.iter()).all(|(line, stroke)| line <= stroke));
        let again = thin(&lines);
        prop_assert_eq!(again, lines);
    }
}
