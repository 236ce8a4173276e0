use super::*;
use crate::dataset::{Dataset, VOID};
use crate::edges::edge_map;
use crate::testing::{Blocks, colour_of, coloured};
use image::Luma;

const MAPS: [Map; 2] = [Map::Labels, Map::Border];

fn paper() -> Affine {
    Affine {
        scale_deviation: 0.25,
        scale_limit: 0.25,
        rotation_probability: 0.6,
        rotation_deviation: 30.0,
        rotation_limit: 60.0,
    }
}

fn full(size: [usize; 2]) -> Config {
    let colour = Some(Colour { brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: Some(0.1) });
    Config { flip: 0.5, affine: Some(paper()), colour, ..Config::resize_only(size) }
}

#[test]
fn a_flip_exchanges_left_and_right() {
    let labels = GrayImage::from_raw(3, 1, vec![1, 3, VOID]).unwrap();
    let sample = Sample { image: coloured(&labels), targets: [labels.clone(), edge_map(&labels)] };
    let config = Config { flip: 1.0, ..Config::resize_only([1, 3]) };
    let once = config.apply(sample.clone(), &MAPS, &[(1, 2)], (0, 0, 0)).unwrap();
    assert_eq!(once.targets[0].as_raw(), &[VOID, 3, 2]);
    assert_eq!(once.targets[1], edge_map(&once.targets[0]));
    assert_eq!(once.image.get_pixel(2, 0), &colour_of(1));
    let twice = config.apply(once, &MAPS, &[(1, 2)], (0, 0, 0)).unwrap();
    assert_eq!(twice, sample);
}

#[test]
fn a_flip_leaves_masks_their_values() {
    let mask = GrayImage::from_raw(3, 1, vec![1, 0, 0]).unwrap();
    let sample = Sample { image: RgbImage::new(3, 1), targets: [mask.clone(), mask] };
    let config = Config { flip: 1.0, ..Config::resize_only([1, 3]) };
    let flipped = config.apply(sample, &[Map::Labels, Map::Mask], &[(0, 1)], (0, 0, 0)).unwrap();
    assert_eq!(flipped.targets[0].as_raw(), &[1, 1, 0]);
    assert_eq!(flipped.targets[1].as_raw(), &[0, 0, 1]);
}

#[test]
fn samples_of_the_right_size_stay_as_they_are() {
    let sample = Blocks::new(1, (30, 20)).read(0).unwrap();
    let config = Config::resize_only([20, 30]);
    assert_eq!(config.apply(sample.clone(), &MAPS, &[], (1, 2, 3)).unwrap(), sample);
}

#[test]
fn edges_follow_the_labels_and_not_the_border_of_the_picture() {
    let labels = GrayImage::from_fn(40, 40, |x, _| Luma([u8::from(x >= 20)]));
    let sample = Sample { image: coloured(&labels), targets: [labels.clone(), edge_map(&labels)] };
    let zoomed_out = Affine { scale_deviation: 9.0, scale_limit: 0.2, rotation_probability: 0.0, ..paper() };
    let config = Config { affine: Some(zoomed_out), ..Config::resize_only([40, 40]) };
    for epoch in 0..8 {
        let out = config.apply(sample.clone(), &MAPS, &[], (0, epoch, 0)).unwrap();
        let [labels, edges] = &out.targets;
        for (x, _, edge) in edges.enumerate_pixels().filter(|(x, y, _)| labels.get_pixel(*x, *y)[0] != VOID) {
            assert_eq!(edge[0] == 1, x == 19 || x == 20, "column {x}, epoch {epoch}");
        }
        assert!(edges.pixels().zip(labels.pixels()).all(|(e, l)| l[0] != VOID || e[0] == 0));
    }
}

#[test]
fn everything_at_once_keeps_image_labels_and_edges_together() {
    let set = Blocks::new(3, (90, 70));
    let config = Config { colour: None, ..full([48, 40]) };
    for epoch in 0..20 {
        let out = config.apply(set.read(1).unwrap(), &MAPS, set.swaps(), (7, epoch, 1)).unwrap();
        let [labels, edges] = &out.targets;
        assert_eq!(
            (out.image.dimensions(), labels.dimensions(), edges.dimensions()),
            ((40, 48), (40, 48), (40, 48))
        );
        assert!(labels.iter().all(|label| *label < 4 || *label == VOID));
        assert!(edges.iter().all(|edge| *edge < 2));
        assert!(
            labels
                .pixels()
                .zip(out.image.pixels())
                .all(|(label, colour)| { (label[0] == VOID) == (colour.0 == [0; 3]) }),
            "black where void, epoch {epoch}"
        );
    }
}

