//! Things before the face that belong to no class: they are background.

use super::canvas::Canvas;
use super::class::BACKGROUND;
use super::colour::{self, Rgb, WHITE};
use super::dice::Dice;
use super::geometry::{Point, pt};
use super::head::Sitter;
use super::noise::noise;
use super::path::{Path, curve};

#[derive(Debug, Clone)]
pub(super) struct Occluder {
    kind: Kind,
    /// Place in the frontal drawing of the face, head units.
    place: (f32, f32),
    /// Direction it points to, radians from up.
    angle: f32,
    size: f32,
    colour: Rgb,
    second: Rgb,
    noise: u32,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Hand,
    Bar,
    Cup,
    Microphone,
    Leaf,
}

impl Occluder {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        let kind = dice.pick(&[Kind::Hand, Kind::Hand, Kind::Bar, Kind::Cup, Kind::Microphone, Kind::Leaf]);
        let side = dice.sign();
        let (place, angle) = match kind {
            Kind::Hand => {
                ((side * dice.range(0.3, 0.62), dice.range(0.55, 0.95)), -side * dice.range(0.1, 0.7))
            }
            Kind::Bar => ((dice.range(-0.7, 0.7), dice.range(-0.6, 0.9)), dice.range(-1.6, 1.6)),
            Kind::Cup => ((side * dice.range(0.0, 0.3), dice.range(0.95, 1.2)), dice.range(-0.2, 0.2)),
            Kind::Microphone => {
                ((side * dice.range(0.05, 0.3), dice.range(0.85, 1.05)), side * dice.range(2.6, 3.6))
            }
            Kind::Leaf => {
                ((side * dice.range(0.5, 0.9), dice.range(-0.6, 0.9)), -side * dice.range(0.6, 2.2))
            }
        };
        Self {
            kind,
            place,
            angle,
            size: dice.range(0.85, 1.2),
            colour: if matches!(kind, Kind::Hand) {
                sitter.skin.jittered(dice, 0.03)
            } else {
                colour::fabric(dice)
            },
            second: colour::fabric(dice),
            noise: dice.word(),
        }
    }

    pub(super) fn paint(&self, sitter: &Sitter, canvas: &mut Canvas) {
        match self.kind {
            Kind::Hand => self.paint_hand(sitter, canvas),
            Kind::Bar => {
                self.paint_one(sitter, canvas, vec![self.stroke(sitter, (0.0, 4.0), (0.0, -4.0), 0.16, 0.16)])
            }
            Kind::Cup => {
                let cup = [(-0.28, 0.9), (-0.34, -0.3), (0.34, -0.3), (0.28, 0.9)]
                    .map(|(x, y)| self.at(sitter, x, y));
                self.paint_one(sitter, canvas, vec![Path::polygon(cup.to_vec())]);
            }
            Kind::Microphone => {
                let head = Path::disc(self.at(sitter, 0.0, 0.0), 0.2 * self.size * sitter.pose.scale);
                self.paint_one(
                    sitter,
                    canvas,
                    vec![head, self.stroke(sitter, (0.0, 0.0), (0.0, -2.5), 0.14, 0.2)],
                );
            }
            Kind::Leaf => {
                let leaf = [(0.0, 1.6), (-0.26, 0.7), (-0.2, 0.0), (0.0, -0.5), (0.2, 0.0), (0.26, 0.7)];
                self.paint_one(sitter, canvas, vec![Path::smooth(&leaf.map(|(x, y)| self.at(sitter, x, y)))]);
            }
        }
    }

    /// A point of the thing, which points up in its own drawing.
    fn at(&self, sitter: &Sitter, x: f32, y: f32) -> Point {
        let place = sitter.at(self.place.0, self.place.1, 0.1);
        place + pt(x, y).turn(self.angle + sitter.pose.roll) * (self.size * sitter.pose.scale)
    }

    fn stroke(&self, sitter: &Sitter, from: (f32, f32), to: (f32, f32), start: f32, end: f32) -> Path {
        let line = curve(&[self.at(sitter, from.0, from.1), self.at(sitter, to.0, to.1)]);
        let scale = self.size * sitter.pose.scale;
        Path::stroke(&line, |t| scale * (start + (end - start) * t))
    }

    fn paint_one(&self, sitter: &Sitter, canvas: &mut Canvas, paths: Vec<Path>) {
        let mask = canvas.mask(&paths);
        let origin = self.at(sitter, 0.0, 0.0);
        let reach = 1.0 / (0.3 * self.size * sitter.pose.scale);
        canvas.paint(&mask, BACKGROUND, |p| {
            let q = ((p - origin) * reach).turn(-self.angle - sitter.pose.roll);
            let round = 1.0 - 0.35 * (q.x + 0.4 * sitter.light.towards.x).powi(2).min(1.6);
            let stripe = if noise(0.4, 1.6 * q.y, self.noise) > 0.62 { 1.0 } else { 0.0 };
            self.colour.mix(self.second, stripe) * round
                + WHITE * (0.2 * (1.0 - (q.x + 0.5).abs() * 5.0).max(0.0))
        });
    }

    /// A palm with four fingers and a thumb, finger by finger so that each shows its edge.
    fn paint_hand(&self, sitter: &Sitter, canvas: &mut Canvas) {
        let palm = [
            (-0.26, 0.1),
            (0.0, 0.0),
            (0.28, 0.12),
            (0.27, 0.5),
            (0.17, 0.95),
            (0.16, 2.2),
            (-0.16, 2.2),
            (-0.18, 0.95),
            (-0.28, 0.5),
        ];
        let palm = Path::smooth(&palm.map(|(x, y)| self.at(sitter, x, y)));
        let lean = self.angle.signum();
        let thumb = [(0.18 * lean, 0.75), (0.36 * lean, 0.42), (0.44 * lean, 0.12)];
        let mut fingers = vec![(palm, 0.3), (self.finger(sitter, &thumb), 0.1)];
        for (k, length) in [(0, 0.5), (1, 0.62), (2, 0.66), (3, 0.55)] {
            let x = (k as f32 - 1.5) * 0.15;
            let line = [(0.9 * x, 0.35), (x, 0.15 - 0.5 * length), (1.12 * x, 0.12 - length)];
            fingers.push((self.finger(sitter, &line), 0.07));
        }
        for (path, radius) in fingers {
            let mask = canvas.mask(std::slice::from_ref(&path));
            canvas.paint(&mask, BACKGROUND, |p| self.colour.times(sitter.light.on(sitter.normal(p))) * 1.03);
            let mut rim = path.points;
            rim.push(rim[0]);
            for width in [0.3 * radius, 0.7 * radius] {
                let rim = canvas.mask(&[Path::stroke(&rim, |_| width * sitter.pose.scale)]).within(&mask);
                canvas.tint(&rim, |_| (sitter.shadow(0.6), 0.4));
            }
        }
    }

    /// A rounded finger along three points.
    fn finger(&self, sitter: &Sitter, line: &[(f32, f32); 3]) -> Path {
        let points = curve(&line.map(|(x, y)| self.at(sitter, x, y)));
        let width = 0.155 * self.size * sitter.pose.scale;
        Path::stroke(&points, |t| width * (1.0 - ((t - 0.75).max(0.0) / 0.27).powi(2)).max(0.05).sqrt())
    }
}
