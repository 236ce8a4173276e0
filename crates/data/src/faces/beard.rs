//! Beards: they colour the skin, and stay skin in the label map.

use super::canvas::Canvas;
use super::colour::{BLACK, Rgb};
use super::dice::Dice;
use super::head::Sitter;
use super::mask::Mask;
use super::path::Path;

#[derive(Debug, Clone)]
pub(super) struct Beard {
    cheeks: bool,
    moustache: bool,
    chin: bool,
    /// 0.2 stubble to 0.95 full.
    density: f32,
    colour: Rgb,
    noise: u32,
}

impl Beard {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        let (cheeks, moustache, chin) = dice.pick(&[
            (true, true, true),
            (true, true, true),
            (true, true, true),
            (false, true, true),
            (false, true, false),
            (false, false, true),
        ]);
        let density = if dice.chance(0.45) { dice.range(0.2, 0.42) } else { dice.range(0.55, 0.95) };
        let colour = sitter.hair.mix(BLACK, 0.2);
        Self { cheeks, moustache, chin, density, colour, noise: dice.word() }
    }

    /// To be painted before the mouth; `head` bounds it.
    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas, head: &Mask) {
        for (grow, share) in [(0.035, 0.45), (0.0, 0.8)] {
            let mask = canvas.mask(&self.paths(sitter, grow)).within(head);
            canvas.tint(&mask, |p| {
                let hairs = sitter.strand_noise(p, 60.0, self.noise)
                    + 0.5 * sitter.strand_noise(p, 27.0, !self.noise);
                let lit = self.colour.times(sitter.light.on(sitter.normal(p)));
                (lit * (1.0 + 0.5 * hairs), (share * self.density * (1.0 + 0.6 * hairs)).clamp(0.0, 0.95))
            });
        }
    }

    /// The beard's parts, their upper borders raised by `grow`.
    fn paths(&self, sitter: &Sitter, grow: f32) -> Vec<Path> {
        let mut paths = Vec::new();
        let (cheek, chin) = (sitter.head.cheek, sitter.head.length);
        let outline = |half: &[(f32, f32)]| {
            let mirrored = half.iter().rev().map(|&(x, y)| (-x, y));
            let points: Vec<_> = half.iter().copied().chain(mirrored).map(|(x, y)| (x, y - grow)).collect();
            Path::smooth(&sitter.all_at(&points, 0.02))
        };
        if self.cheeks {
            let side = [(0.08, 0.84), (0.26, 0.79), (0.42, 0.60), (cheek - 0.1, 0.25), (cheek + 0.06, 0.1)];
            let below = [(cheek + 0.1, 0.6), (0.45, 1.12), (0.12, chin + 0.22)];
            paths.push(outline(&[side.as_slice(), &below].concat()));
        }
        if self.chin {
            paths.push(outline(&[(0.05, 0.84), (0.15, 0.87), (0.21, 0.95), (0.12, chin + 0.06)]));
        }
        if self.moustache {
            let wing = [(0.0, 0.52), (0.14, 0.53), (0.30, 0.64), (0.33, 0.74), (0.25, 0.68), (0.0, 0.63)];
            for side in [-1.0, 1.0] {
                let points = wing.map(|(x, y)| (side * x, if y < 0.65 { y - grow } else { y }));
                paths.push(Path::smooth(&sitter.all_at(&points, 0.05)));
            }
        }
        paths
    }
}
