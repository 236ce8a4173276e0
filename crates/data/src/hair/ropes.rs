//! Braids and dreadlocks: ropes of hair, each made of locks.

use super::lock::Lock;
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point3, mix, pt3};

/// A plait along a line: leaf-shaped turns that lean to both sides over a dark core. `across` points to the right of the
/// picture.
pub(super) fn braid(dice: &mut Dice, line: &[Point3], width: f32, across: Point3) -> Vec<Lock> {
    let tone = dice.range(0.8, 1.1);
    let core = Lock { line: line.to_vec(), width: 0.85 * width, tip: 0.5, tone: 0.5 * tone, streak: 0.0 };
    let mut locks = vec![core];
    for (k, (centre, share)) in stations(line, 0.42 * width).into_iter().enumerate() {
        let side = if k % 2 == 0 { 1.0 } else { -1.0 };
        let w = width * mix(1.0, 0.5, share * share);
        let outside = centre + across * (0.44 * side * w) + pt3(0.0, -0.42 * w, 0.02);
        let inside = centre + across * (-0.16 * side * w) + pt3(0.0, 0.4 * w, 0.02);
        locks.push(Lock {
            line: vec![outside, outside.lerp(inside, 0.4) + across * (0.1 * side * w), inside],
            width: 0.5 * w,
            tip: 0.5,
            tone: tone * dice.range(0.85, 1.12),
            streak: dice.range(0.0, 0.35),
        });
    }
    locks
}

/// A felted rope with a round end and uneven skin.
pub(super) fn dread(dice: &mut Dice, line: &[Point3], width: f32, across: Point3) -> Vec<Lock> {
    let tone = dice.range(0.7, 1.1);
    let edge = Lock { line: line.to_vec(), width, tip: 0.8, tone: 0.45 * tone, streak: 0.0 };
    let lit = line.iter().map(|p| *p + across * (-0.08 * width) + pt3(0.0, 0.0, 0.01)).collect();
    let body = Lock { line: lit, width: 0.68 * width, tip: 0.8, tone, streak: dice.range(0.0, 0.3) };
    let mut locks = vec![edge, body];
    for (centre, _) in stations(line, 0.8 * width) {
        let half = across * (width * dice.range(0.15, 0.34));
        let off = pt3(0.0, width * dice.range(-0.3, 0.3), 0.02);
        let mark = vec![centre + half * -1.0 + off, centre + off, centre + half + off * 0.6];
        let tone = tone * dice.range(0.55, 1.2);
        locks.push(Lock { line: mark, width: 0.22 * width, tip: 0.6, tone, streak: 0.0 });
    }
    locks
}

/// Points at even steps along a line, with the share of its length that lies before them.
fn stations(line: &[Point3], step: f32) -> Vec<(Point3, f32)> {
    let length = |a: Point3, b: Point3| {
        let along = b + a * -1.0;
        along.dot(along).sqrt()
    };
    let whole: f32 = line.windows(2).map(|pair| length(pair[0], pair[1])).sum();
    let (mut out, mut passed, mut next) = (Vec::new(), 0.0, 0.5 * step);
    for pair in line.windows(2) {
        let piece = length(pair[0], pair[1]);
        while next < passed + piece {
            out.push((pair[0].lerp(pair[1], (next - passed) / piece), next / whole));
            next += step;
        }
        passed += piece;
    }
    out
}