#[test]
fn masks_of_their_own_are_resized_without_losing_lines() {
    for column in 0..64 {
        let mask = GrayImage::from_fn(64, 64, |x, _| Luma([u8::from(x == column)]));
        let sample = Sample { image: RgbImage::new(64, 64), targets: [GrayImage::new(64, 64), mask] };
        let config = Config::resize_only([16, 16]);
        let out = config.apply(sample, &[Map::Labels, Map::Mask], &[], (0, 0, 0)).unwrap();
        assert!(out.targets[1].enumerate_pixels().all(|(x, _, v)| (v[0] == 1) == (x == column / 4)));
    }
}

#[test]
fn a_warp_that_shrinks_does_not_alias() {
    let checks = RgbImage::from_fn(64, 64, |x, y| image::Rgb([200 * ((x + y) % 2) as u8; 3]));
    let turn = Geometry { degrees: 10.0, ..Geometry::resize(16, 16) };
    let none = (Jitter::NONE, 0.0);
    let small = Config::resize_only([1, 1]).place_image(checks, turn, none).unwrap();
    let middle = imageops::crop_imm(&small, 4, 4, 8, 8).to_image();
    assert!(middle.iter().all(|v| v.abs_diff(100) < 12), "{:?}", middle.as_raw());
}

#[test]
fn random_numbers_come_from_seed_epoch_and_index() {
    let set = Blocks::new(2, (40, 40));
    let config = full([32, 32]);
    let made = |key| config.apply(set.read(0).unwrap(), &MAPS, set.swaps(), key).unwrap();
    assert_eq!(made((1, 2, 3)), made((1, 2, 3)));
    for key in [(9, 2, 3), (1, 9, 3), (1, 2, 9)] {
        assert_ne!(made((1, 2, 3)), made(key));
    }
}

#[test]
fn draws_have_the_published_spread() {
    let config = full([10, 10]);
    let drawn: Vec<Geometry> = (0..4000)
        .map(|index| config.geometry(&mut stream(0, Purpose::Augment, 0, index), (10, 10)).unwrap())
        .collect();
    let share = |holds: &dyn Fn(&Geometry) -> bool| drawn.iter().filter(|g| holds(g)).count() as f64 / 4000.0;
    assert!(drawn.iter().all(|g| (0.75..=1.25).contains(&g.scale) && g.degrees.abs() <= 60.0));
    // A deviation lies inside of 1 in 68 % of all draws, and beyond 2 in 4.6 %.
    assert!((share(&|g| g.scale > 0.75 && g.scale < 1.25) - 0.683).abs() < 0.03);
    assert!((share(&|g| g.degrees != 0.0) - 0.6).abs() < 0.03);
    assert!((share(&|g| g.degrees.abs() == 60.0) - 0.6 * 0.0455).abs() < 0.01);
}

#[test]
fn a_rotation_is_drawn_evenly() {
    let rotation = toml::from_str("limit = 5.0").unwrap(); // of every picture
    let config = Config { rotation: Some(rotation), ..Config::resize_only([10, 10]) };
    let angle =
        |index| config.geometry(&mut stream(0, Purpose::Augment, 0, index), (10, 10)).unwrap().degrees;
    let mut angles: Vec<f64> = (0..4000).map(angle).collect();
    angles.sort_by(f64::total_cmp);
    assert!(-5.0 <= angles[0] && angles[3999] <= 5.0);
    for (place, want) in [(0, -5.0), (1000, -2.5), (2000, 0.0), (3000, 2.5), (3999, 5.0)] {
        assert!((angles[place] - want).abs() < 0.3, "{place}: {}", angles[place]);
    }
    let refused =
        |rotation| Config { rotation: Some(rotation), ..config.clone() }.check().unwrap_err().to_string();
    let error = refused(Rotation { limit: 181.0, probability: 1.0 });
    assert!(error.starts_with("augment.rotation.limit: "), "{error}");
    let error = refused(Rotation { limit: 5.0, probability: 1.5 });
    assert!(error.starts_with("augment.rotation.probability: 1.5"), "{error}");
}

