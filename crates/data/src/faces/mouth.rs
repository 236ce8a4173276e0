//! Lips and what an open mouth shows.

use super::canvas::Canvas;
use super::class::{L_LIP, MOUTH, U_LIP};
use super::colour::{Rgb, WHITE};
use super::dice::Dice;
use super::geometry::{Point, mix};
use super::head::Sitter;
use super::mask::Mask;
use super::path::{Path, curve};

#[derive(Debug, Clone)]
pub(super) struct Mouth {
    /// Place below the eyes, head units, as all lengths here.
    height: f32,
    half_width: f32,
    upper: f32,
    lower: f32,
    /// Greatest gap between the lips; 0 closed.
    open: f32,
    /// How much the corners are raised.
    smile: f32,
    lips: Rgb,
    gloss: f32,
    teeth: bool,
}

impl Mouth {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        let open = if dice.chance(0.58) { dice.range(0.055, 0.19) } else { 0.0 };
        Self {
            height: dice.range(0.64, 0.69),
            half_width: dice.range(0.22, 0.30),
            upper: dice.range(0.062, 0.10),
            lower: dice.range(0.078, 0.125),
            open,
            smile: dice.range(-0.015, 0.075) + 0.25 * open,
            lips: draw_lips(dice, sitter),
            gloss: dice.range(0.0, 0.5),
            teeth: dice.chance(0.8),
        }
    }

    /// `head` is where shading around the lips may fall.
    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas, head: &Mask) {
        let y = self.height + self.lower + 0.5 * self.open + 0.05;
        canvas.glow(sitter.spot((0.0, y), 0.0, (0.2, 0.06)), sitter.shadow(0.5), 0.45, head);
        for side in [-1.0, 1.0] {
            let corner = (side * 1.08 * self.half_width, self.height - self.smile);
            canvas.glow(sitter.spot(corner, 0.0, (0.06, 0.06)), sitter.shadow(0.6), 0.5, head);
        }
        let lines = self.lines(sitter);
        if self.open > 0.0 {
            self.paint_inside(sitter, canvas, &lines);
        }
        self.paint_lips(sitter, canvas, &lines);
    }

    /// Four lines from corner to corner: top of the upper lip, its lower border, the lower lip's top and bottom.
    fn lines(&self, sitter: &Sitter) -> [Vec<Point>; 4] {
        let w = self.half_width;
        let (gap_top, gap_bottom) = (-0.2 * self.open, 0.8 * self.open);
        let (top, bottom) = (gap_top - self.upper, gap_bottom + self.lower);
        // `near` is the height at the corner's side of the lip: `share` of the way to the corner.
        let across = |middle: f32, bow: f32, share: f32| {
            let near = mix(middle, -self.smile, share);
            let side = [(w, -self.smile), (0.62 * w, near), (0.22 * w, middle), (0.0, middle + bow)];
            let mirrored = side[..3].iter().rev().map(|&(x, y)| (-x, y));
            let points: Vec<_> =
                side.into_iter().chain(mirrored).map(|(x, y)| (x, y + self.height)).collect();
            curve(&sitter.all_at(&points, 0.06))
        };
        [
            across(top, 0.018, 0.32),
            across(gap_top, 0.008, 0.45),
            across(gap_bottom, 0.004, 0.42),
            across(bottom, 0.0, 0.30),
        ]
    }

    fn paint_inside(&self, sitter: &Sitter, canvas: &mut Canvas, lines: &[Vec<Point>; 4]) {
        let inside = canvas.mask(&[Path::between(&lines[1], &lines[2])]);
        let dark = Rgb([0.24, 0.05, 0.06]);
        canvas.paint(&inside, MOUTH, |_| dark);
        let tongue = sitter.spot((0.0, self.height + 0.6 * self.open), 0.05, (0.16, 0.5 * self.open));
        canvas.glow(tongue, Rgb([0.75, 0.32, 0.33]), 0.9, &inside);
        if self.teeth {
            let drop = (0.55 * self.open).min(0.075);
            let edge: Vec<Point> = lines[1].iter().map(|&p| p + sitter.down(drop)).collect();
            let teeth = canvas.mask(&[Path::between(&lines[1], &edge)]).within(&inside);
            let gap = 0.055;
            canvas.tint(&teeth, |p| {
                let x = sitter.pose.upright(p).x / gap;
                let seam = 1.0 - 0.14 * (1.0 - (x - x.round()).abs() * 8.0).max(0.0);
                (WHITE * (0.95 * seam), 0.97)
            });
        }
    }

    fn paint_lips(&self, sitter: &Sitter, canvas: &mut Canvas, lines: &[Vec<Point>; 4]) {
        let lower = canvas.mask(&[Path::between(&lines[2], &lines[3])]);
        let upper = canvas.mask(&[Path::between(&lines[0], &lines[1])]);
        let lit = |p: Point| self.lips.times(sitter.light.on(sitter.normal(p)));
        canvas.paint(&lower, L_LIP, |p| lit(p) * 1.04);
        canvas.paint(&upper, U_LIP, |p| lit(p) * 0.86);
        let shine = sitter.spot((0.0, self.height + 0.6 * self.open + 0.5 * self.lower), 0.07, (0.14, 0.035));
        canvas.glow(shine, Rgb([1.0, 0.9, 0.88]), 0.15 + self.gloss, &lower);
        if self.open == 0.0 {
            let seam = Path::stroke(&lines[1], |t| 0.022 * sitter.pose.scale * (4.0 * t * (1.0 - t)).sqrt());
            let seam = canvas.mask(&[seam]);
            canvas.tint(&seam, |_| (self.lips * 0.35, 0.85));
        }
    }
}

fn draw_lips(dice: &mut Dice, sitter: &Sitter) -> Rgb {
    const LIPSTICK: [u32; 7] = [0xb3202c, 0xd0405a, 0x8c1f3f, 0xe0707a, 0x6d2237, 0xc75b4a, 0x5a2a50];
    let natural = sitter.skin.mix(Rgb([0.72, 0.25, 0.27]), dice.range(0.42, 0.62)) * dice.range(0.86, 0.98);
    if !sitter.masculine && dice.chance(0.5) {
        return natural.mix(Rgb::hex(dice.pick(&LIPSTICK)), dice.range(0.5, 0.95));
    }
    natural
}
