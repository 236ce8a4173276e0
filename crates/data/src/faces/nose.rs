//! The nose, which stands out from the face and so hides part of it when the head is turned.

use super::canvas::{Blob, Canvas};
use super::class::NOSE;
use super::dice::Dice;
use super::geometry::{Point, mix};
use super::head::Sitter;
use super::mask::Mask;
use super::path::{Path, curve};

#[derive(Debug, Clone)]
pub(super) struct Nose {
    /// Half width over the nostrils, head units, as all lengths here.
    half_width: f32,
    bridge: f32,
    /// How far below the eyes the nose ends.
    length: f32,
    /// How far the tip stands out.
    tip: f32,
}

impl Nose {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        Self {
            half_width: dice.range(0.145, 0.205),
            bridge: dice.range(0.055, 0.08),
            length: dice.range(0.40, 0.48),
            tip: dice.range(0.16, 0.26),
        }
    }

    /// `head` is where shading beside the nose may fall.
    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas, head: &Mask) {
        let dark = sitter.shadow_side();
        let beside = sitter.spot((dark * 1.15 * self.half_width, 0.85 * self.length), 0.0, (0.15, 0.2));
        canvas.glow(beside, sitter.shadow(0.6), 0.5, head);
        let under = sitter.spot((dark * 0.03, self.length + 0.06), 0.0, (0.2, 0.09));
        canvas.glow(under, sitter.shadow(0.6), 0.5, head);
        let ridge = self.ridge(sitter);
        let mask = canvas.mask(&[self.base(sitter), self.ridge_path(sitter, &ridge)]);
        canvas.paint(&mask, NOSE, |p| sitter.skin_ink(p));
        self.shade(sitter, canvas, &ridge, &mask);
    }

    /// The outline where the nose meets the face.
    fn base(&self, sitter: &Sitter) -> Path {
        let (b, w, l) = (self.bridge, self.half_width, self.length);
        let side = [
            (b, -0.02),
            (b * 1.15, 0.14),
            (0.62 * w, 0.62 * l),
            (w, 0.82 * l),
            (0.97 * w, 0.96 * l),
            (0.5 * w, l),
        ];
        let mut points: Vec<Point> = side.iter().map(|&(x, y)| sitter.at(x, y, 0.04)).collect();
        points.push(sitter.at(0.0, l + 0.015, 0.12));
        points.extend(side.iter().rev().map(|&(x, y)| sitter.at(-x, y, 0.04)));
        Path::smooth(&points)
    }

    /// From between the eyes over the tip to the lip.
    fn ridge(&self, sitter: &Sitter) -> Vec<Point> {
        let (l, t) = (self.length, self.tip);
        let points =
            [(-0.02, 0.05), (0.12, 0.35 * t), (0.55 * l, 0.7 * t), (0.80 * l, t), (0.93 * l, 0.85 * t)];
        curve(&points.map(|(y, relief)| sitter.at(0.0, y, relief)))
    }

    fn ridge_path(&self, sitter: &Sitter, ridge: &[Point]) -> Path {
        let scale = sitter.pose.scale;
        Path::stroke(ridge, |t| scale * mix(1.6 * self.bridge, 0.95 * self.half_width, t))
    }

    fn shade(&self, sitter: &Sitter, canvas: &mut Canvas, ridge: &[Point], mask: &Mask) {
        let dark = sitter.shadow_side();
        let (w, l) = (self.half_width, self.length);
        let scale = sitter.pose.scale;
        for (side, depth) in [(dark, 0.55), (-dark, 0.18)] {
            canvas.glow(
                sitter.spot((side * 0.62 * w, 0.5 * l), 0.08, (0.10, 0.3)),
                sitter.shadow(0.55),
                depth,
                mask,
            );
            let crease =
                [(0.72 * w, 0.70 * l), (0.98 * w, 0.80 * l), (0.98 * w, 0.95 * l), (0.7 * w, 0.99 * l)];
            let line = sitter.line(&crease.map(|(x, y)| (side * x, y)), 0.05);
            sitter.crease(canvas, mask, &line, 0.04, 0.55);
        }
        canvas.glow(sitter.spot((0.0, 1.02 * l), 0.1, (0.18, 0.07)), sitter.shadow(0.6), 0.6, mask);
        let tip = Blob::round(ridge[ridge.len() - 6], 0.09 * scale);
        canvas.glow(tip, sitter.bright(), 0.5, mask);
        let shine = canvas.mask(&[Path::stroke(ridge, |_| 0.05 * scale)]).within(mask);
        canvas.tint(&shine, |_| (sitter.bright(), 0.18));
        for side in [-1.0, 1.0] {
            let nostril = sitter.spot((side * 0.45 * w, 0.965 * l), 0.1, (0.065, 0.035));
            canvas.glow(nostril, sitter.shadow(0.95), 0.9, mask);
        }
    }
}
