//! Clothes: what covers the shoulders, with its neckline, collar and pattern.

use super::canvas::Canvas;
use super::class::CLOTH;
use super::colour::{self, BLACK, Rgb, WHITE};
use super::dice::Dice;
use super::geometry::{Point, pt, pt3};
use super::head::Sitter;
use super::noise::{clouds, noise};
use super::path::{Path, curve};
use super::torso::Torso;

#[derive(Debug, Clone)]
pub(super) struct Clothes {
    neckline: Neckline,
    /// Depth of the neckline below the pit of the neck, head units, as all lengths here.
    depth: f32,
    /// Half width of the opening at the shoulders.
    opening: f32,
    colour: Rgb,
    second: Rgb,
    pattern: Pattern,
    folds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Neckline {
    Round,
    Pointed,
    /// High collar around the neck.
    Roll,
    /// Shirt collar with two flaps.
    Shirt,
    /// Jacket with lapels over a shirt.
    Suit,
    Straps,
}

#[derive(Debug, Clone, Copy)]
enum Pattern {
    Plain,
    Stripes { width: f32, angle: f32 },
    Checks { width: f32 },
    Dots { width: f32 },
    Knit,
}

impl Clothes {
    pub(super) fn draw(dice: &mut Dice, sitter: &Sitter) -> Self {
        use Neckline::{Pointed, Roll, Round, Shirt, Straps, Suit};
        let neckline = if sitter.masculine {
            dice.pick(&[Round, Round, Pointed, Shirt, Shirt, Suit, Suit, Roll])
        } else {
            dice.pick(&[Round, Round, Pointed, Pointed, Straps, Shirt, Suit, Roll])
        };
        let (depth, opening) = match neckline {
            Neckline::Round => (dice.range(0.0, 0.22), dice.range(1.15, 1.7)),
            Neckline::Pointed => (dice.range(0.25, 0.6), dice.range(1.15, 1.5)),
            Neckline::Straps => (dice.range(0.35, 0.55), dice.range(1.9, 2.6)),
            Neckline::Roll => (0.02, 1.15),
            Neckline::Shirt => (dice.range(0.1, 0.35), 1.12),
            Neckline::Suit => (dice.range(0.4, 0.7), 1.2),
        };
        let colour = colour::fabric(dice);
        Self {
            neckline,
            depth,
            opening: opening * 0.42,
            colour,
            second: if dice.chance(0.5) { colour * 0.55 } else { colour::fabric(dice) },
            pattern: Pattern::draw(dice),
            folds: dice.word(),
        }
    }

    pub(super) fn paint(&self, sitter: &Sitter, torso: &Torso, canvas: &mut Canvas) {
        match self.neckline {
            Neckline::Roll => self.paint_roll(sitter, torso, canvas),
            Neckline::Suit => self.paint_shirt_and_tie(sitter, torso, canvas),
            _ => {}
        }
        let mask = canvas.mask(&[self.body(torso)]);
        canvas.paint(&mask, CLOTH, |p| self.ink(sitter, torso, p));
        let seam = Path::stroke(&self.neckline(torso), |_| 0.035 * sitter.pose.scale);
        let seam = canvas.mask(&[seam]).within(&mask);
        canvas.tint(&seam, |_| (self.colour * 0.55, 0.6));
        if matches!(self.neckline, Neckline::Shirt | Neckline::Suit) {
            self.paint_flaps(sitter, torso, canvas);
        }
    }

    /// From the left to the right shoulder along the edge of the cloth.
    fn neckline(&self, torso: &Torso) -> Vec<Point> {
        let x = self.opening.max(torso.neck * 1.08);
        let y = self.shoulder_height(torso, x) - 0.03;
        let d = self.depth;
        let half = match self.neckline {
            Neckline::Pointed | Neckline::Suit | Neckline::Shirt => {
                [(x, y), (0.66 * x, 0.4 * d), (0.33 * x, 0.72 * d), (0.02, d)]
            }
            Neckline::Straps => [(x, y), (0.9 * x, 0.75 * d), (0.55 * x, d), (0.05, 1.04 * d)],
            Neckline::Round | Neckline::Roll => {
                [(x, y), (0.8 * x, y.max(0.0) + 0.6 * d), (0.45 * x, 0.93 * d + 0.02), (0.05, d + 0.04)]
            }
        };
        let left = half.iter().map(|&(x, y)| (-x, y));
        let points: Vec<_> = left.chain(half.iter().rev().copied()).collect();
        curve(&torso.all_at(&points))
    }

    /// Height of the bare shoulder line at a distance from the middle.
    fn shoulder_height(&self, torso: &Torso, x: f32) -> f32 {
        let along = ((x - torso.neck) / (torso.shoulders - torso.neck)).clamp(0.0, 1.0);
        -0.14 + along * (torso.slope + 0.06)
    }

    fn body(&self, torso: &Torso) -> Path {
        let (s, d) = (torso.shoulders + 0.06, torso.slope);
        let x = self.opening.max(torso.neck * 1.08);
        let outer = [
            (s * 0.6 + 0.4 * x, 0.38 * d - 0.05),
            (s * 0.93, 0.8 * d - 0.04),
            (s + 0.02, d + 0.3),
            (s + 0.1, 3.0),
        ];
        let right = curve(&torso.all_at(&[
            (x, self.shoulder_height(torso, x) - 0.03),
            outer[0],
            outer[1],
            outer[2],
            outer[3],
        ]));
        let left = curve(
            &torso.all_at(
                &[outer[3], outer[2], outer[1], outer[0], (x, self.shoulder_height(torso, x) - 0.03)]
                    .map(|(x, y)| (-x, y)),
            ),
        );
        Path::polygon(left.into_iter().chain(self.neckline(torso)).chain(right).collect())
    }

