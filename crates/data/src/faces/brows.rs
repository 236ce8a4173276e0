//! Eyebrows.

use super::canvas::Canvas;
use super::class::{L_BROW, R_BROW, sided};
use super::colour::{BLACK, Rgb};
use super::dice::Dice;
use super::geometry::mix;
use super::head::Sitter;
use super::path::Path;

#[derive(Debug, Clone)]
pub(super) struct Brows {
    /// Place above the eyes, head units, as all lengths here.
    height: f32,
    thickness: f32,
    arch: f32,
    /// How much higher the inner end lies (worry) or lower (anger).
    tilt: f32,
    /// How much one brow is raised over the other.
    lift: f32,
    colour: Rgb,
    noise: u32,
}

impl Brows {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        let (thin, thick) = if sitter.masculine { (0.065, 0.105) } else { (0.05, 0.08) };
        let dark = dice.range(0.15, 0.6);
        Self {
            height: dice.range(0.215, 0.28),
            thickness: dice.range(thin, thick),
            arch: dice.range(0.0, 0.055),
            tilt: dice.normal(0.0, 0.015),
            lift: if dice.chance(0.15) { dice.normal(0.0, 0.03) } else { 0.0 },
            colour: sitter.hair.mix(BLACK, dark).mix(sitter.skin * 0.45, 0.15),
            noise: dice.word(),
        }
    }

    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas) {
        for side in [-1.0, 1.0] {
            let y = -self.height - self.lift * side;
            let points = [
                (0.115, y + 0.004 - self.tilt),
                (0.22, y - 0.018),
                (0.36, y - 0.03 - self.arch),
                (0.54, y + 0.04 + self.tilt),
            ];
            let line = sitter.line(&points.map(|(x, y)| (side * x, y)), 0.03);
            let width = |t: f32| {
                let taper = mix(0.8, 1.0, (4.0 * t).min(1.0)) * mix(1.0, 0.25, ((t - 0.4) / 0.6).max(0.0));
                sitter.pose.length(self.thickness * taper, 0.0125)
            };
            let mask = canvas.mask(&[Path::stroke(&line, width)]);
            canvas.paint(&mask, sided(side, L_BROW, R_BROW), |p| {
                let hairs = sitter.strand_noise(p, 60.0, self.noise);
                self.colour
                    .times(sitter.light.on(sitter.normal(p)))
                    .mix(sitter.skin_ink(p), 0.12 + 0.18 * hairs)
            });
        }
    }
}
