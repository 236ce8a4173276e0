//! Hairs on the skin: single ones, bundles and brows. They are dark lines too, but no wrinkles.

use crate::drawing::canvas::Canvas;
use crate::drawing::colour::{self, BLACK, Rgb};
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Turn, mix, pt};
use crate::drawing::light::Light;
use crate::drawing::path::{Path, curve};

/// The hairs of a picture, of one colour.
#[derive(Debug, Clone, Default)]
pub(super) struct Strands {
    hairs: Vec<Hair>,
    colour: Rgb,
}

#[derive(Debug, Clone)]
struct Hair {
    line: Vec<Point>,
    /// Picture widths.
    width: f32,
    /// True for short hairs, which end in a tip.
    pointed: bool,
}

/// How far beside a hair its shadow falls, picture widths.
const LIFT: f32 = 0.004;

impl Strands {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let age = dice.range(0.0, 0.7);
        let colour = colour::hair(dice, age).mix(BLACK, dice.range(0.2, 0.7));
        let mut hairs = Vec::new();
        if dice.chance(0.85) {
            let count = 3 + dice.below(9);
            hairs.extend((0..count).map(|_| single(dice)));
        }
        for _ in 0..dice.pick(&[0, 0, 1, 1, 2]) {
            bundle(dice, &mut hairs);
        }
        if dice.chance(0.25) {
            brow(dice, &mut hairs);
        }
        if dice.chance(0.25) {
            stubble(dice, &mut hairs);
        }
        Self { hairs, colour }
    }

    pub(super) fn paint(&self, light: &Light, canvas: &mut Canvas) {
        let shift = pt(light.towards.x, light.towards.y) * -LIFT;
        let cast: Vec<Path> = self.hairs.iter().map(|hair| hair.outline(shift, 2.2)).collect();
        canvas.tint(&canvas.mask(&cast), |_| (BLACK, 0.12));
        let outlines: Vec<Path> = self.hairs.iter().map(|hair| hair.outline(pt(0.0, 0.0), 1.0)).collect();
        let lit = self.colour.mix(Rgb([1.0; 3]), 0.06);
        canvas.tint(&canvas.mask(&outlines), |p| (self.colour.mix(lit, p.y), 0.88));
    }
}

impl Hair {
    fn outline(&self, shift: Point, widening: f32) -> Path {
        let line: Vec<Point> = self.line.iter().map(|p| *p + shift).collect();
        let tip = |t: f32| if self.pointed { mix(1.0, 0.2, t) } else { 1.0 };
        Path::stroke(&line, |t| self.width * widening * tip(t))
    }
}

/// A long hair across the picture, slightly bent.
fn single(dice: &mut Dice) -> Hair {
    let middle = pt(dice.range(0.1, 0.9), dice.range(0.1, 0.9));
    let half = pt(dice.range(0.35, 1.1), 0.0).turn(dice.range(0.0, 3.2));
    long(middle, half, dice.normal(0.0, 0.07), dice.range(0.0045, 0.008))
}

/// Hairs that hang together and open a little towards one end.
fn bundle(dice: &mut Dice, hairs: &mut Vec<Hair>) {
    let middle = pt(dice.range(0.0, 1.0), dice.range(0.0, 1.0));
    let half = pt(dice.range(0.6, 1.1), 0.0).turn(dice.range(0.0, 3.2));
    let (bow, spread) = (dice.normal(0.0, 0.1), dice.range(0.03, 0.09));
    for _ in 0..4 + dice.below(9) {
        let place = middle + half.normal() * dice.normal(0.0, spread);
        let way = Turn::by(dice.normal(0.0, 0.05)).apply(half);
        hairs.push(long(place, way, bow + dice.normal(0.0, 0.01), dice.range(0.0035, 0.007)));
    }
}

/// Short hairs that grow about the same way in one area, as in a beard after a day or two.
fn stubble(dice: &mut Dice, hairs: &mut Vec<Hair>) {
    let (centre, radius) = (pt(dice.range(0.1, 0.9), dice.range(0.1, 0.9)), dice.range(0.12, 0.3));
    let (angle, length) = (dice.range(0.0, 6.3), dice.range(0.02, 0.055));
    for _ in 0..60 + dice.below(120) {
        let root = centre + pt(dice.normal(0.0, radius), dice.normal(0.0, radius));
        let way = pt(length * dice.range(0.6, 1.3), 0.0).turn(angle + dice.normal(0.0, 0.35));
        let line = vec![root, root + way * 0.5 + way.normal() * (0.06 * length), root + way];
        hairs.push(Hair { line, width: dice.range(0.004, 0.0065), pointed: true });
    }
}

fn long(middle: Point, half: Point, bow: f32, width: f32) -> Hair {
    let at = |share: f32| middle + half * share + half.normal() * (bow * (1.0 - share * share));
    let through: Vec<Point> = (-2..=2).map(|i| at(i as f32 / 2.0)).collect();
    Hair { line: curve(&through), width, pointed: false }
}

/// Short hairs side by side along an arc at the border of the picture.
fn brow(dice: &mut Dice, hairs: &mut Vec<Hair>) {
    let (above, side) = (dice.chance(0.5), dice.sign());
    let (level, arch) = (dice.range(0.0, 0.13), dice.range(0.0, 0.08));
    for _ in 0..70 + dice.below(60) {
        let x = dice.range(0.0, 1.0);
        let y = level + arch * (2.0 * x - 1.0).powi(2) + dice.normal(0.0, 0.03);
        let root = pt(x, if above { y } else { 1.0 - y });
        let lean = mix(-1.1, -0.25, x) + dice.normal(0.0, 0.15);
        let way = pt(dice.range(0.05, 0.12), 0.0).turn(lean);
        let way = pt(side * way.x, way.y);
        let bow = way.normal() * (side * dice.range(0.0, 0.012));
        let at = |share: f32| root + way * share + bow * (4.0 * share * (1.0 - share));
        let line = (0..5).map(|i| at(i as f32 / 4.0)).collect();
        hairs.push(Hair { line, width: dice.range(0.005, 0.009), pointed: true });
    }
}
