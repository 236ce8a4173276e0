//! A head of hair: its colours, the coat on the scalp, and the locks of its style.

use std::f32::consts::PI;

use super::growth::{Curl, Growth, curled, on_ring};
use super::lock::{Dye, Lock, paint_all};
use super::ropes;
use super::style::Style;
use crate::drawing::canvas::Canvas;
use crate::drawing::colour::Rgb;
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Point3, mix, pt, pt3};
use crate::drawing::mask::Mask;
use crate::drawing::noise::clouds;
use crate::drawing::path::Path;
use crate::faces::portrait::Portrait;

#[derive(Debug, Clone)]
pub(super) struct Mane {
    dye: Dye,
    growth: Growth,
    /// From the deepest to the outermost.
    locks: Vec<Lock>,
    coat: Coat,
}

/// Hair as a surface under the locks.
#[derive(Debug, Clone)]
struct Coat {
    /// How far it lies above the scalp, head units, as all lengths here; none without.
    lift: Option<f32>,
    /// How far the hair behind the head stands off, where it is a ball.
    ball: Option<f32>,
    tone: f32,
    /// Share of the skin's colour that shines through, 0..=1.
    sparse: f32,
    noise: u32,
}

impl Mane {
    pub(super) fn draw(dice: &mut Dice, style: Style, dye: Dye, portrait: &Portrait, hat: bool) -> Self {
        let growth = Growth {
            part: if dice.chance(0.4) { 0.0 } else { dice.range(-0.5, 0.5) },
            volume: if hat { 0.05 } else { dice.range(0.06, 0.13) },
            receding: if style == Style::Short && dice.chance(0.35) { dice.range(0.05, 0.42) } else { 0.0 },
            draped: if dice.chance(0.6) { dice.range(0.3, 1.0) } else { 0.0 },
            spread: dice.range(0.0, 0.16),
        };
        let coat = Coat { lift: None, ball: None, tone: 0.55, sparse: 0.0, noise: dice.word() };
        let mut mane = Self { dye, growth, locks: Vec::new(), coat };
        mane.grow(dice, style, portrait, hat);
        mane.locks.retain(|lock| lock.line.len() > 2);
        mane
    }

    fn grow(&mut self, dice: &mut Dice, style: Style, portrait: &Portrait, hat: bool) {
        match style {
            Style::Straight => {
                let slight = Curl { radius: dice.range(0.0, 0.02), length: 1.3, depth: 0.0 };
                self.grow_long(dice, portrait, slight, 0.15);
            }
            Style::Wavy => {
                let wave = Curl { radius: dice.range(0.04, 0.08), length: dice.range(0.45, 0.7), depth: 0.0 };
                self.grow_long(dice, portrait, wave, 0.6);
            }
            Style::Curly => {
                self.growth.volume += if hat { 0.0 } else { dice.range(0.04, 0.16) };
                self.growth.spread += 0.12;
                let ring =
                    Curl { radius: dice.range(0.05, 0.085), length: dice.range(0.17, 0.28), depth: 1.0 };
                self.grow_long(dice, portrait, ring, 6.3);
            }
            Style::Kinky => self.grow_kinky(dice, portrait, hat),
            Style::Braids => self.grow_braids(dice, portrait),
            Style::Dreadlocks => self.grow_ropes(dice, portrait, 42, (0.07, 0.13), ropes::dread),
            Style::Short => self.grow_short(dice, portrait, hat),
        }
    }

    /// Locks from the parting down, with a fringe at times; `disorder` is how much their phases differ, radians.
    fn grow_long(&mut self, dice: &mut Dice, portrait: &Portrait, curl: Curl, disorder: f32) {
        let end = if dice.chance(0.35) { dice.range(0.6, 1.1) } else { dice.range(1.2, 2.4) };
        let (across, phase) = (across(portrait), dice.range(0.0, 6.3));
        let width = if curl.depth > 0.0 { 0.055 } else { 0.05 };
        self.coat.lift = Some(0.5 * self.growth.volume);
        let count = 330;
        for k in 0..count {
            let depth = k as f32 / count as f32;
            let line = self.growth.falling(dice, portrait, place_of(k), depth, end);
            let phase = phase + dice.range(-0.5, 0.5) * disorder;
            let line = curled(&line, curl, phase, across);
            self.push(dice, line, width, depth);
        }
        if dice.chance(0.35) {
            self.grow_fringe(dice, portrait, curl, phase);
        }
        self.grow_flyaways(dice, portrait, end);
    }

