//! Hair: a cap over the skull with a window for the face, locks beside it, and what falls behind.

mod outline;

use super::canvas::{Blob, Canvas};
use super::class::HAIR;
use super::colour::{BLACK, Rgb, WHITE};
use super::dice::Dice;
use super::geometry::{Point, Point3, pt, pt3};
use super::head::{Head, Sitter};
use super::mask::Mask;
use super::path::Path;

#[derive(Debug, Clone)]
pub(super) struct Hair {
    /// Thickness over the skull, head units, as all lengths here; bald without.
    cap: Option<f32>,
    /// Height of the hairline's middle over the eyes.
    hairline: f32,
    fringe: Fringe,
    /// Where the hair parts: -0.6 to 0.6 across the head.
    part: f32,
    /// Locks beside the face: how far below the eyes they end.
    locks: Option<f32>,
    /// How wide the locks hang over the cheeks.
    cover: f32,
    /// Hair behind the neck: how far below the eyes it ends.
    back: Option<f32>,
    knot: Knot,
    /// 0 straight to 1 in small curls.
    curl: f32,
    /// Sideways swing of long hair and its phase.
    wave: (f32, f32),
    colour: Rgb,
    streak: Rgb,
    gloss: f32,
    wisps: bool,
    texture: u64,
    noise: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fringe {
    /// Combed back or to the sides.
    None,
    Straight,
    /// Over the forehead to one side, -1 or 1.
    Swept(f32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Knot {
    None,
    Bun,
    /// Tails on the left, the right or both sides.
    Tails(bool, bool),
}

impl Hair {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        let mut hair = Self::plain(dice, sitter);
        if sitter.masculine {
            hair.cut_short(dice);
            if dice.chance(0.13) {
                hair.grow_long(dice);
            }
        } else {
            match dice.below(10) {
                0 => hair.cut_short(dice),
                1 | 2 => hair.tie_up(dice),
                _ => hair.grow_long(dice),
            }
        }
        if sitter.masculine && dice.chance(0.35 * sitter.age) {
            hair.hairline += 0.12;
        }
        if dice.chance(if sitter.masculine { 0.13 } else { 0.02 }) {
            hair = Self { cap: None, locks: None, back: None, knot: Knot::None, ..hair };
        }
        hair
    }

    fn plain(dice: &mut Dice, sitter: &Sitter) -> Self {
        let dyed = Rgb::hsv(dice.range(0.0, 1.0), dice.range(0.4, 0.7), dice.range(0.35, 0.8));
        let colour = if dice.chance(0.05) { dyed } else { sitter.hair };
        let lighter = colour.mix(Rgb::hex(0xd9b877), dice.range(0.1, 0.35));
        Self {
            cap: Some(dice.range(0.06, 0.14)),
            hairline: dice.range(0.56, 0.68),
            fringe: Fringe::None,
            part: if dice.chance(0.4) { 0.0 } else { dice.range(-0.5, 0.5) },
            locks: None,
            cover: dice.range(0.0, 0.14),
            back: None,
            knot: Knot::None,
            curl: 0.0,
            wave: (if dice.chance(0.5) { dice.range(0.02, 0.09) } else { 0.0 }, dice.range(0.0, 6.3)),
            colour,
            streak: if dice.chance(0.3) { lighter } else { colour.mix(WHITE, 0.12) },
            gloss: dice.range(0.08, 0.32),
            wisps: dice.chance(0.12),
            texture: dice.seed(),
            noise: dice.word(),
        }
    }

    fn cut_short(&mut self, dice: &mut Dice) {
        match dice.below(10) {
            0 | 1 => self.cap = Some(0.02),
            2 | 3 => (self.cap, self.curl) = (Some(dice.range(0.14, 0.4)), dice.range(0.6, 1.0)),
            4 | 5 => self.fringe = Fringe::Swept(dice.sign()),
            6 => self.fringe = Fringe::Straight,
            _ => {}
        }
    }

    fn grow_long(&mut self, dice: &mut Dice) {
        let bob = dice.chance(0.35);
        let end = if bob { dice.range(0.55, 1.05) } else { dice.range(1.3, 2.6) };
        self.back = Some(end);
        if dice.chance(0.72) {
            self.locks = Some(if bob || dice.chance(0.65) { end } else { dice.range(0.6, 0.9) });
        }
        self.curl = if dice.chance(0.22) { dice.range(0.4, 0.9) } else { 0.0 };
        self.fringe = match dice.below(5) {
            0 => Fringe::Straight,
            1 => Fringe::Swept(dice.sign()),
            _ => Fringe::None,
        };
    }

    fn tie_up(&mut self, dice: &mut Dice) {
        self.cap = Some(dice.range(0.04, 0.08));
        self.knot = match dice.below(5) {
            0 | 1 => Knot::Tails(true, false),
            2 => Knot::Tails(true, true),
            _ => Knot::Bun,
        };
        if self.knot == Knot::Tails(true, false) && dice.chance(0.5) {
            self.knot = Knot::Tails(false, true);
        }
        if dice.chance(0.3) {
            self.fringe = Fringe::Straight;
        }
    }

    /// Pressed flat by a hat.
    pub(super) fn under_hat(self) -> Self {
        let knot = if self.knot == Knot::Bun { Knot::None } else { self.knot };
        Self { cap: self.cap.map(|volume| volume.min(0.06)), knot, ..self }
    }

    /// What hangs or sits behind the head.
    pub(super) fn paint_back(&self, sitter: &Sitter, canvas: &mut Canvas) {
        if let (Some(end), Some(cap)) = (self.back, self.cap) {
            let edge = |side: f32| {
                let wide = sitter.head.cheek + cap;
                let from = [pt3(side * 0.5 * wide, -0.85, -0.4), pt3(side * wide, -0.4, -0.35)];
                self.fall(sitter, &from, pt3(side * (wide + 0.05), 0.15, -0.35), end)
            };
            self.paint_sheet(sitter, canvas, &edge(-1.0), &edge(1.0), 0.72, 0);
        }
        match self.knot {
            Knot::None => {}
            Knot::Bun => self.paint_bun(sitter, canvas),
            Knot::Tails(left, right) => {
                for (side, grown) in [(-1.0, left), (1.0, right)] {
                    if grown {
                        self.paint_tail(sitter, canvas, side);
                    }
                }
            }
        }
    }

    /// The hair on the skull, over the painted face; `head` is the bare head.
    pub(super) fn paint_cap(&self, sitter: &Sitter, canvas: &mut Canvas, head: &Mask) {
        let Some(volume) = self.cap else { return };
        let window = self.window(sitter);
        for (width, depth) in [(0.24, 0.06), (0.19, 0.07), (0.14, 0.08), (0.09, 0.09), (0.05, 0.1)] {
            let rim = Path::stroke(&window, |_| width * sitter.pose.scale);
            let rim = canvas.mask(&[rim]).within(head);
            canvas.tint(&rim, |_| (sitter.shadow(0.7), depth));
        }
        let window = canvas.mask(&[Path::polygon(window)]);
        let mask = self.cap_mask(sitter, canvas, volume).without(&window);
        canvas.paint(&mask, HAIR, |p| self.ink(sitter, p, 1.0));
        if volume < 0.03 {
            return;
        }
        if self.curl > 0.3 {
            self.paint_curls(sitter, canvas, &mask);
        } else {
            self.paint_strands(sitter, canvas, &mask, self.cap_strands(sitter, volume), 0.02);
        }
    }

    /// The locks beside and over the face.
    pub(super) fn paint_locks(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let Some(volume) = self.cap else { return };
        if let Some(end) = self.locks {
            for side in [-1.0, 1.0] {
                let (inner, outer) =
                    (self.inner_edge(sitter, side, volume, end), self.outer_edge(sitter, side, volume, end));
                self.paint_sheet(sitter, canvas, &inner, &outer, 1.0, 1 + (side > 0.0) as u64);
            }
        }
        if self.wisps && self.curl == 0.0 {
            self.paint_wisps(sitter, canvas);
        }
    }

    fn cap_mask(&self, sitter: &Sitter, canvas: &Canvas, volume: f32) -> Mask {
        let grow = |d: Point3| volume * (1.0 + 0.5 * (-d.y).max(0.0).powi(2));
        let points =
            Head::directions(0.85).map(|d| sitter.pose.project(sitter.head.skull(d, grow(d)))).collect();
        let rim = Path::hull(points).resampled(60);
        let mut dice = Dice::of_texture(self.texture);
        let rough = sitter.pose.scale * (0.10 * volume + 0.05 * self.curl * volume).min(0.03);
        let jagged: Vec<Point> =
            rim.iter().map(|&p| p + pt(dice.range(-rough, rough), dice.range(-rough, rough))).collect();
        let mut paths = vec![Path::smooth(&jagged)];
        if self.curl > 0.3 && volume > 0.1 {
            let radius = sitter.pose.scale * (0.06 + 0.3 * volume) * self.curl;
            let above = rim.iter().filter(|&&p| sitter.pose.upright(p).y < 0.0);
            paths.extend(above.step_by(2).map(|&p| Path::disc(p, radius * dice.range(0.6, 1.1))));
        }
        canvas.mask(&paths)
    }

    /// Lines from the parting down over the skull.
    fn cap_strands(&self, sitter: &Sitter, volume: f32) -> Vec<Vec<Point>> {
        let mut dice = Dice::of_texture(self.texture ^ 2);
        let mut lines = Vec::new();
        for _ in 0..110 {
            let angle = dice.range(-2.4, 2.4);
            let from = pt3(self.part, -1.0, dice.range(-0.5, 0.75)).unit();
            let to = pt3(angle.sin(), dice.range(-0.1, 0.35), angle.cos());
            let height = volume * dice.range(0.7, 1.1);
            let visible = |k: i32| {
                let p = sitter.head.skull(from.lerp(to, k as f32 / 9.0), height);
                (sitter.pose.camera(p).z > -0.15).then(|| sitter.pose.project(p))
            };
            let line: Vec<Point> = (0..=9).filter_map(visible).collect();
            if line.len() > 3 {
                lines.push(line);
            }
        }
        lines
    }

    /// Light and dark strands within a mask; `width` in head units.
    fn paint_strands(
        &self,
        sitter: &Sitter,
        canvas: &mut Canvas,
        mask: &Mask,
        lines: Vec<Vec<Point>>,
        width: f32,
    ) {
        let mut dice = Dice::of_texture(self.texture ^ 3);
        for line in lines {
            let width = sitter.pose.scale * width * dice.range(0.6, 1.6);
            let stroke = Path::stroke(&line, |t| width * (4.0 * t * (1.0 - t)).max(0.1).sqrt());
            let stroke = canvas.mask(&[stroke]).within(mask);
            let (tone, opacity) = match dice.below(5) {
                0 | 1 => (self.streak, dice.range(0.15, 0.5)),
                _ => (self.colour.mix(BLACK, 0.65), dice.range(0.15, 0.5)),
            };
            canvas.tint(&stroke, |p| (tone.times(sitter.light.on(sitter.normal(p))), opacity));
        }
    }

    fn paint_curls(&self, sitter: &Sitter, canvas: &mut Canvas, mask: &Mask) {
        let mut dice = Dice::of_texture(self.texture ^ 4);
        let mut lines = Vec::new();
        for _ in 0..170 {
            let d = pt3(dice.range(-1.0, 1.0), dice.range(-1.1, 0.5), dice.range(-0.2, 1.0));
            let centre =
                sitter.pose.project(sitter.head.skull(d, self.cap.unwrap_or(0.0) * dice.range(0.2, 1.3)));
            let (radius, start) = (sitter.pose.scale * dice.range(0.03, 0.07), dice.range(0.0, 6.3));
            let arc = (0..8).map(|k| centre + pt(radius, 0.0).turn(start + 0.5 * k as f32));
            lines.push(arc.collect());
        }
        self.paint_strands(sitter, canvas, mask, lines, 0.026);
    }

    /// Hair between two edges that run from its roots to its ends; `tone` darkens it.
    fn paint_sheet(
        &self,
        sitter: &Sitter,
        canvas: &mut Canvas,
        a: &[Point],
        b: &[Point],
        tone: f32,
        salt: u64,
    ) {
        let mut dice = Dice::of_texture(self.texture ^ (5 + salt));
        let (end_a, end_b) = (a[a.len() - 1], b[b.len() - 1]);
        let ragged = (1..9).map(|k| {
            let tooth = if k % 2 == 0 { 0.0 } else { 0.10 };
            end_a.lerp(end_b, k as f32 / 9.0) + pt(0.0, (tooth + dice.range(0.0, 0.06)) * sitter.pose.scale)
        });
        let outline = a.iter().copied().chain(ragged.collect::<Vec<_>>()).chain(b.iter().rev().copied());
        let mut paths = vec![Path::polygon(outline.collect())];
        if self.curl > 0.3 {
            let radius = 0.09 * sitter.pose.scale;
            let rim = a.iter().skip(14).step_by(3).chain(b.iter().skip(14).step_by(3));
            paths.extend(rim.map(|&p| {
                let off = pt(dice.range(-0.5, 0.5), dice.range(-0.5, 0.5)) * radius;
                Path::disc(p + off, radius * dice.range(0.5, 1.5))
            }));
        }
        let mask = canvas.mask(&paths);
        canvas.paint(&mask, HAIR, |p| self.ink(sitter, p, tone));
        let lines = (0..26).map(|_| {
            let (f, bend) = (dice.range(0.0, 1.0), dice.range(-0.12, 0.12));
            let n = a.len() as f32;
            let at =
                |(i, (&a, &b)): (usize, (&Point, &Point))| a.lerp(b, f + bend * (i as f32 / n * 4.0).sin());
            a.iter().zip(b).enumerate().step_by(3).map(at).collect()
        });
        let lines = lines.collect();
        self.paint_strands(sitter, canvas, &mask, lines, 0.03);
    }

    fn paint_bun(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let mut dice = Dice::of_texture(self.texture ^ 9);
        let size = sitter.pose.scale * dice.range(0.24, 0.38);
        let centre = sitter.pose.project(pt3(dice.range(-0.15, 0.15), -1.16, -0.25));
        let mask = canvas.mask(&[Path::ellipse(centre, 1.1 * size, size, sitter.pose.roll)]);
        canvas.paint(&mask, HAIR, |p| self.ink(sitter, p, 0.9));
        let turn = |k: i32| {
            let start = dice.range(0.0, 6.3);
            let radius = size * (0.3 + 0.05 * k as f32);
            (0..9).map(|i| centre + pt(radius, 0.0).turn(start + 0.35 * i as f32)).collect()
        };
        let lines = (0..14).map(turn).collect();
        self.paint_strands(sitter, canvas, &mask, lines, 0.04);
        canvas.glow(Blob::round(centre + pt(0.0, 0.9 * size), size), BLACK, 0.4, &mask);
    }

    fn paint_tail(&self, sitter: &Sitter, canvas: &mut Canvas, side: f32) {
        let root = pt3(side * 0.55, -0.45, -0.6);
        let c = sitter.head.cheek;
        let inner = [root, pt3(side * (c + 0.02), -0.2, -0.5)];
        let outer = [root, pt3(side * (c + 0.3), -0.45, -0.5)];
        let a = self.fall(sitter, &inner, pt3(side * (c + 0.02), 0.2, -0.4), 1.5);
        let b = self.fall(sitter, &outer, pt3(side * (c + 0.42), 0.2, -0.4), 1.35);
        self.paint_sheet(sitter, canvas, &a, &b, 0.9, 7);
    }

    /// A few thick strands fallen over the forehead and the cheek.
    fn paint_wisps(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let mut dice = Dice::of_texture(self.texture ^ 11);
        let side = dice.sign();
        for _ in 0..3 {
            let (x, end) = (side * dice.range(0.1, 0.4), dice.range(-0.1, 0.45));
            let points = [
                (x, -self.hairline - 0.04),
                (x + 0.1 * side, -0.35),
                (x + 0.18 * side, -0.1),
                (x + 0.16 * side, end),
            ];
            let line = sitter.line(&points, 0.08);
            let width = sitter.pose.length(0.05, 0.016);
            let mask = canvas.mask(&[Path::stroke(&line, |t| width * (1.0 - 0.7 * t))]);
            canvas.paint(&mask, HAIR, |p| self.ink(sitter, p, 0.95));
        }
    }

    fn ink(&self, sitter: &Sitter, p: Point, tone: f32) -> Rgb {
        let normal = sitter.normal(p);
        let cropped = self.cap.is_some_and(|volume| volume < 0.03);
        let fineness = if self.curl > 0.3 { 14.0 } else { 24.0 };
        let strands = sitter.strand_noise(p, fineness, self.noise);
        let base = if cropped { self.colour.mix(sitter.skin, 0.18 + 0.2 * strands) } else { self.colour };
        let lit = base.times(sitter.light.on(normal)) * (tone * (0.98 + 0.5 * strands));
        let band = sitter.light.gloss(normal, 10) * self.gloss * (0.7 + 0.9 * strands);
        lit + self.streak.mix(WHITE, 0.35) * (band.max(0.0) * tone)
    }
}
