//! Families of wrinkles: lines that belong together as on a real face.

use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Turn, mix, pt};
use crate::drawing::path::curve;

use super::line::Line;

/// Draws the wrinkles of a picture: one or two families, seldom none.
pub(super) fn draw(dice: &mut Dice) -> Vec<Line> {
    if dice.chance(0.05) {
        return Vec::new();
    }
    let turn = Turn::by(dice.normal(0.0, 0.25));
    let age = Age { darkness: dice.range(0.21, 0.42), width: dice.range(0.0072, 0.0118) };
    let mut lines = match dice.below(5) {
        0 | 1 => forehead(dice, &age),
        2 => fan(dice, &age),
        3 => folds(dice, &age),
        _ => lattice(dice, &age),
    };
    if dice.chance(0.35) {
        lines.extend(if dice.chance(0.5) { fan(dice, &age) } else { lattice(dice, &age) });
    }
    for line in &mut lines {
        line.points.iter_mut().for_each(|p| *p = turn.apply(*p - MIDDLE) + MIDDLE);
    }
    lines
}

const MIDDLE: Point = Point { x: 0.5, y: 0.5 };

/// How pronounced a picture's wrinkles are.
struct Age {
    /// Share of the light that the ground of a usual wrinkle lacks, 0..=1.
    darkness: f32,
    /// Half width of a usual wrinkle, picture widths.
    width: f32,
}

impl Age {
    /// A line through the points, `strength` times a usual one.
    fn line(&self, dice: &mut Dice, through: &[Point], strength: f32) -> Line {
        Line {
            points: curve(through),
            half_width: self.width * strength.sqrt() * dice.range(0.8, 1.25),
            darkness: (self.darkness * strength * dice.range(0.75, 1.2)).clamp(0.16, 0.5),
            steepness: dice.range(0.9, 1.6),
            lips: dice.range(0.35, 0.7),
            tapers: [dice.range(0.1, 0.35), dice.range(0.1, 0.35)],
            waver: dice.range(0.1, 0.5),
            noise: dice.word(),
        }
    }
}

/// Long near-parallel lines across the picture, some broken in two, with offshoots.
fn forehead(dice: &mut Dice, age: &Age) -> Vec<Line> {
    let (mut lines, count) = (Vec::new(), 3 + dice.below(4));
    let (gap, bow, wave) = (0.9 / count as f32, dice.normal(0.0, 0.06), dice.range(0.008, 0.025));
    let phase = dice.range(0.0, 6.3);
    for k in 0..count {
        let level = 0.05 + gap * (k as f32 + 0.5) + dice.normal(0.0, 0.12 * gap);
        let height = |x: f32, jitter: f32| {
            level + bow * (1.0 - 4.0 * (x - 0.5) * (x - 0.5)) + wave * (9.0 * x + phase).sin() + jitter
        };
        let (mut from, end) = (dice.range(-0.15, 0.25), dice.range(0.75, 1.15));
        while end - from > 0.15 {
            let to = if dice.chance(0.4) { mix(from, end, dice.range(0.35, 0.65)) } else { end };
            let points: Vec<Point> = (0..7)
                .map(|i| mix(from, to, i as f32 / 6.0))
                .map(|x| pt(x, height(x, dice.normal(0.0, 0.012 * (to - from)))))
                .collect();
            let strength = dice.range(0.7, 1.2);
            lines.push(age.line(dice, &points, strength));
            offshoot(dice, age, &points, &mut lines);
            from = to + dice.range(-0.03, 0.06);
        }
    }
    lines
}

/// Lines that spread from a point beside the picture, as beside an eye, and fork.
fn fan(dice: &mut Dice, age: &Age) -> Vec<Line> {
    let side = dice.sign();
    let origin = pt(0.5 - side * dice.range(0.45, 0.65), dice.range(0.25, 0.75));
    let (count, spread) = (4 + dice.below(5), dice.range(0.7, 1.3));
    let bend = dice.normal(0.0, 0.25);
    let mut lines = Vec::new();
    for k in 0..count {
        let angle = spread * ((k as f32 + 0.5) / count as f32 - 0.5) + dice.normal(0.0, 0.04);
        let (near, far) = (dice.range(0.12, 0.3), dice.range(0.45, 0.95));
        let at = |share: f32| {
            let way = mix(near, far, share);
            let turned = pt(way, 0.0).turn(angle * (1.0 + 0.6 * share) + bend * share * share);
            origin + pt(side * turned.x, turned.y)
        };
        let points: Vec<Point> = (0..6).map(|i| at(i as f32 / 5.0) + shake(dice, 0.004)).collect();
        let strength = dice.range(0.6, 1.1);
        let mut line = age.line(dice, &points, strength);
        line.tapers = [0.15, dice.range(0.35, 0.6)];
        lines.push(line);
        offshoot(dice, age, &points, &mut lines);
    }
    lines
}

