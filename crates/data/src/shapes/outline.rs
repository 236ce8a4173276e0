//! The outlines of the 20 shapes, about the origin and within a radius of about 1.

use std::f32::consts::{PI, TAU};

use crate::drawing::geometry::{Point, pt};
use crate::drawing::path::Path;

/// What a shape covers, and what is cut out of that.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    pub(super) solid: Vec<Path>,
    pub(super) holes: Vec<Path>,
}

impl Outline {
    /// The outline of a label, 1..=20.
    pub(super) fn of(label: u8) -> Self {
        match label {
            1 => solid(Path::disc(pt(0.0, 0.0), 0.9)),
            2 => cut(Path::disc(pt(0.0, 0.0), 0.95), [Path::disc(pt(0.0, 0.0), 0.52)]),
            3 => solid(bar(-0.8, -0.8, 0.8, 0.8)),
            4 => cut(bar(-0.9, -0.75, 0.9, 0.75), [bar(-0.52, -0.37, 0.52, 0.37)]),
            5 => solid(Path::polygon(spokes(3, |_| 1.05))),
            6 => solid(Path::polygon(spokes(10, |at| if at % 2 == 0 { 1.1 } else { 0.48 }))),
            7 => union(vec![bar(-0.32, -1.0, 0.32, 1.0), bar(-1.0, -0.32, 1.0, 0.32)]),
            8 => cut(Path::disc(pt(0.0, 0.0), 1.0), [Path::disc(pt(0.48, -0.1), 0.78)]),
            9 => heart(),
            10 => polygon(&[
                (-1.0, -0.28),
                (0.1, -0.28),
                (0.1, -0.8),
                (1.05, 0.0),
                (0.1, 0.8),
                (0.1, 0.28),
                (-1.0, 0.28),
            ]),
            11 => solid(Path::polygon(spokes(6, |_| 0.95))),
            12 => wave(),
            13 => spiral(),
            14 => cut(
                Path::polygon(spokes(72, |at| if at / 3 % 3 == 0 { 1.05 } else { 0.78 })),
                [Path::disc(pt(0.0, 0.0), 0.34)],
            ),
            15 => solid(Path::polygon(spokes(90, |at| 0.68 + 0.36 * (5.0 * TAU * at as f32 / 90.0).cos()))),
            16 => drop(),
            17 => polygon(&[
                (0.25, -1.1),
                (-0.6, 0.2),
                (-0.1, 0.2),
                (-0.35, 1.1),
                (0.65, -0.3),
                (0.1, -0.3),
                (0.55, -1.1),
            ]),
            18 => cut(
                bar(-0.9, -0.9, 0.9, 0.9),
                [
                    bar(-0.65, -0.65, -0.13, -0.13),
                    bar(0.13, -0.65, 0.65, -0.13),
                    bar(-0.65, 0.13, -0.13, 0.65),
                    bar(0.13, 0.13, 0.65, 0.65),
                ],
            ),
            19 => union(vec![
                bar(-0.75, -1.0, -0.47, 0.1),
                bar(-0.14, -1.0, 0.14, 1.1),
                bar(0.47, -1.0, 0.75, 0.1),
                bar(-0.75, -0.15, 0.75, 0.2),
            ]),
            _ => key(),
        }
    }
}

fn solid(path: Path) -> Outline {
    union(vec![path])
}

fn union(solid: Vec<Path>) -> Outline {
    Outline { solid, holes: Vec::new() }
}

fn cut<const N: usize>(path: Path, holes: [Path; N]) -> Outline {
    Outline { solid: vec![path], holes: holes.into() }
}

fn polygon(corners: &[(f32, f32)]) -> Outline {
    solid(Path::polygon(corners.iter().map(|(x, y)| pt(*x, *y)).collect()))
}

fn bar(left: f32, top: f32, right: f32, bottom: f32) -> Path {
    Path::polygon(vec![pt(left, top), pt(right, top), pt(right, bottom), pt(left, bottom)])
}

/// Points around the origin at even angles, the first one on top.
fn spokes(count: usize, radius: impl Fn(usize) -> f32) -> Vec<Point> {
    let at = |i: usize| pt(0.0, -radius(i)).turn(TAU * i as f32 / count as f32);
    (0..count).map(at).collect()
}

fn heart() -> Outline {
    let at = |i: usize| {
        let t = TAU * i as f32 / 60.0;
        let y = 13.0 * t.cos() - 5.0 * (2.0 * t).cos() - 2.0 * (3.0 * t).cos() - (4.0 * t).cos();
        pt(16.0 * t.sin().powi(3), -y - 2.0) * (1.0 / 16.0)
    };
    solid(Path::polygon((0..60).map(at).collect()))
}

fn wave() -> Outline {
    let line: Vec<Point> = (0..=48)
        .map(|i| {
            let x = -1.1 + 2.2 * i as f32 / 48.0;
            pt(x, 0.42 * (1.5 * PI * x).sin())
        })
        .collect();
    solid(Path::stroke(&line, |_| 0.42))
}

/// A stroke that comes near itself would turn both ways; two pieces keep their union whole.
fn spiral() -> Outline {
    let at = |turns: f32| pt(0.0, -0.12 - 0.5 * turns).turn(TAU * turns);
    let piece = |from: f32| {
        let line: Vec<Point> = (0..=30).map(|i| at(from + 0.9 * i as f32 / 30.0)).collect();
        Path::stroke(&line, |_| 0.27)
    };
    union(vec![piece(0.05), piece(0.9)])
}

fn drop() -> Outline {
    let at = |i: usize| {
        let t = TAU * i as f32 / 60.0;
        pt(0.75 * t.sin() * (0.5 * t).sin().powi(2) * 1.25, -t.cos())
    };
    solid(Path::polygon((0..60).map(at).collect()))
}

fn key() -> Outline {
    let ring = pt(0.0, -0.55);
    Outline {
        solid: vec![
            Path::disc(ring, 0.68),
            bar(-0.2, 0.0, 0.2, 1.1),
            bar(0.0, 0.8, 0.62, 1.1),
            bar(0.0, 0.32, 0.52, 0.6),
        ],
        holes: vec![Path::disc(ring, 0.32)],
    }
}