    fn grow_fringe(&mut self, dice: &mut Dice, portrait: &Portrait, curl: Curl, phase: f32) {
        let (across, sweep) = (across(portrait), dice.range(-0.5, 0.5));
        let low = dice.range(-0.34, -0.2);
        for k in 0..70 {
            let x = dice.range(-0.55, 0.55);
            let end = (x + sweep * 0.4, low + 0.18 * x * x + dice.normal(0.0, 0.03));
            let line = self.growth.fringe(portrait, x, end, self.growth.volume * 0.6);
            let line = curled(&line, Curl { radius: 0.5 * curl.radius, ..curl }, phase, across);
            self.push(dice, line, 0.05, 0.5 + k as f32 / 140.0);
        }
    }

    /// Single hairs that stand off the others.
    fn grow_flyaways(&mut self, dice: &mut Dice, portrait: &Portrait, end: f32) {
        let across = across(portrait);
        for k in 0..25 {
            let curl = Curl { radius: dice.range(0.03, 0.12), length: dice.range(0.6, 1.4), depth: 0.3 };
            let growth = Growth {
                volume: self.growth.volume * 1.25,
                spread: self.growth.spread + 0.08,
                ..self.growth.clone()
            };
            let line = growth.falling(dice, portrait, place_of(17 * k), 1.0, end);
            let line = curled(&line, curl, dice.range(0.0, 6.3), across);
            self.push(dice, line, 0.016, 1.0);
        }
    }

    /// A ball of small curls.
    fn grow_kinky(&mut self, dice: &mut Dice, portrait: &Portrait, hat: bool) {
        let volume = if hat { 0.06 } else { dice.range(0.12, 0.62) };
        self.coat.lift = Some(0.75 * volume);
        self.coat.ball = Some(0.85 * volume);
        let across = across(portrait);
        let (size, count) = (dice.range(0.04, 0.075), 600);
        for k in 0..count {
            let depth = k as f32 / count as f32;
            let root = self.growth.root(dice);
            let lift = volume * mix(0.3, 1.05, depth.sqrt()) * dice.range(0.75, 1.08);
            let centre = rounded(portrait, root, lift);
            let (start, turn, size) =
                (dice.range(0.0, 6.3), dice.sign() * dice.range(0.4, 0.7), size * dice.range(0.6, 1.3));
            let at = |i: i32| {
                let (sin, cos) = (start + turn * i as f32).sin_cos();
                centre + across * (size * cos) + pt3(0.0, size * sin, 0.0)
            };
            self.push(dice, (0..8).map(at).collect(), 0.03, depth);
        }
    }

    /// One, two or many plaits; the rest of the hair is combed to their roots.
    fn grow_braids(&mut self, dice: &mut Dice, portrait: &Portrait) {
        if dice.chance(0.45) {
            return self.grow_ropes(dice, portrait, 46, (0.06, 0.1), ropes::braid);
        }
        let sides: &[f32] = if dice.chance(0.5) { &[-1.0, 1.0] } else { &[1.0] };
        let flip = dice.sign();
        self.coat.lift = Some(0.6 * self.growth.volume);
        let count = 300;
        for k in 0..count {
            let angle = PI * (2.0 * ((k * 89) % count) as f32 / count as f32 - 1.0);
            let hairline = self.growth.hairline(angle);
            let low = mix(-0.95, hairline, dice.range(0.3, 1.0).sqrt());
            let side = if sides.len() == 2 { angle.signum() } else { flip };
            let gather = on_ring(2.1 * side, 0.35);
            let lift = self.growth.volume * mix(0.5, 1.0, k as f32 / count as f32);
            let nape = on_ring(2.7 * side, -0.2);
            let mut line = self.growth.over(portrait, on_ring(angle, low), nape, lift);
            line.extend(self.growth.over(portrait, nape, gather, lift));
            self.push(dice, line, 0.05, k as f32 / count as f32);
        }
        let (width, end) = (dice.range(0.2, 0.34), dice.range(1.3, 2.6));
        for side in sides {
            let side = side * flip;
            let line = self.plait_line(dice, portrait, side, end);
            self.locks.extend(ropes::braid(dice, &line, width, across(portrait)));
        }
    }

