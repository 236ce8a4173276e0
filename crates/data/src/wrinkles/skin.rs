//! The skin itself: colour, curvature, fine relief and pores.

use crate::drawing::colour::{self, Rgb};
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Point3, Turn, mix, pt, pt3};
use crate::drawing::light::Light;
use crate::drawing::noise::clouds;

use super::relief::Relief;

#[derive(Debug, Clone)]
pub(super) struct Skin {
    pub(super) tone: Rgb,
    /// How much redder than the tone blotches are, 0..=1.
    redness: f32,
    /// Tilt of the middle, and its change over a picture width.
    tilt: Point,
    curvature: Point,
    grain: Grain,
    pores: Vec<Pore>,
    /// How much of the lamp oily skin mirrors, 0..=1.
    gloss: f32,
    noise: u32,
}

/// The fine relief: cells that are longer than wide.
#[derive(Debug, Clone)]
struct Grain {
    turn: Turn,
    /// Cells a picture width.
    frequency: f32,
    steepness: f32,
}

#[derive(Debug, Clone)]
struct Pore {
    centre: Point,
    radius: f32,
    darkness: f32,
}

impl Skin {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let (darkness, size) = (dice.range(0.03, 0.2), dice.range(0.0024, 0.0042));
        let pore = |dice: &mut Dice| Pore {
            centre: pt(dice.range(0.0, 1.0), dice.range(0.0, 1.0)),
            radius: size * dice.range(0.7, 1.4),
            darkness: darkness * dice.range(0.3, 1.0),
        };
        Self {
            tone: colour::skin(dice),
            redness: dice.range(0.2, 0.9),
            tilt: pt(dice.normal(0.0, 0.2), dice.normal(0.0, 0.2)),
            curvature: pt(dice.range(-0.2, 1.1), dice.range(-0.2, 0.9)),
            grain: Grain {
                turn: Turn::by(dice.range(0.0, 3.2)),
                frequency: dice.range(26.0, 44.0),
                steepness: dice.range(0.1, 0.32),
            },
            pores: (0..200 + dice.below(900)).map(|_| pore(dice)).collect(),
            gloss: dice.range(0.0, 0.16),
            noise: dice.word(),
        }
    }

    /// The surface without wrinkles.
    pub(super) fn relief(&self, size: usize) -> Relief {
        let grain = &self.grain;
        let mut relief = Relief::new(size, |p| {
            let q = grain.turn.apply(p) * grain.frequency;
            grain.steepness / grain.frequency * clouds(q.x, 0.6 * q.y, !self.noise)
        });
        for pore in &self.pores {
            pore.carve(&mut relief);
        }
        relief
    }

    /// The colour at a pixel of the relief under the light.
    pub(super) fn shaded(&self, relief: &Relief, light: &Light, p: Point) -> Rgb {
        let scale = relief.size as f32;
        let at = ((p.x * scale) as usize, (p.y * scale) as usize);
        let (fine, off) = (relief.tilt(at), p - pt(0.5, 0.5));
        let bow = pt(self.tilt.x + self.curvature.x * off.x, self.tilt.y + self.curvature.y * off.y);
        let normal: Point3 = pt3(fine.x + bow.x, fine.y + bow.y, 1.0).unit();
        let mirrored = light.gloss(normal, 24) * self.gloss;
        let lit = self.colour(p).times(light.on(normal)) + Rgb([mirrored; 3]);
        lit.times(sunken(relief.occlusion(at)))
    }

    /// The skin's own colour, blotched.
    fn colour(&self, p: Point) -> Rgb {
        let broad = clouds(3.5 * p.x, 3.5 * p.y, self.noise);
        let fine = clouds(19.0 * p.x, 19.0 * p.y, self.noise ^ 0x9e37);
        let red = self.tone.times(Rgb([0.99, 0.82, 0.8]));
        let share = self.redness * (0.75 * broad + 0.45 * fine - 0.25);
        self.tone.mix(red, share.clamp(0.0, 1.0)) * mix(0.97, 1.03, fine)
    }
}

/// What the light in a valley is multiplied by: red goes through skin farther than the rest, so it loses less.
fn sunken(occlusion: f32) -> Rgb {
    Rgb([1.0 - 0.85 * occlusion, 1.0 - occlusion, 1.0 - 1.03 * occlusion])
}

impl Pore {
    fn carve(&self, relief: &mut Relief) {
        let reach = 2.2 * self.radius;
        for y in relief.bounds(self.centre.y, self.centre.y, reach) {
            for x in relief.bounds(self.centre.x, self.centre.x, reach) {
                let off = relief.centre(x, y) - self.centre;
                let bell = (-(off.x * off.x + off.y * off.y) / (self.radius * self.radius)).exp();
                relief.carve((x, y), -self.darkness * self.radius * bell, self.darkness * bell);
            }
        }
    }
}
