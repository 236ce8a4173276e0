//! Colour and pattern of the classes.

use std::f32::consts::PI;

use crate::drawing::colour::Rgb;
use crate::drawing::dice::Dice;
use crate::drawing::geometry::Point;
use crate::drawing::noise::clouds;

/// What an object is painted with: two tones of one hue in a pattern.
#[derive(Debug, Clone)]
pub(super) struct Surface {
    first: Rgb,
    second: Rgb,
    pattern: Pattern,
    /// Repeats of the pattern over the object's radius.
    scale: f32,
    noise: u32,
}

#[derive(Debug, Clone, Copy)]
enum Pattern {
    Fade,
    Stripes,
    Dots,
    Checks,
    Marble,
}

impl Surface {
    /// Draws the surface of an object of this label, 1..=20.
    ///
    /// Labels 1 to 10 are strong colours around the circle of hues, 11 to 20 the dark ones of the same hues.
    pub(super) fn draw(dice: &mut Dice, label: u8) -> Self {
        const PATTERNS: [Pattern; 5] =
            [Pattern::Fade, Pattern::Stripes, Pattern::Dots, Pattern::Checks, Pattern::Marble];
        let (place, dark) = ((label - 1) % 10, label > 10);
        let hue = (f32::from(place) / 10.0 + dice.range(-0.03, 0.03)).rem_euclid(1.0);
        let (saturation, value) = if dark { (0.75, 0.5) } else { (0.8, 0.95) };
        let tone = |dice: &mut Dice, lighter: f32| {
            let near = |dice: &mut Dice, middle: f32| (middle + dice.range(-0.09, 0.09)).clamp(0.0, 1.0);
            let saturation = near(dice, saturation - 0.5 * lighter);
            Rgb::hsv(hue, saturation, near(dice, value + if dark { lighter } else { -0.2 * lighter }))
        };
        let pattern = PATTERNS[usize::from((place + if dark { 2 } else { 0 }) % 5)];
        Self {
            first: tone(dice, 0.0),
            second: tone(dice, 0.42),
            pattern,
            scale: dice.range(1.7, 2.8),
            noise: dice.word(),
        }
    }

    /// The colour at a place of the object, in its radii.
    pub(super) fn at(&self, q: Point) -> Rgb {
        let (u, v) = (self.scale * q.x, self.scale * q.y);
        let share = match self.pattern {
            Pattern::Fade => 0.5 + 0.5 * q.y,
            Pattern::Stripes => 0.5 + 1.5 * (PI * (u + 0.4 * v)).sin(),
            Pattern::Dots => 1.6 - 4.0 * (cell(u).powi(2) + cell(v).powi(2)).sqrt(),
            Pattern::Checks => 0.5 + 6.0 * (PI * u).sin() * (PI * v).sin(),
            Pattern::Marble => 4.0 * clouds(1.6 * u, 1.6 * v, self.noise) - 1.5,
        };
        self.first.mix(self.second, share.clamp(0.0, 1.0))
    }
}

/// Distance to the middle of a cell of side 1, -0.5..=0.5.
fn cell(x: f32) -> f32 {
    x - x.floor() - 0.5
}
