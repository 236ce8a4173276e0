//! Ears and what hangs from them.

use super::canvas::{Blob, Canvas};
use super::class::{EARRING, L_EAR, R_EAR, sided};
use super::colour::{self, Rgb, WHITE};
use super::dice::Dice;
use super::geometry::{Point, Point3, pt, pt3};
use super::head::Sitter;
use super::path::{Path, curve};

#[derive(Debug, Clone)]
pub(super) struct Ears {
    /// Half height, head units, as all lengths here.
    half_height: f32,
    depth: f32,
    /// Sine and cosine of the angle to the side of the head.
    stand: (f32, f32),
    place: f32,
    earring: Option<Earring>,
}

#[derive(Debug, Clone)]
struct Earring {
    shape: Shape,
    /// Radius, or half length of a drop.
    size: f32,
    metal: Rgb,
    stone: Rgb,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Stud,
    Hoop,
    Drop,
    Chain,
}

impl Ears {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        let worn = dice.chance(if sitter.masculine { 0.28 } else { 0.8 });
        Self {
            half_height: dice.range(0.23, 0.29),
            depth: dice.range(0.22, 0.28),
            stand: dice.range(0.5, 0.85).sin_cos(),
            place: dice.range(0.08, 0.15),
            earring: worn.then(|| Earring::draw(dice, sitter.masculine)),
        }
    }

    /// True when the head hides the ear of this side.
    pub(super) fn is_behind(sitter: &Sitter, side: f32) -> bool {
        side * sitter.pose.yaw > 0.13
    }

    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas, side: f32) {
        const RIM: [(f32, f32); 10] = [
            (-0.05, -0.45),
            (0.12, -0.85),
            (0.5, -1.02),
            (0.88, -0.85),
            (1.0, -0.4),
            (0.86, 0.1),
            (0.62, 0.55),
            (0.4, 0.95),
            (0.12, 0.98),
            (-0.08, 0.6),
        ];
        let outline = Path::smooth(&RIM.map(|(a, b)| self.at(sitter, side, a, b)));
        let mask = canvas.mask(&[outline]);
        let class = sided(side, L_EAR, R_EAR);
        canvas.paint(&mask, class, |p| sitter.skin_ink(p).mix(Rgb([0.75, 0.3, 0.25]), 0.06));
        let inner = [(0.3, -0.6), (0.68, -0.62), (0.74, -0.25), (0.5, 0.15), (0.42, 0.5)];
        let fold = curve(&inner.map(|(a, b)| self.at(sitter, side, a, b)));
        sitter.crease(canvas, &mask, &fold, 0.06, 0.6);
        let hollow = Blob {
            radius_y: 0.12 * sitter.pose.scale,
            ..Blob::round(self.at(sitter, side, 0.3, 0.0), 0.07 * sitter.pose.scale)
        };
        canvas.glow(hollow, sitter.shadow(0.85), 0.6, &mask);
    }

    pub(super) fn paint_earring(&self, sitter: &Sitter, canvas: &mut Canvas, side: f32) {
        if let Some(earring) = &self.earring {
            earring.paint(sitter, canvas, self.at(sitter, side, 0.26, 0.86));
        }
    }

    /// A point of the ear: `a` from 0 at the head to 1 at the rim, `b` from -1 at the top to 1 at the lobe.
    fn at(&self, sitter: &Sitter, side: f32, a: f32, b: f32) -> Point {
        let root = pt3(sitter.head.cheek - 0.03, self.place, -0.02);
        let away = pt3(self.stand.0, 0.0, -self.stand.1) * (a * self.depth);
        let p = root + away + pt3(0.0, b * self.half_height, 0.0);
        sitter.pose.project(Point3 { x: p.x * side, ..p })
    }
}

impl Earring {
    fn draw(dice: &mut Dice, masculine: bool) -> Self {
        let shape = if masculine {
            dice.pick(&[Shape::Stud, Shape::Hoop])
        } else {
            dice.pick(&[Shape::Stud, Shape::Hoop, Shape::Hoop, Shape::Drop, Shape::Drop, Shape::Chain])
        };
        let size = match shape {
            Shape::Stud => dice.range(0.05, 0.075),
            Shape::Hoop => dice.range(0.09, 0.19),
            Shape::Drop => dice.range(0.08, 0.13),
            Shape::Chain => dice.range(0.16, 0.26),
        };
        let (metal, hue) = (colour::metal(dice), dice.range(0.0, 1.0));
        Self { shape, size, metal, stone: Rgb::hsv(hue, dice.range(0.0, 0.9), dice.range(0.5, 0.95)) }
    }

    fn paint(&self, sitter: &Sitter, canvas: &mut Canvas, lobe: Point) {
        let size = sitter.pose.length(self.size, 0.0);
        let wire = sitter.pose.length(0.05, 0.017);
        let down = |d: f32| lobe + pt(0.0, d);
        let line = |to: f32| Path::stroke(&[lobe, down(0.5 * to), down(to)], |_| wire);
        let paths = match self.shape {
            Shape::Stud => vec![Path::disc(lobe, size.max(0.016))],
            Shape::Hoop => vec![ring(down(0.92 * size), size, wire)],
            Shape::Drop => vec![line(size), Path::ellipse(down(1.7 * size), 0.62 * size, 0.9 * size, 0.0)],
            Shape::Chain => {
                let bead = |k: i32| Path::disc(down(k as f32 * size / 2.2), wire * (0.6 + 0.16 * k as f32));
                std::iter::once(line(2.0 * size)).chain((0..5).map(bead)).collect()
            }
        };
        let mask = canvas.mask(&paths);
        let stony = matches!(self.shape, Shape::Stud | Shape::Drop);
        let (base, reach) = (if stony { self.stone } else { self.metal }, 1.0 / wire);
        canvas.paint(&mask, EARRING, |p| {
            let q = (p - lobe) * reach;
            let glint = (0.9 * q.x + 1.3 * q.y).sin().max(0.0).powi(3);
            (base * (0.85 + 0.15 * (1.1 * q.y).cos())).mix(WHITE, 0.5 * glint)
        });
    }
}

/// A closed line around a circle, flattened a little as a hanging hoop is seen.
fn ring(centre: Point, radius: f32, width: f32) -> Path {
    let at = |i: i32| {
        let (s, c) = (std::f32::consts::TAU * i as f32 / 28.0 - 1.57).sin_cos();
        centre + pt(0.72 * radius * c, radius * s)
    };
    Path::stroke(&(0..=28).map(at).collect::<Vec<_>>(), |_| width)
}
