//! What is easily taken for hair: fur behind the sitter or about the neck, and a background of the hair's colour.

use crate::drawing::canvas::Canvas;
use crate::drawing::colour::{self, BLACK, Rgb, WHITE};
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, pt};
use crate::drawing::noise::{clouds, noise};
use crate::drawing::path::Path;
use crate::faces::portrait::Portrait;

#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    backdrop: Backdrop,
    collar: Option<Fur>,
}

#[derive(Debug, Clone)]
enum Backdrop {
    /// As the portrait has it.
    Own,
    Fur(Fur),
    /// Of one colour, brighter to one corner.
    Plain {
        colour: Rgb,
        noise: u32,
    },
}

#[derive(Debug, Clone)]
struct Fur {
    colour: Rgb,
    /// Length of its hairs, picture widths.
    length: f32,
    texture: u64,
}

impl Surroundings {
    pub(super) fn draw(dice: &mut Dice, hair: Rgb) -> Self {
        let near = hair.jittered(dice, 0.06) * dice.range(0.6, 1.1);
        let backdrop = match dice.below(20) {
            0 | 1 => Backdrop::Fur(Fur::draw(dice, hair)),
            2..=4 => Backdrop::Plain { colour: near, noise: dice.word() },
            5 | 6 => Backdrop::Plain { colour: BLACK * dice.range(0.5, 2.5), noise: dice.word() },
            _ => Backdrop::Own,
        };
        Self { backdrop, collar: dice.chance(0.15).then(|| Fur::draw(dice, hair)) }
    }

    #[cfg(test)]
    pub(super) fn has_fur(&self) -> bool {
        self.collar.is_some() || matches!(self.backdrop, Backdrop::Fur(_))
    }

    pub(super) fn paint_backdrop(&self, canvas: &mut Canvas) {
        let all = canvas.mask(&[Path::polygon(vec![pt(0.0, 0.0), pt(1.0, 0.0), pt(1.0, 1.0), pt(0.0, 1.0)])]);
        match &self.backdrop {
            Backdrop::Own => {}
            Backdrop::Plain { colour, noise } => canvas.tint(&all, |p| {
                let share = clouds(1.7 * p.x, 1.7 * p.y, *noise);
                (*colour * (0.7 + 0.6 * share), 1.0)
            }),
            Backdrop::Fur(fur) => {
                canvas.tint(&all, |_| (fur.colour * 0.6, 1.0));
                let mut dice = Dice::of_texture(fur.texture);
                let roots = (0..700).map(|_| pt(dice.range(-0.05, 1.05), dice.range(-0.1, 1.0)));
                fur.paint(canvas, &roots.collect::<Vec<_>>());
            }
        }
    }

    /// A collar along the shoulders.
    pub(super) fn paint_collar(&self, portrait: &Portrait, canvas: &mut Canvas) {
        let Some(fur) = &self.collar else { return };
        let mut dice = Dice::of_texture(!fur.texture);
        let root = |_| {
            let x = dice.range(-1.25, 1.25);
            let y = -0.25 + 0.5 * (x.abs() - 0.35).max(0.0) + 0.35 * (0.4 - x.abs()).max(0.0);
            portrait.body(x, y + dice.range(0.0, 0.42))
        };
        let roots: Vec<Point> = (0..500).map(root).collect();
        fur.paint(canvas, &roots);
    }
}

impl Fur {
    fn draw(dice: &mut Dice, hair: Rgb) -> Self {
        let colour = match dice.below(3) {
            0 => hair.jittered(dice, 0.08),
            1 => colour::hair(dice, 0.0),
            _ => WHITE.jittered(dice, 0.1) * dice.range(0.5, 0.95),
        };
        Self { colour, length: dice.range(0.05, 0.1), texture: dice.seed() }
    }

    /// Hairs from the roots, in a direction that changes slowly over the picture; no label.
    fn paint(&self, canvas: &mut Canvas, roots: &[Point]) {
        let mut dice = Dice::of_texture(self.texture ^ 1);
        let seed = self.texture as u32;
        for &root in roots {
            let lean = 3.0 * (noise(2.5 * root.x, 2.5 * root.y, seed) - 0.5) + dice.normal(0.0, 0.25);
            let way = pt(0.0, self.length * dice.range(0.6, 1.2)).turn(lean);
            let bow = way.normal() * (self.length * dice.range(-0.2, 0.2));
            let line = [root, root + way * 0.5 + bow, root + way];
            let width = dice.range(0.006, 0.014);
            let mask = canvas.mask(&[Path::stroke(&line, |t| width * (1.0 - 0.8 * t))]);
            let tone = self.colour * dice.range(0.65, 1.25);
            canvas.tint(&mask, |_| (tone, 0.9));
        }
    }
}