    /// From behind the ear over the shoulder down the chest.
    fn plait_line(&self, dice: &mut Dice, portrait: &Portrait, side: f32, end: f32) -> Vec<Point3> {
        let wide = portrait.cheek() + dice.range(0.0, 0.1);
        let from = portrait.scalp(on_ring(2.1 * side, 0.35), 0.0);
        let bend = pt3(side * wide, 0.62, 0.0);
        let chest = pt3(side * (wide + 0.08), 1.0, 0.25);
        let mut line: Vec<Point3> = (0..5).map(|k| from.lerp(bend, k as f32 / 5.0)).collect();
        line.extend((0..=5).map(|k| bend.lerp(chest, k as f32 / 5.0)));
        self.growth.hang(portrait, &mut line, end, 0.0);
        line
    }

    /// Many ropes that fall as locks do.
    fn grow_ropes(
        &mut self,
        dice: &mut Dice,
        portrait: &Portrait,
        count: usize,
        (thin, thick): (f32, f32),
        rope: fn(&mut Dice, &[Point3], f32, Point3) -> Vec<Lock>,
    ) {
        let (width, end) = (dice.range(thin, thick), dice.range(0.5, 2.2));
        let count = (count as f32 * (thick / width).min(1.5)) as usize;
        self.coat.lift = Some(0.7 * self.growth.volume);
        self.growth.spread += dice.range(0.0, 0.3);
        for k in 0..count {
            let depth = k as f32 / count as f32;
            let line = self.growth.falling(dice, portrait, place_of(k), depth, end);
            let bend = Curl { radius: dice.range(0.0, 0.09), length: dice.range(0.8, 1.6), depth: 0.0 };
            let line = curled(&line, bend, dice.range(0.0, 6.3), across(portrait));
            let width = width * dice.range(0.85, 1.15);
            let shade = mix(0.75, 1.0, depth);
            let locks = rope(dice, &line, width, across(portrait));
            self.locks.extend(locks.into_iter().map(|lock| Lock { tone: lock.tone * shade, ..lock }));
        }
    }

    /// Short hairs all over the scalp, combed from the crown outwards and to one side.
    fn grow_short(&mut self, dice: &mut Dice, portrait: &Portrait, hat: bool) {
        let cropped = dice.chance(0.3);
        let length = if cropped { dice.range(0.05, 0.09) } else { dice.range(0.14, 0.32) };
        let rise = if hat || cropped { 0.02 } else { dice.range(0.03, 0.16) };
        let (sideways, disorder) = (dice.range(-0.5, 0.5), dice.range(0.05, 0.35));
        let forward = dice.chance(0.35);
        self.coat.lift = Some(0.5 * rise);
        self.coat.sparse = if cropped { dice.range(0.1, 0.55) } else { 0.0 };
        let count = if cropped { 800 } else { 540 };
        for k in 0..count {
            let depth = k as f32 / count as f32;
            let root = self.growth.root(dice);
            let whorl = pt3(0.0, -0.8, if forward { -0.6 } else { 0.75 });
            let way = (root + whorl * -1.0 + pt3(sideways, 0.0, 0.0)).unit();
            let way = way + pt3(dice.normal(0.0, disorder), dice.normal(0.0, disorder), 0.0);
            let top = (0.5 - root.y).clamp(0.2, 1.4);
            let (length, rise) = (length * dice.range(0.6, 1.2), rise * top * mix(0.4, 1.0, depth));
            let at = |i: i32| {
                let t = i as f32 / 4.0;
                portrait.scalp(root + way * (length * t), rise * (t * (2.0 - t)))
            };
            self.push(dice, (0..=4).map(at).collect(), if cropped { 0.022 } else { 0.04 }, depth);
        }
    }

