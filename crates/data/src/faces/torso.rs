//! Neck and shoulders: the frame that necklace and clothes are drawn in.

use super::canvas::{Blob, Canvas};
use super::class::NECK;
use super::dice::Dice;
use super::geometry::{Point, Point3, Turn, pt, pt3};
use super::head::Sitter;
use super::mask::Mask;
use super::path::Path;

/// Where the body stands. Its origin is the pit of the neck; lengths in head units.
#[derive(Debug, Clone)]
pub(super) struct Torso {
    pit: Point,
    turn: Turn,
    scale: f32,
    /// Half width of the neck.
    pub(super) neck: f32,
    /// Half width of the shoulders.
    pub(super) shoulders: f32,
    /// How far the shoulders lie below the pit.
    pub(super) slope: f32,
}

impl Torso {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        let (thin, thick) = if sitter.masculine { (0.43, 0.54) } else { (0.34, 0.42) };
        let pose = &sitter.pose;
        let offset = pt(dice.normal(0.0, 0.06), sitter.head.length + dice.range(0.24, 0.36));
        Self {
            pit: pose.centre + offset.turn(0.45 * pose.roll) * pose.scale,
            turn: Turn::by(0.3 * pose.roll + dice.normal(0.0, 0.04)),
            scale: pose.scale,
            neck: dice.range(thin, thick),
            shoulders: if sitter.masculine { dice.range(1.6, 1.95) } else { dice.range(1.35, 1.65) },
            slope: dice.range(0.28, 0.48),
        }
    }

    /// Where the picture shows a point of the body.
    pub(super) fn at(&self, x: f32, y: f32) -> Point {
        self.pit + self.turn.apply(pt(x, y)) * self.scale
    }

    pub(super) fn all_at(&self, points: &[(f32, f32)]) -> Vec<Point> {
        points.iter().map(|&(x, y)| self.at(x, y)).collect()
    }

    /// A picture point in the body's frame.
    pub(super) fn local(&self, p: Point) -> Point {
        self.turn.undo((p - self.pit) * (1.0 / self.scale))
    }

    /// The unit normal of neck and chest: a column that widens into a flat front.
    pub(super) fn normal(&self, p: Point) -> Point3 {
        let q = self.local(p);
        let x = (q.x / (self.neck * 1.15 + (q.y + 0.3).max(0.0) * 3.0)).clamp(-0.95, 0.95);
        pt3(x, -0.25 * q.y.max(0.0), (1.0 - x * x).sqrt()).unit()
    }

    /// Neck, shoulders and chest without clothes; `jaw` is the head's silhouette, whose shadow falls on the neck.
    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let mask = canvas.mask(&[self.outline(sitter)]);
        canvas.paint(&mask, NECK, |p| sitter.skin.times(sitter.light.on(self.normal(p))) * 0.97);
        self.shade(sitter, canvas, &mask);
    }

    fn outline(&self, sitter: &Sitter) -> Path {
        let (n, s, d) = (self.neck, self.shoulders, self.slope);
        let side = [
            (n * 0.98, -0.35),
            (n * 1.12, -0.12),
            (0.5 * (n + s), 0.45 * d),
            (s * 0.93, 0.85 * d),
            (s, d + 0.3),
            (s, 2.8),
        ];
        let nape = |x: f32| sitter.pose.project(pt3(x, 0.3, -0.25));
        let mut points = self.all_at(&side.map(|(x, y)| (-x, y)));
        points.reverse();
        points.extend([nape(-n * 0.95), nape(n * 0.95)]);
        points.extend(self.all_at(&side));
        Path::smooth(&points)
    }

    fn shade(&self, sitter: &Sitter, canvas: &mut Canvas, mask: &Mask) {
        let scale = self.scale;
        let fall = pt(0.14 * sitter.shadow_side(), 0.1) * scale;
        let chin = sitter.pose.project(pt3(0.0, sitter.head.length - 0.12, 0.2)) + fall;
        let under =
            Blob { centre: chin, radius_x: 0.75 * scale, radius_y: 0.5 * scale, angle: sitter.pose.roll };
        canvas.glow(under, sitter.shadow(0.62), 0.85, mask);
        canvas.glow(Blob::round(self.at(0.0, 0.0), 0.12 * scale), sitter.shadow(0.5), 0.4, mask);
        for side in [-1.0, 1.0] {
            let muscle = [
                self.at(0.85 * side * self.neck, -0.5),
                self.at(0.45 * side * self.neck, -0.2),
                self.at(0.05 * side, 0.0),
            ];
            sitter.crease(canvas, mask, &muscle, 0.06, 0.25);
            let bone = [
                self.at(0.1 * side, 0.04),
                self.at(0.45 * side, 0.07),
                self.at(0.9 * side, 0.1 + 0.3 * self.slope),
            ];
            sitter.crease(canvas, mask, &bone, 0.05, 0.35);
        }
    }
}