#[test]
fn a_rotation_comes_as_often_as_its_probability_says() {
    let share = |probability: f64| {
        let rotation = Some(Rotation { limit: 5.0, probability });
        let config = Config { rotation, ..Config::resize_only([10, 10]) };
        let angle =
            |index| config.geometry(&mut stream(0, Purpose::Augment, 0, index), (10, 10)).unwrap().degrees;
        (0..2000).filter(|index| angle(*index) != 0.0).count() as f64 / 2000.0
    };
    assert_eq!((share(0.0), share(1.0)), (0.0, 1.0));
    assert!((share(0.5) - 0.5).abs() < 0.04 && (share(0.25) - 0.25).abs() < 0.04);
}

#[test]
fn a_window_is_made_from_its_part_of_the_picture_alone() {
    let crop = Crop { scale: [1.0, 1.0], smaller: Smaller::Pad };
    let config = Config { crop: Some(crop), colour: None, ..full([20, 26]) };
    let mut parts = 0;
    for index in 0..100 {
        let set = Blocks::new(1, (90 - (index as u32 % 3) * 33, 70));
        let Sample { image, targets } = set.read(0).unwrap();
        let geometry =
            config.geometry(&mut stream(5, Purpose::Augment, 0, index), image.dimensions()).unwrap();
        let whole = (warp_image(&image, geometry, [0; 3]), warp_labels(&targets[0], geometry));
        let (part, geometry) = shown(Sample { image: image.clone(), targets }, geometry);
        parts += usize::from(part.image.len() < image.len() / 2);
        assert_eq!(
            (warp_image(&part.image, geometry, [0; 3]), warp_labels(&part.targets[0], geometry)),
            whole,
            "{index}"
        );
    }
    assert!(parts > 50, "{parts}");
}

#[test]
fn settings_are_strict() {
    let parse = |text: &str| toml::from_str::<Config>(text).map_err(|e| e.to_string());
    let affine = "scale-deviation = 0.25\nscale-limit = 0.25\nrotation-probability = 0.6\nrotation-deviation = 30\nrotation-limit = 60.0";
    let config = parse(&format!("size = [473, 473]\nflip = 0.5\n[affine]\n{affine}")).unwrap();
    assert_eq!(config.affine, Some(paper()));
    assert_eq!(config.colour, None);
    let error = parse("size = [4, 4]\nflip = 0.5\nflop = 1").unwrap_err();
    assert!(error.contains("line 3") && error.contains("unknown field `flop`"), "{error}");
    assert!(parse("size = [4, 4]").unwrap_err().contains("missing field `flip`"));
    let wrong = Config { flip: 1.5, ..Config::resize_only([4, 4]) };
    assert_eq!(wrong.check().unwrap_err().to_string(), "augment.flip: 1.5 is not within 0..=1");
    assert!(Config { flip: f64::NAN, ..wrong }.check().is_err());
    assert!(Config::resize_only([0, 4]).check().is_err());
}

#[test]
fn a_turn_leaves_the_fill_where_labels_are_void() {
    let labels = GrayImage::from_fn(60, 40, |x, y| Luma([((x / 9 + y / 7) % 4) as u8]));
    let sample = Sample { image: coloured(&labels), targets: [labels.clone(), edge_map(&labels)] };
    let fill = [124, 116, 105];
    let config = Config {
        crop: Some(Crop { scale: [0.5, 2.0], smaller: Smaller::Pad }),
        rotation: Some(Rotation { limit: 10.0, probability: 1.0 }),
        blur: Some(Blur { probability: 1.0, deviation: [0.6, 1.2] }),
        fill: Some(fill),
        ..Config::resize_only([48, 48])
    };
    let (mut beyond, mut turned) = (0, 0);
    for epoch in 0..12 {
        let out = config.apply(sample.clone(), &MAPS, &[], (1, epoch, 0)).unwrap();
        let plain = Config { rotation: None, ..config.clone() };
        turned += u32::from(plain.apply(sample.clone(), &MAPS, &[], (1, epoch, 0)).unwrap() != out);
        for (pixel, label) in out.image.pixels().zip(out.targets[0].iter()) {
            // No colour of the picture has as much of red and blue at once.
            assert_eq!(pixel.0 == fill, *label == VOID, "{pixel:?} {label}");
            beyond += u32::from(*label == VOID);
        }
    }
    assert!(beyond > 1000 && turned == 12, "{beyond} {turned}");
}

#[test]
fn blurs_out_of_range_are_named() {
    let error = |config: Config| config.check().unwrap_err().to_string();
    let plain = || Config::resize_only([8, 8]);
    let blur = Some(Blur { probability: 1.0, deviation: [2.0, 1.0] });
    assert!(error(Config { blur, ..plain() }).starts_with("augment.blur.deviation: [2, 1]"));
}
