//! Eyes: the whole opening between the lids is the eye, sclera and iris alike.

use super::canvas::{Blob, Canvas};
use super::class::{L_EYE, R_EYE, sided};
use super::colour::{BLACK, Rgb, WHITE};
use super::dice::Dice;
use super::geometry::{Point, mix, pt};
use super::head::Sitter;
use super::mask::Mask;
use super::path::{Path, curve};

#[derive(Debug, Clone)]
pub(super) struct Eyes {
    /// Distance of each eye's middle from the face's middle line, head units, as all lengths here.
    apart: f32,
    half_width: f32,
    /// 0 nearly closed to 1 wide open.
    open: f32,
    /// How much higher the outer corner lies.
    tilt: f32,
    iris: Rgb,
    pupil: f32,
    gaze: Point,
    lash: f32,
    /// Eye shadow and its opacity.
    shadow: Option<(Rgb, f32)>,
}

impl Eyes {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        const IRIS: [u32; 8] =
            [0x3a2417, 0x4d2f1b, 0x6b4423, 0x7a6a3a, 0x5d7a4a, 0x5b86a6, 0x7fa6c4, 0x7d8890];
        let made_up = !sitter.masculine && dice.chance(0.5);
        let open = if dice.chance(0.14) { dice.range(0.12, 0.4) } else { dice.range(0.5, 1.0) };
        Self {
            apart: dice.range(0.305, 0.34),
            half_width: dice.range(0.158, 0.19),
            open,
            tilt: dice.range(-0.015, 0.03),
            iris: Rgb::hex(dice.pick(&IRIS)).jittered(dice, 0.04),
            pupil: dice.range(0.4, 0.55),
            gaze: pt(dice.normal(0.0, 0.02), dice.normal(0.0, 0.008)),
            lash: if made_up { dice.range(0.035, 0.05) } else { dice.range(0.018, 0.03) },
            shadow: made_up.then(|| (Rgb::hsv(dice.range(0.0, 1.0), 0.5, 0.45), dice.range(0.15, 0.5))),
        }
    }

    /// `head` is where shading may fall.
    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas, head: &Mask) {
        for side in [-1.0, 1.0] {
            self.paint_lids(sitter, canvas, head, side);
            self.paint_eye(sitter, canvas, side);
            self.paint_lashes(sitter, canvas, side);
        }
    }

    /// Heights of the upper and the lower lid over the line between the corners.
    fn heights(&self) -> (f32, f32) {
        (mix(0.026, 0.108, self.open), mix(0.032, 0.066, self.open))
    }

    /// A point of the eye in a frontal drawing: `x` from -1 at the inner to 1 at the outer corner, `y` down.
    fn place(&self, side: f32, x: f32, y: f32) -> (f32, f32) {
        (side * (self.apart + x * self.half_width), y - self.tilt * x)
    }

    fn upper(&self, sitter: &Sitter, side: f32, raise: f32) -> Vec<Point> {
        let h = self.heights().0 * raise;
        let points = [(-1.0, 0.012), (-0.55, -0.78 * h), (0.1, -h), (0.65, -0.68 * h), (1.0, 0.0)];
        curve(&sitter.all_at(&points.map(|(x, y)| self.place(side, x, y)), 0.0))
    }

    fn lower(&self, sitter: &Sitter, side: f32) -> Vec<Point> {
        let h = self.heights().1;
        let points = [(-1.0, 0.012), (-0.5, 0.75 * h), (0.2, h), (0.7, 0.7 * h), (1.0, 0.0)];
        curve(&sitter.all_at(&points.map(|(x, y)| self.place(side, x, y)), 0.0))
    }

    fn paint_lids(&self, sitter: &Sitter, canvas: &mut Canvas, head: &Mask, side: f32) {
        let lid = self.place(side, 0.05, -0.8 * self.heights().0);
        if let Some((colour, opacity)) = self.shadow {
            canvas.glow(sitter.spot(lid, 0.0, (0.24, 0.13)), colour, opacity, head);
        }
        let points = [(-0.9, -0.035), (-0.45, -0.122), (0.15, -0.158), (0.7, -0.115), (1.1, -0.02)];
        let crease = curve(&sitter.all_at(&points.map(|(x, y)| self.place(side, x, y)), 0.0));
        sitter.crease(canvas, head, &crease, 0.035, 0.55);
    }

    fn paint_eye(&self, sitter: &Sitter, canvas: &mut Canvas, side: f32) {
        let opening = Path::between(&self.upper(sitter, side, 1.0), &self.lower(sitter, side));
        let mask = canvas.mask(&[opening]);
        let (x, y) = self.place(side, 0.0, -0.012);
        let brightness = sitter.light.on(sitter.normal(sitter.at(x, y, 0.0)));
        let sclera = Rgb([0.93, 0.91, 0.90]).times(brightness.mix(Rgb([1.0; 3]), 0.55));
        canvas.paint(&mask, sided(side, L_EYE, R_EYE), |_| sclera);
        let iris = sitter.at(x + self.gaze.x, y + self.gaze.y, 0.0);
        let radius = 0.094 * sitter.pose.scale;
        let squeeze = sitter.pose.yaw.cos();
        let disc = |r: f32| Path::ellipse(iris, r * squeeze, r, sitter.pose.roll);
        let outer = canvas.mask(&[disc(radius)]).within(&mask);
        canvas.tint(&outer, |p| {
            let d = (p - iris).length() / radius;
            (self.iris.mix(BLACK, 0.75 * d.powi(5)).mix(WHITE, 0.18 * (1.0 - d).max(0.0)) * 1.05, 1.0)
        });
        let pupil = canvas.mask(&[disc(radius * self.pupil)]).within(&mask);
        canvas.tint(&pupil, |_| (BLACK, 0.95));
        let lid_shadow = sitter.spot(self.place(side, 0.0, -self.heights().0), 0.0, (0.2, 0.075));
        canvas.glow(lid_shadow, BLACK, 0.55, &mask);
        let towards = pt(sitter.light.towards.x, sitter.light.towards.y.min(-0.3)) * (0.5 * radius);
        canvas.glow(Blob::round(iris + towards, 0.42 * radius), Rgb([1.0; 3]), 1.0, &mask);
    }

    fn paint_lashes(&self, sitter: &Sitter, canvas: &mut Canvas, side: f32) {
        let width = |t: f32| sitter.pose.scale * self.lash * (0.45 + 0.75 * t).min(1.0);
        let upper = canvas.mask(&[Path::stroke(&self.upper(sitter, side, 1.06), width)]);
        let colour = sitter.hair.mix(BLACK, 0.7);
        canvas.tint(&upper, |_| (colour, 0.9));
        let lower = Path::stroke(&self.lower(sitter, side), |t| 0.35 * width(t));
        let lower = canvas.mask(&[lower]);
        canvas.tint(&lower, |_| (sitter.shadow(0.7), 0.5));
    }
}