/// One or two deep curved folds, as from nose to mouth, with a few fine followers.
fn folds(dice: &mut Dice, age: &Age) -> Vec<Line> {
    let mut lines = Vec::new();
    let (side, bow) = (dice.sign(), dice.range(0.05, 0.22));
    let (start, end) = (pt(dice.range(0.25, 0.5), -0.1), pt(dice.range(0.45, 0.75), dice.range(0.8, 1.1)));
    for k in 0..2 + dice.below(4) {
        let strength = if k == 0 { dice.range(1.3, 1.9) } else { dice.range(0.55, 0.9) };
        let aside = k as f32 * dice.range(0.07, 0.14) * if k % 2 == 0 { 1.0 } else { -1.0 };
        let (from, to) = if k == 0 { (0.0, 1.0) } else { (dice.range(0.1, 0.4), dice.range(0.6, 0.95)) };
        let at = |share: f32| {
            let p = start.lerp(end, share) + pt(aside + bow * 4.0 * share * (1.0 - share), 0.0);
            pt(0.5 + side * (p.x - 0.5), p.y)
        };
        let points: Vec<Point> =
            (0..7).map(|i| at(mix(from, to, i as f32 / 6.0)) + shake(dice, 0.006)).collect();
        lines.push(age.line(dice, &points, strength));
        offshoot(dice, age, &points, &mut lines);
    }
    lines
}

/// Many short fine lines in two crossing directions, as under an eye or on a neck.
fn lattice(dice: &mut Dice, age: &Age) -> Vec<Line> {
    let (angle, crossing) = (dice.range(-0.5, 0.5), dice.range(0.5, 1.1));
    let centre = pt(dice.range(0.3, 0.7), dice.range(0.3, 0.7));
    let mut lines = Vec::new();
    for _ in 0..9 + dice.below(9) {
        let place = centre + pt(dice.normal(0.0, 0.2), dice.normal(0.0, 0.2));
        let lean = if dice.chance(0.3) { crossing } else { 0.0 };
        let half = Turn::by(angle + lean + dice.normal(0.0, 0.08)).apply(pt(dice.range(0.07, 0.2), 0.0));
        let bow = half.normal() * dice.normal(0.0, 0.02);
        let at = |share: f32| place + half * share + bow * (1.0 - share * share);
        let points: Vec<Point> = (-2..=2).map(|i| at(i as f32 / 2.0) + shake(dice, 0.004)).collect();
        let strength = dice.range(0.5, 0.9);
        lines.push(age.line(dice, &points, strength));
    }
    lines
}

/// A finer line that leaves another one at a small angle, or none.
fn offshoot(dice: &mut Dice, age: &Age, trunk: &[Point], lines: &mut Vec<Line>) {
    if !dice.chance(0.45) {
        return;
    }
    let fork = 1 + dice.below(trunk.len() - 2);
    let along = trunk[fork + 1] - trunk[fork];
    let way = along * (dice.range(0.1, 0.25) / along.length().max(1e-6));
    let (angle, bend) = (dice.sign() * dice.range(0.25, 0.6), dice.normal(0.0, 0.25));
    let at =
        |share: f32| trunk[fork] + (way * share).turn(angle * (0.4 + 0.6 * share) + bend * share * share);
    let points: Vec<Point> = (0..5).map(|i| at(i as f32 / 4.0)).collect();
    let strength = dice.range(0.5, 0.8);
    let mut line = age.line(dice, &points, strength);
    line.tapers = [0.02, dice.range(0.4, 0.7)];
    lines.push(line);
}

fn shake(dice: &mut Dice, by: f32) -> Point {
    pt(dice.normal(0.0, by), dice.normal(0.0, by))
}
