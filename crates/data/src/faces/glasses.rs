//! Glasses: frame and lenses are one class; the eyes and brows seen through clear lenses keep theirs.

use super::canvas::Canvas;
use super::class::{GLASSES, L_BROW, L_EYE, R_BROW, R_EYE};
use super::colour::{self, BLACK, Rgb};
use super::dice::Dice;
use super::geometry::{Point, pt3};
use super::head::Sitter;
use super::path::{Path, curve};

#[derive(Debug, Clone)]
pub(super) struct Glasses {
    lens: Lens,
    /// Half width and half height of a lens, head units, as all lengths here.
    half: (f32, f32),
    /// Width of the frame's lines.
    frame: f32,
    colour: Rgb,
    /// Colour and opacity of dark lenses.
    dark: Option<(Rgb, f32)>,
    reflection: f32,
}

#[derive(Debug, Clone, Copy)]
enum Lens {
    Round,
    Oblong,
    Aviator,
    CatEye,
}

impl Glasses {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let lens = dice.pick(&[Lens::Round, Lens::Oblong, Lens::Oblong, Lens::Aviator, Lens::CatEye]);
        let half = match lens {
            Lens::Round => (dice.range(0.21, 0.25), dice.range(0.19, 0.24)),
            Lens::Oblong => (dice.range(0.23, 0.27), dice.range(0.14, 0.19)),
            Lens::Aviator | Lens::CatEye => (dice.range(0.23, 0.27), dice.range(0.17, 0.22)),
        };
        let dark = dice.chance(0.38);
        let tint = if dice.chance(0.7) { BLACK } else { Rgb::hsv(dice.range(0.0, 1.0), 0.6, 0.4) };
        let frame = if dice.chance(0.35) { colour::metal(dice) } else { colour::fabric(dice) * 0.6 };
        Self {
            lens,
            half,
            frame: dice.range(0.05, 0.085),
            colour: if dice.chance(0.4) { BLACK } else { frame },
            dark: dark.then(|| (tint, dice.range(0.86, 0.99))),
            reflection: dice.range(0.0, 0.3),
        }
    }

    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let width = sitter.pose.length(self.frame, 0.0165);
        self.paint_arms(sitter, canvas, width);
        for side in [-1.0, 1.0] {
            self.paint_lens(sitter, canvas, side);
        }
        let rim = |side: f32| {
            let mut points = self.outline(sitter, side).points;
            points.push(points[0]);
            Path::stroke(&points, |_| width)
        };
        let bridge = [(-0.1, -0.01), (-0.04, -0.045), (0.04, -0.045), (0.1, -0.01)];
        let bridge = curve(&bridge.map(|(x, y)| sitter.pose.project(pt3(x, y, FRONT + 0.02))));
        let mask = canvas.mask(&[rim(-1.0), rim(1.0), Path::stroke(&bridge, |_| width)]);
        canvas.paint(&mask, GLASSES, |p| self.frame_ink(sitter, p));
    }

    fn frame_ink(&self, sitter: &Sitter, p: Point) -> Rgb {
        let normal = sitter.normal(p);
        let shine = Rgb([1.0; 3]) * (0.25 * sitter.light.gloss(normal, 12));
        self.colour.times(sitter.light.on(normal)) + shine
    }

    /// A lens of one side, on a plane that bends back a little.
    fn outline(&self, sitter: &Sitter, side: f32) -> Path {
        let shape: [(f32, f32); 8] = match self.lens {
            Lens::Round => [
                (1.0, 0.0),
                (0.71, 0.71),
                (0.0, 1.0),
                (-0.71, 0.71),
                (-1.0, 0.0),
                (-0.71, -0.71),
                (0.0, -1.0),
                (0.71, -0.71),
            ],
            Lens::Oblong => [
                (1.0, 0.0),
                (0.88, 0.86),
                (0.0, 1.0),
                (-0.88, 0.86),
                (-1.0, 0.0),
                (-0.9, -0.9),
                (0.0, -1.0),
                (0.92, -0.92),
            ],
            Lens::Aviator => [
                (1.0, -0.2),
                (0.82, 0.65),
                (0.2, 1.05),
                (-0.55, 0.8),
                (-0.95, 0.05),
                (-0.95, -0.75),
                (0.0, -0.95),
                (0.9, -0.85),
            ],
            Lens::CatEye => [
                (1.05, -0.45),
                (0.75, 0.6),
                (0.0, 0.95),
                (-0.72, 0.68),
                (-0.98, 0.0),
                (-0.85, -0.75),
                (0.1, -0.88),
                (1.08, -1.05),
            ],
        };
        let place = |(x, y): (f32, f32)| {
            let x = 0.325 + x * self.half.0;
            let z = FRONT - 0.35 * (x - 0.2).max(0.0).powi(2) * 2.0;
            sitter.pose.project(pt3(side * x, 0.03 + y * self.half.1, z))
        };
        Path::smooth(&shape.map(place))
    }

    fn paint_lens(&self, sitter: &Sitter, canvas: &mut Canvas, side: f32) {
        let mask = canvas.mask(&[self.outline(sitter, side)]);
        let glint = |p: Point| {
            let q = sitter.pose.upright(p);
            let streak = 1.0 - ((q.x - 0.3 * side + 0.8 * q.y) * 9.0).abs();
            self.reflection * streak.clamp(0.0, 1.0)
        };
        match self.dark {
            Some((tint, opacity)) => canvas.paint(&mask, GLASSES, |p| {
                let fade = sitter.pose.upright(p).y;
                let lens = tint.mix(sitter.skin, 0.12 + 0.25 * fade.clamp(0.0, 0.4));
                tint.mix(lens, opacity).mix(Rgb([0.9, 0.95, 1.0]), glint(p))
            }),
            None => canvas.glaze(&mask, GLASSES, &[L_EYE, R_EYE, L_BROW, R_BROW], |p| {
                (Rgb([0.85, 0.92, 1.0]), 0.07 + glint(p))
            }),
        }
    }

    fn paint_arms(&self, sitter: &Sitter, canvas: &mut Canvas, width: f32) {
        for side in [-1.0, 1.0] {
            if side * sitter.pose.yaw > 0.3 {
                continue;
            }
            let cheek = sitter.head.cheek;
            let hinge = pt3(side * (0.325 + 0.95 * self.half.0), -0.03, FRONT - 0.12);
            let ends =
                [hinge, pt3(side * (cheek - 0.01), -0.04, 0.35), pt3(side * (cheek + 0.02), -0.05, -0.05)];
            let line = curve(&ends.map(|p| sitter.pose.project(p)));
            let mask = canvas.mask(&[Path::stroke(&line, |_| width)]);
            canvas.paint(&mask, GLASSES, |p| self.frame_ink(sitter, p) * 0.85);
        }
    }
}

/// Depth of the lenses' plane in front of the head's origin, head units.
const FRONT: f32 = 0.82;
