//! Where hair grows and how it falls: lines in the head's frame, head units.

use std::f32::consts::{PI, TAU};

use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point3, mix, pt3};
use crate::faces::portrait::Portrait;

/// What all locks of a head share.
#[derive(Debug, Clone)]
pub(super) struct Growth {
    /// Where the hair parts: -0.6 to 0.6 across the head.
    pub(super) part: f32,
    /// How far the outermost locks lie above the scalp.
    pub(super) volume: f32,
    /// How far the hairline lies back: 0 as of the young.
    pub(super) receding: f32,
    /// Share of the long locks that fall before the shoulders, 0..=1.
    pub(super) draped: f32,
    /// How far hanging hair spreads from the head with each unit of its length.
    pub(super) spread: f32,
}

/// Points of a lock over the skull.
const OVER: usize = 8;

/// Step of a hanging lock.
const STEP: f32 = 0.07;

impl Growth {
    /// A lock from the parting over the side of the head, hanging down to `end` below the eyes. `place` runs from 0 at the
    /// forehead to 1 at the back, `depth` from 0 at the scalp to 1 outside.
    pub(super) fn falling(
        &self,
        dice: &mut Dice,
        portrait: &Portrait,
        place: f32,
        depth: f32,
        end: f32,
    ) -> Vec<Point3> {
        let side = dice.sign();
        let back = place.powf(1.0 + 1.2 * self.draped);
        let angle = mix(1.12, PI, back) + dice.normal(0.0, 0.05);
        let root = pt3(self.part + 0.05 * side, -1.0, mix(0.8, -0.6, place)).unit();
        let release = pt3(side * angle.sin(), 0.2 + dice.normal(0.0, 0.06), angle.cos()).unit();
        let lift = self.volume * mix(0.25, 1.0, depth);
        let mut line = self.over(portrait, root, release, lift);
        self.hang(portrait, &mut line, end + dice.normal(0.0, 0.07), self.spread * mix(0.4, 1.0, depth));
        line
    }

    /// Over the scalp between two directions, rising to `lift`.
    pub(super) fn over(&self, portrait: &Portrait, from: Point3, to: Point3, lift: f32) -> Vec<Point3> {
        let at = |k: usize| {
            let t = k as f32 / OVER as f32;
            portrait.scalp(from.lerp(to, t), lift * mix(0.55, 1.0, t))
        };
        (0..=OVER).map(at).collect()
    }

    /// Goes on straight down, as the earth pulls, to `end` below the eyes.
    pub(super) fn hang(&self, portrait: &Portrait, line: &mut Vec<Point3>, end: f32, spread: f32) {
        let Some(&from) = line.last() else { return };
        let (sin, cos) = (0.7 * portrait.roll()).sin_cos();
        let outward = pt3(from.x, 0.0, from.z).unit() * spread;
        let count = ((end - from.y) / STEP).max(0.0) as usize;
        for k in 1..=count {
            let way = k as f32 * STEP;
            line.push(from + pt3(sin * way, cos * way, 0.0) + outward * way.min(1.2));
        }
    }

    /// A lock over the forehead, from the top of the head to a place of the frontal drawing.
    pub(super) fn fringe(&self, portrait: &Portrait, x: f32, low: (f32, f32), lift: f32) -> Vec<Point3> {
        let top = pt3(mix(self.part, x, 0.4), -1.0, 0.35).unit();
        let brow = pt3(0.75 * x, -0.72, 0.62).unit();
        let mut line: Vec<Point3> =
            (0..4).map(|k| portrait.scalp(top.lerp(brow, k as f32 / 4.0), lift)).collect();
        let (start, end) = (portrait.scalp(brow, lift), portrait.face(low.0, low.1, 0.06 + lift));
        line.extend((0..=4).map(|k| start.lerp(end, k as f32 / 4.0) + pt3(0.0, 0.0, 0.05)));
        line
    }

    /// A direction to a random place of the scalp inside the hairline.
    pub(super) fn root(&self, dice: &mut Dice) -> Point3 {
        let angle = dice.range(-PI, PI);
        on_ring(angle, mix(-1.0, self.hairline(angle), dice.range(0.0, 1.0)))
    }

    /// How low hair grows at an angle from the forehead: -1 at the crown, 0 at the skull's middle, radians.
    pub(super) fn hairline(&self, angle: f32) -> f32 {
        const LINE: [(f32, f32); 9] = [
            (0.0, -0.46),
            (0.55, -0.43),
            (0.95, -0.18),
            (1.1, 0.02),
            (1.2, 0.34),
            (1.4, 0.42),
            (1.6, 0.22),
            (2.0, 0.5),
            (PI, 0.92),
        ];
        let angle = (angle.rem_euclid(TAU) - PI).abs();
        let angle = PI - angle;
        let next = LINE.iter().position(|(a, _)| *a >= angle).unwrap_or(8).max(1);
        let ((a, low), (b, high)) = (LINE[next - 1], LINE[next]);
        let own = mix(low, high, ((angle - a) / (b - a)).clamp(0.0, 1.0));
        own - self.receding * (1.0 - angle / 1.1).max(0.0).sqrt()
    }
}

/// A unit vector at an angle from the forehead and a height: -1 crown, 1 below.
pub(super) fn on_ring(angle: f32, height: f32) -> Point3 {
    let ring = (1.0 - height * height).max(0.0).sqrt();
    pt3(ring * angle.sin(), height, ring * angle.cos())
}

/// How a line winds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curl {
    /// Half width of the bends.
    pub(super) radius: f32,
    /// Length of a whole bend.
    pub(super) length: f32,
    /// Depth of the bends relative to their width: 0 for flat waves, 1 for ringlets.
    pub(super) depth: f32,
}

/// The line wound about itself, more with the distance from its root; `phase` in radians.
pub(super) fn curled(line: &[Point3], curl: Curl, phase: f32, across: Point3) -> Vec<Point3> {
    let mut out = Vec::with_capacity(2 * line.len());
    let (mut way, pieces) = (0.0, if curl.length < 0.4 { 3 } else { 1 });
    for pair in line.windows(2) {
        let along = pair[1] + pair[0] * -1.0;
        let length = along.dot(along).sqrt();
        for k in 0..pieces {
            let t = k as f32 / pieces as f32;
            let here = way + t * length;
            let grown = curl.radius * (here / 0.9).min(1.0);
            let (sin, cos) = (TAU * here / curl.length + phase).sin_cos();
            let wound = across * (grown * sin) + pt3(0.0, 0.7 * grown * curl.depth * cos, 0.0);
            out.push(pair[0].lerp(pair[1], t) + wound);
        }
        way += length;
    }
    out
}