    fn ink(&self, sitter: &Sitter, torso: &Torso, p: Point) -> Rgb {
        let q = torso.local(p);
        let fold = clouds(1.6 * q.x + 3.0, 1.1 * q.y, self.folds) - 0.5;
        let normal = pt3((0.55 * q.x + 1.2 * fold).clamp(-0.9, 0.9), -0.35, 0.75).unit();
        let (share, shade) = self.pattern.at(q, self.folds);
        let base = self.colour.mix(self.second, share) * shade;
        base.times(sitter.light.on(normal)) * (1.0 + 0.35 * fold)
    }

    fn paint_roll(&self, sitter: &Sitter, torso: &Torso, canvas: &mut Canvas) {
        let n = torso.neck * 1.13;
        let line = |y: f32, sag: f32| {
            curve(&torso.all_at(&[(-n, y), (-0.5 * n, y + sag), (0.5 * n, y + sag), (n, y)]))
        };
        let mask = canvas.mask(&[Path::between(&line(-0.42, 0.1), &line(0.1, 0.1))]);
        canvas.paint(&mask, CLOTH, |p| {
            let ribs = 0.9 + 0.1 * (60.0 * torso.local(p).x).sin();
            self.colour.times(sitter.light.on(torso.normal(p))) * (0.92 * ribs)
        });
    }

    fn paint_shirt_and_tie(&self, sitter: &Sitter, torso: &Torso, canvas: &mut Canvas) {
        let (n, d) = (torso.neck * 1.1, self.depth);
        let front = canvas.mask(&[Path::polygon(torso.all_at(&[
            (-n, -0.22),
            (0.0, 0.10),
            (n, -0.22),
            (n, 0.2),
            (0.0, d + 0.3),
            (-n, 0.2),
        ]))]);
        let shirt = WHITE.mix(self.second, 0.18);
        canvas.paint(&front, CLOTH, |p| shirt.times(sitter.light.on(torso.normal(p))));
        if sitter.masculine {
            let tie = [(-0.09, 0.08), (0.09, 0.08), (0.06, 0.24), (0.14, 1.2), (-0.14, 1.2), (-0.06, 0.24)];
            let tie = canvas.mask(&[Path::polygon(torso.all_at(&tie))]);
            canvas.paint(&tie, CLOTH, |p| {
                let stripe =
                    if (9.0 * (torso.local(p).x + torso.local(p).y)).sin() > 0.3 { 0.75 } else { 1.0 };
                self.second.times(sitter.light.on(torso.normal(p))) * stripe
            });
        }
    }

    /// Collar flaps or lapels.
    fn paint_flaps(&self, sitter: &Sitter, torso: &Torso, canvas: &mut Canvas) {
        let (n, d) = (torso.neck * 1.1, self.depth);
        let suit = self.neckline == Neckline::Suit;
        for side in [-1.0, 1.0] {
            let flap = if suit {
                vec![(n, -0.2), (n + 0.22, 0.12), (n + 0.16, 0.3), (0.02, d + 0.1), (0.5 * n, 0.4 * d)]
            } else {
                vec![
                    (n * 0.98, -0.30),
                    (n + 0.18, 0.02),
                    (0.62 * n, 0.36),
                    (0.06, 0.08 + 0.4 * d),
                    (0.6 * n, -0.02),
                ]
            };
            let points: Vec<_> = flap.iter().map(|&(x, y)| (side * x, y)).collect();
            let path = Path::polygon(torso.all_at(&points));
            let mask = canvas.mask(std::slice::from_ref(&path));
            let tone = if suit { 0.88 } else { 1.06 };
            canvas.paint(&mask, CLOTH, |p| self.ink(sitter, torso, p) * tone);
            let mut rim = path.points;
            rim.push(rim[0]);
            let rim = canvas.mask(&[Path::stroke(&rim, |_| 0.03 * sitter.pose.scale)]).within(&mask);
            canvas.tint(&rim, |_| (self.colour.mix(BLACK, 0.7), 0.55));
        }
    }
}

impl Pattern {
    fn draw(dice: &mut Dice) -> Self {
        let width = dice.range(0.08, 0.2);
        match dice.below(8) {
            0 | 1 => Self::Stripes { width, angle: dice.pick(&[0.0, 0.0, 1.571, 0.78]) },
            2 => Self::Checks { width },
            3 => Self::Dots { width },
            4 => Self::Knit,
            _ => Self::Plain,
        }
    }

    /// Share of the second colour, and a factor on brightness, at a point of the body.
    fn at(self, q: Point, seed: u32) -> (f32, f32) {
        let band = |v: f32, width: f32| if (v / width).rem_euclid(2.0) < 1.0 { 1.0 } else { 0.0 };
        match self {
            Self::Plain => (0.0, 0.96 + 0.08 * noise(30.0 * q.x, 30.0 * q.y, seed)),
            Self::Stripes { width, angle } => (band(q.turn(angle).y, width), 1.0),
            Self::Checks { width } => (0.5 * band(q.x, width) + 0.5 * band(q.y, width), 1.0),
            Self::Dots { width } => {
                let cell = pt(q.x.rem_euclid(2.0 * width) - width, q.y.rem_euclid(2.0 * width) - width);
                (if cell.length() < 0.55 * width { 1.0 } else { 0.0 }, 1.0)
            }
            Self::Knit => (0.0, 0.9 + 0.12 * (55.0 * q.x + 3.0 * (40.0 * q.y).sin()).sin()),
        }
    }
}
