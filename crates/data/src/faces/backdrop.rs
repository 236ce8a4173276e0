//! What stands behind the sitter: all of it background, some of it coloured like skin.

use super::canvas::{Blob, Canvas};
use super::class::BACKGROUND;
use super::colour::{self, Rgb};
use super::dice::Dice;
use super::geometry::{Point, Turn, pt};
use super::noise::clouds;
use super::path::Path;

#[derive(Debug, Clone)]
pub(super) struct Backdrop {
    first: Rgb,
    second: Rgb,
    texture: Texture,
    /// Direction of gradients and stripes, radians.
    angle: f32,
    noise: u32,
    spots: Vec<(Blob, Rgb, f32)>,
}

#[derive(Debug, Clone, Copy)]
enum Texture {
    Gradient,
    Clouds { scale: f32 },
    Stripes { width: f32 },
    Bricks { width: f32 },
    Leaves,
}

impl Backdrop {
    /// `skin` is the sitter's, for backgrounds that look like it.
    pub(super) fn draw(dice: &mut Dice, skin: Rgb) -> Self {
        let first = if dice.chance(0.12) { skin.jittered(dice, 0.08) } else { colour::fabric(dice) };
        let near = first.jittered(dice, 0.18);
        let texture = match dice.below(9) {
            0..=2 => Texture::Gradient,
            3 | 4 => Texture::Clouds { scale: dice.range(2.0, 8.0) },
            5 => Texture::Stripes { width: dice.range(0.03, 0.12) },
            6 => Texture::Bricks { width: dice.range(0.08, 0.16) },
            _ => Texture::Leaves,
        };
        let count = if dice.chance(0.55) { 3 + dice.below(14) } else { 0 };
        let spots = (0..count).map(|_| draw_spot(dice, skin)).collect();
        let second = if dice.chance(0.75) { near } else { colour::fabric(dice) };
        Self { first, second, texture, angle: dice.range(0.0, 6.3), noise: dice.word(), spots }
    }

    pub(super) fn paint(&self, canvas: &mut Canvas) {
        let all = canvas.mask(&[Path::polygon(vec![pt(0.0, 0.0), pt(1.0, 0.0), pt(1.0, 1.0), pt(0.0, 1.0)])]);
        let turn = Turn::by(self.angle);
        canvas.paint(&all, BACKGROUND, |p| self.ink(turn, p));
        for &(blob, colour, strength) in &self.spots {
            canvas.glow(blob, colour, strength, &all);
        }
    }

    fn ink(&self, turn: Turn, p: Point) -> Rgb {
        let q = turn.apply(p - pt(0.5, 0.5));
        let share = match self.texture {
            Texture::Gradient => 0.5 + 0.75 * q.x,
            Texture::Clouds { scale } => 2.0 * clouds(scale * p.x, scale * p.y, self.noise) - 0.5,
            Texture::Stripes { width } => {
                0.5 + (std::f32::consts::PI * q.x / width).sin().clamp(-0.3, 0.3) + 0.3 * q.y
            }
            Texture::Bricks { width } => bricks(p, width) + 0.25 * clouds(9.0 * p.x, 9.0 * p.y, self.noise),
            Texture::Leaves => {
                let n = clouds(11.0 * p.x, 11.0 * p.y, self.noise);
                (3.5 * n - 1.4) * (0.7 + 0.6 * clouds(3.0 * p.x, 3.0 * p.y, !self.noise))
            }
        };
        self.first.mix(self.second, share.clamp(0.0, 1.0))
    }
}

/// 1 in the joints of a brick wall.
fn bricks(p: Point, width: f32) -> f32 {
    let height = 0.45 * width;
    let row = (p.y / height).floor();
    let x = p.x / width + 0.5 * row.rem_euclid(2.0);
    let (u, v) = (x - x.floor(), p.y / height - row);
    if u < 0.08 || v < 0.16 { 0.8 } else { 0.0 }
}

fn draw_spot(dice: &mut Dice, skin: Rgb) -> (Blob, Rgb, f32) {
    let centre = pt(dice.range(-0.1, 1.1), dice.range(-0.1, 1.1));
    let (radius_x, radius_y) = (dice.range(0.03, 0.3), dice.range(0.03, 0.3));
    let colour = if dice.chance(0.3) { skin.jittered(dice, 0.06) } else { colour::fabric(dice) };
    (Blob { centre, radius_x, radius_y, angle: dice.range(0.0, 3.2) }, colour, dice.range(0.3, 1.0))
}
