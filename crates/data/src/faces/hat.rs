//! Hats.

use super::canvas::Canvas;
use super::class::HAT;
use super::colour::{self, BLACK, Rgb, WHITE};
use super::dice::Dice;
use super::geometry::{Point, mix, pt, pt3};
use super::head::{Head, Sitter};
use super::mask::Mask;
use super::noise::noise;
use super::path::{Path, curve};

#[derive(Debug, Clone)]
pub(super) struct Hat {
    kind: Kind,
    /// Height of its lower edge over the eyes at the forehead, head units, as all lengths here.
    line: f32,
    /// Thickness over the skull.
    volume: f32,
    /// Width of the brim.
    brim: f32,
    colour: Rgb,
    band: Rgb,
    noise: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Beanie { pompom: bool },
    Cap,
    Brimmed,
    Headband,
}

impl Hat {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let pompom = dice.chance(0.35);
        let kind = match dice.below(10) {
            0..=3 => Kind::Beanie { pompom },
            4..=6 => Kind::Cap,
            7 | 8 => Kind::Brimmed,
            _ => Kind::Headband,
        };
        let colour = colour::fabric(dice);
        Self {
            kind,
            line: dice.range(0.32, 0.44),
            volume: dice.range(0.08, 0.12),
            brim: dice.range(0.4, 0.75),
            colour,
            band: if dice.chance(0.5) { colour * 0.6 } else { colour::fabric(dice) },
            noise: dice.word(),
        }
    }

    /// True where the hat leaves the hair its shape.
    pub(super) fn is_open(&self) -> bool {
        self.kind == Kind::Headband
    }

    /// The far side of a brim, behind the head.
    pub(super) fn paint_back(&self, sitter: &Sitter, canvas: &mut Canvas) {
        if self.kind == Kind::Brimmed {
            let ring =
                (0..40).map(|k| self.brim_edge(sitter, k as f32 * std::f32::consts::TAU / 40.0)).collect();
            let mask = canvas.mask(&[Path::hull(ring)]);
            canvas.paint(&mask, HAT, |p| self.ink(sitter, p) * 0.55);
        }
    }

    /// The hat over head and hair; `head` is the bare head, on which its shadow falls.
    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas, head: &Mask) {
        let reach = if matches!(self.kind, Kind::Cap | Kind::Brimmed) { 0.42 } else { 0.16 };
        let shadow = sitter.spot((0.12 * sitter.shadow_side(), -self.line), 0.0, (0.95, reach));
        canvas.glow(shadow, sitter.shadow(0.8), 0.75, head);
        match self.kind {
            Kind::Headband => {
                self.paint_strip(sitter, canvas, self.line + 0.08, self.line + 0.3, self.colour)
            }
            Kind::Beanie { pompom } => self.paint_beanie(sitter, canvas, pompom),
            Kind::Cap => {
                self.paint_dome(sitter, canvas, 1.0);
                self.paint_visor(sitter, canvas);
            }
            Kind::Brimmed => {
                self.paint_dome(sitter, canvas, 1.6);
                self.paint_strip(sitter, canvas, self.line, self.line + 0.2, self.band);
                self.paint_brim(sitter, canvas);
            }
        }
    }

    /// A line around the front of the head at a height over the eyes, from the left to the right silhouette.
    fn ring(&self, sitter: &Sitter, height: f32, volume: f32) -> Vec<Point> {
        let at = |k: i32| {
            let angle = 0.19 * k as f32 - sitter.pose.yaw;
            let (s, c) = angle.sin_cos();
            let middle = sitter.head.skull(pt3(0.0, 1.0, 0.0), volume);
            let half = middle.y + 0.28;
            let y = ((0.28 - height) / half).clamp(-0.98, 0.98);
            let ring = (1.0 - y * y).sqrt();
            sitter.pose.project(sitter.head.skull(pt3(ring * s, y, ring * c), volume))
        };
        (-8..=8).map(at).collect()
    }

    fn dome(&self, sitter: &Sitter, canvas: &Canvas, tall: f32) -> Mask {
        let grow = |y: f32| self.volume * mix(1.0, tall, (-y).max(0.0));
        let points = Head::directions(0.3).map(|d| sitter.head.skull(d, grow(d.y)));
        let outline = Path::hull(points.map(|p| sitter.pose.project(p)).collect());
        let mut below = self.ring(sitter, self.line, self.volume);
        let roll = sitter.pose.roll;
        let out = |p: Point, x: f32, y: f32| p + pt(x, y).turn(roll) * sitter.pose.scale;
        let (first, last) = (below[0], below[below.len() - 1]);
        below.insert(0, out(first, -1.0, 0.1));
        below.extend([out(last, 1.0, 0.1), out(last, 1.0, 3.0), out(first, -1.0, 3.0)]);
        canvas.mask(&[Path::smooth(&outline.resampled(40))]).without(&canvas.mask(&[Path::polygon(below)]))
    }

    fn paint_dome(&self, sitter: &Sitter, canvas: &mut Canvas, tall: f32) {
        let mask = self.dome(sitter, canvas, tall);
        canvas.paint(&mask, HAT, |p| self.ink(sitter, p));
        if self.kind == Kind::Cap {
            for x in [-0.75, 0.0, 0.75_f32] {
                let seam = [-0.4, -0.7, -1.0_f32].map(|y| {
                    let d = pt3(x * (1.0 + y).max(0.0).sqrt(), y, 0.75 * (1.0 - y * y).max(0.0).sqrt());
                    sitter.pose.project(sitter.head.skull(d, self.volume))
                });
                let seam =
                    canvas.mask(&[Path::stroke(&curve(&seam), |_| 0.02 * sitter.pose.scale)]).within(&mask);
                canvas.tint(&seam, |_| (BLACK, 0.4));
            }
        }
    }

    fn paint_strip(&self, sitter: &Sitter, canvas: &mut Canvas, low: f32, high: f32, colour: Rgb) {
        let volume = self.volume + 0.015;
        let strip = Path::between(&self.ring(sitter, low, volume), &self.ring(sitter, high, volume));
        let mask = canvas.mask(&[strip]);
        canvas.paint(&mask, HAT, |p| colour.times(sitter.light.on(sitter.normal(p))));
    }

    fn paint_beanie(&self, sitter: &Sitter, canvas: &mut Canvas, pompom: bool) {
        if pompom {
            let centre = sitter.pose.project(pt3(0.0, -1.24 - self.volume, -0.2));
            let mask = canvas.mask(&[Path::disc(centre, 0.2 * sitter.pose.scale)]);
            canvas.paint(&mask, HAT, |p| {
                self.band.mix(WHITE, 0.2) * (0.7 + 0.5 * noise(90.0 * p.x, 90.0 * p.y, self.noise))
            });
        }
        self.paint_dome(sitter, canvas, 1.5);
        let volume = self.volume + 0.03;
        let fold = Path::between(
            &self.ring(sitter, self.line - 0.03, volume),
            &self.ring(sitter, self.line + 0.22, volume),
        );
        let mask = canvas.mask(&[fold]);
        canvas.paint(&mask, HAT, |p| {
            let ribs = 0.88 + 0.14 * (38.0 * sitter.pose.upright(p).x).sin();
            self.band.times(sitter.light.on(sitter.normal(p))) * ribs
        });
    }

    fn paint_visor(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let inner = |k: i32| {
            let (s, c) = (0.15 * k as f32).sin_cos();
            sitter.pose.project(sitter.head.skull(pt3(s, -0.25, c), self.volume))
        };
        let outer = |k: i32| {
            let (s, c) = (0.17 * k as f32).sin_cos();
            let y = -self.line + 0.06 + 0.14 * s * s;
            sitter.pose.project(pt3(0.84 * s, y, 0.55 + (0.35 + self.brim) * c))
        };
        let points = (-7..=7).map(outer).chain((-7..=7).rev().map(inner)).collect();
        let mask = canvas.mask(&[Path::polygon(points)]);
        let colour = self.band;
        canvas.paint(&mask, HAT, |p| {
            colour.times(sitter.light.on(pt3(0.0, -0.75, 0.65)))
                * (0.93 + 0.14 * noise(20.0 * p.x, 20.0 * p.y, self.noise))
        });
        let edge = canvas
            .mask(&[Path::stroke(&(-7..=7).map(outer).collect::<Vec<_>>(), |_| 0.03 * sitter.pose.scale)])
            .within(&mask);
        canvas.tint(&edge, |_| (BLACK, 0.45));
    }

    /// The brim's outer edge at an angle from the front, radians.
    fn brim_edge(&self, sitter: &Sitter, angle: f32) -> Point {
        let (s, c) = angle.sin_cos();
        let reach = sitter.head.cheek + 0.12 + self.brim;
        let y = -self.line + 0.02 + 0.13 * c + 0.04 * s * s;
        sitter.pose.project(pt3(reach * s, y, reach * c))
    }

    fn paint_brim(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let turn = sitter.pose.yaw;
        let outer = (-10..=10).map(|k| self.brim_edge(sitter, 0.158 * k as f32 - turn));
        let mut inner = self.ring(sitter, self.line + 0.02, self.volume);
        inner.reverse();
        let mask = canvas.mask(&[Path::polygon(outer.chain(inner).collect())]);
        canvas.paint(&mask, HAT, |p| self.ink(sitter, p) * 0.92);
        let edge: Vec<Point> = (-10..=10).map(|k| self.brim_edge(sitter, 0.158 * k as f32 - turn)).collect();
        let edge = canvas.mask(&[Path::stroke(&edge, |_| 0.03 * sitter.pose.scale)]).within(&mask);
        canvas.tint(&edge, |_| (BLACK, 0.35));
    }

    fn ink(&self, sitter: &Sitter, p: Point) -> Rgb {
        let q = sitter.pose.upright(p);
        let weave = match self.kind {
            Kind::Beanie { .. } => 0.9 + 0.12 * (38.0 * q.x + 2.0 * (45.0 * q.y).sin()).sin(),
            _ => 0.95 + 0.1 * noise(40.0 * q.x, 40.0 * q.y, self.noise),
        };
        self.colour.times(sitter.light.on(sitter.normal(p))) * weave
    }
}
