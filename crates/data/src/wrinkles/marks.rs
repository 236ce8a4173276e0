//! Spots and shadows: moles, freckles, nostrils and the edges of cast shadows.

use crate::drawing::canvas::{Blob, Canvas};
use crate::drawing::colour::Rgb;
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Turn, mix, pt};
use crate::drawing::noise::clouds;
use crate::drawing::path::Path;

#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    spots: Vec<(Blob, Rgb, f32)>,
    shades: Vec<Shade>,
}

/// An area that the lamp does not reach.
#[derive(Debug, Clone)]
struct Shade {
    shape: Shape,
    /// Half of its border's width, picture widths.
    softness: f32,
    /// Share of the light that it lacks, 0..=1.
    strength: f32,
    noise: u32,
}

#[derive(Debug, Clone)]
enum Shape {
    /// All beyond a wavy line through a point, on the side of a direction.
    Side { through: Point, towards: Point },
    /// An ellipse of two half axes.
    Pit { centre: Point, radii: Point, turn: Turn },
}

impl Marks {
    pub(super) fn draw(dice: &mut Dice, tone: Rgb) -> Self {
        let mut spots = Vec::new();
        for _ in 0..dice.below(4) {
            let strength = dice.range(0.55, 0.95);
            spots.push(spot(dice, (0.012, 0.034), tone.times(Rgb([0.42, 0.33, 0.3])), strength));
        }
        if dice.chance(0.3) {
            for _ in 0..10 + dice.below(40) {
                let strength = dice.range(0.15, 0.45);
                spots.push(spot(dice, (0.006, 0.015), tone.times(Rgb([0.7, 0.55, 0.45])), strength));
            }
        }
        let side = dice.chance(0.3).then(|| side(dice));
        let pit = dice.chance(0.22).then(|| pit(dice));
        Self { spots, shades: side.into_iter().chain(pit).collect() }
    }

    /// What the light at a place is multiplied by.
    pub(super) fn shade(&self, p: Point) -> Rgb {
        self.shades.iter().fold(Rgb([1.0; 3]), |light, shade| light.times(shade.at(p)))
    }

    pub(super) fn paint(&self, canvas: &mut Canvas) {
        let all = canvas.mask(&[Path::polygon(vec![pt(0.0, 0.0), pt(1.0, 0.0), pt(1.0, 1.0), pt(0.0, 1.0)])]);
        for &(blob, colour, strength) in &self.spots {
            canvas.glow(blob, colour, strength, &all);
        }
    }
}

impl Shade {
    fn at(&self, p: Point) -> Rgb {
        let inside = match self.shape {
            Shape::Side { through, towards } => {
                let q = p - through;
                q.x * towards.x + q.y * towards.y + 0.12 * (clouds(3.0 * p.x, 3.0 * p.y, self.noise) - 0.5)
            }
            Shape::Pit { centre, radii, turn } => {
                let q = turn.undo(p - centre);
                (1.0 - (q.x / radii.x).hypot(q.y / radii.y)) * radii.x.min(radii.y)
            }
        };
        let t = (0.5 + 0.5 * inside / self.softness).clamp(0.0, 1.0);
        let dark = self.strength * t * t * (3.0 - 2.0 * t);
        Rgb([1.0 - 0.93 * dark, 1.0 - dark, 1.0 - dark])
    }
}

fn spot(dice: &mut Dice, (small, large): (f32, f32), colour: Rgb, strength: f32) -> (Blob, Rgb, f32) {
    let radius = dice.range(small, large);
    let blob = Blob {
        centre: pt(dice.range(0.0, 1.0), dice.range(0.0, 1.0)),
        radius_x: radius,
        radius_y: radius * dice.range(0.75, 1.3),
        angle: dice.range(0.0, 3.2),
    };
    (blob, colour, strength)
}

/// The shadow of a nose or a jaw, seldom over more than a third of the picture.
fn side(dice: &mut Dice) -> Shade {
    let towards = pt(1.0, 0.0).turn(dice.range(0.0, 6.3));
    let through = pt(0.5, 0.5) + towards * dice.range(0.12, 0.5);
    Shade {
        shape: Shape::Side { through, towards },
        softness: mix(0.01, 0.08, dice.range(0.0, 1.0).powi(2)),
        strength: dice.range(0.2, 0.5),
        noise: dice.word(),
    }
}

/// A nostril, or the corner of a mouth, at the border of the picture.
fn pit(dice: &mut Dice) -> Shade {
    let out = pt(1.0, 0.0).turn(dice.range(0.0, 6.3));
    let centre = pt(0.5, 0.5) + out * dice.range(0.4, 0.6);
    Shade {
        shape: Shape::Pit {
            centre,
            radii: pt(dice.range(0.07, 0.16), dice.range(0.035, 0.08)),
            turn: Turn::by(dice.range(0.0, 3.2)),
        },
        softness: dice.range(0.012, 0.03),
        strength: dice.range(0.6, 0.85),
        noise: 0,
    }
}