    fn push(&mut self, dice: &mut Dice, line: Vec<Point3>, width: f32, depth: f32) {
        let streak = if dice.chance(0.3) { dice.range(0.2, 0.9) } else { 0.0 };
        self.locks.push(Lock {
            line,
            width: width * dice.range(0.7, 1.35),
            tip: 0.45,
            tone: mix(0.5, 1.0, depth.sqrt()) * dice.range(0.82, 1.15),
            streak,
        });
    }

    #[cfg(test)]
    pub(super) fn shaved(&self) -> Self {
        let coat = Coat { lift: None, ball: None, ..self.coat.clone() };
        Self { locks: Vec::new(), coat, ..self.clone() }
    }

    /// What hangs or stands behind the head.
    pub(super) fn paint_back(&self, portrait: &Portrait, canvas: &mut Canvas) {
        if let Some(lift) = self.coat.ball {
            let mask = self.cap(portrait, canvas, lift, 0.4);
            canvas.paint(&mask, Portrait::HAIR, |p| self.coat_ink(portrait, p) * 0.8);
        }
        paint_all(&self.locks, &self.dye, portrait, canvas, false);
    }

    /// What lies on the head and falls before it.
    pub(super) fn paint_front(&self, portrait: &Portrait, canvas: &mut Canvas) {
        if let Some(lift) = self.coat.lift {
            let window = canvas.mask(&[self.window(portrait, lift)]);
            let mask = self.cap(portrait, canvas, lift, 0.9).without(&window);
            canvas.paint(&mask, Portrait::HAIR, |p| self.coat_ink(portrait, p));
        }
        paint_all(&self.locks, &self.dye, portrait, canvas, true);
    }

    fn coat_ink(&self, portrait: &Portrait, p: Point) -> Rgb {
        let q = portrait.upright(p);
        let grain = 0.8 + 0.4 * clouds(22.0 * q.x, 22.0 * q.y, self.coat.noise);
        let own = self.dye.root * (self.coat.tone * grain);
        own.mix(portrait.skin() * 0.8, self.coat.sparse).times(portrait.light().on(portrait.normal(p)))
    }

    /// The scalp raised by `lift`, from the crown down to `low`: 0 at the skull's middle, 1 below.
    fn cap(&self, portrait: &Portrait, canvas: &Canvas, lift: f32, low: f32) -> Mask {
        let mut points = Vec::new();
        for ring in 0..9 {
            let height = mix(-1.0, low, ring as f32 / 8.0);
            points
                .extend((0..20).map(|k| {
                    portrait.seen(rounded(portrait, on_ring(k as f32 * PI / 10.0, height), lift)).0
                }));
        }
        canvas.mask(&[Path::smooth(&Path::hull(points).resampled(48))])
    }

    /// What the coat leaves free: all below the hairline.
    fn window(&self, portrait: &Portrait, lift: f32) -> Path {
        let at = |k: i32| {
            let angle = k as f32 * PI / 40.0 - portrait.yaw();
            portrait.seen(rounded(portrait, on_ring(angle, self.growth.hairline(angle)), lift)).0
        };
        let mut points: Vec<Point> = (-20..=20).map(at).collect();
        let out = |p: Point, x: f32, y: f32| p + pt(x, y).turn(portrait.roll()) * portrait.scale();
        let (first, last) = (points[0], points[points.len() - 1]);
        points.insert(0, out(first, -1.0, 0.0));
        points.extend([out(last, 1.0, 0.0), out(last, 1.0, 3.0), out(first, -1.0, 3.0)]);
        Path::polygon(points)
    }
}

/// The scalp in a direction, raised by `lift` above and by less towards the nape.
fn rounded(portrait: &Portrait, direction: Point3, lift: f32) -> Point3 {
    portrait.scalp(direction, lift * (1.0 - 0.75 * direction.y.max(0.0)))
}

/// The vector of the head's frame that points to the right of the picture.
fn across(portrait: &Portrait) -> Point3 {
    let (sin, cos) = portrait.yaw().sin_cos();
    pt3(cos, 0.0, sin)
}

/// Where the k-th lock grows, 0..1, spread evenly in any run of numbers (the golden ratio's multiples).
fn place_of(k: usize) -> f32 {
    (k as f32 * 0.618_034).fract()
}
