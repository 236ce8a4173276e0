//! Necklaces: chains, beads, chokers, pendants.

use super::canvas::Canvas;
use super::class::NECKLACE;
use super::colour::{self, Rgb, WHITE};
use super::dice::Dice;
use super::geometry::Point;
use super::head::Sitter;
use super::path::{Path, curve};
use super::torso::Torso;

#[derive(Debug, Clone)]
pub(super) struct Necklace {
    kind: Kind,
    /// How far below the pit of the neck it hangs, head units, as all lengths here.
    drop: f32,
    width: f32,
    pendant: Option<f32>,
    colour: Rgb,
    stone: Rgb,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Chain,
    Beads,
    Choker,
}

impl Necklace {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let kind = dice.pick(&[Kind::Chain, Kind::Beads, Kind::Beads, Kind::Choker]);
        let (drop, width) = match kind {
            Kind::Chain => (dice.range(0.02, 0.3), dice.range(0.055, 0.085)),
            Kind::Beads => (dice.range(0.0, 0.26), dice.range(0.085, 0.15)),
            Kind::Choker => (dice.range(-0.28, -0.12), dice.range(0.08, 0.13)),
        };
        let hue = dice.range(0.0, 1.0);
        let stone = Rgb::hsv(hue, dice.range(0.0, 0.85), dice.range(0.35, 0.97));
        let colour = if kind == Kind::Chain { colour::metal(dice) } else { stone };
        let pendant = dice.chance(0.5).then(|| dice.range(0.07, 0.12));
        Self { kind, drop, width, pendant, colour, stone: stone.jittered(dice, 0.3) }
    }

    /// True where it lies over the clothes rather than on the neck.
    pub(super) fn hangs_low(&self) -> bool {
        self.kind != Kind::Choker
    }

    pub(super) fn paint(&self, sitter: &Sitter, torso: &Torso, canvas: &mut Canvas) {
        let line = self.line(torso);
        let width = sitter.pose.length(self.width, 0.018);
        let mut paths = match self.kind {
            Kind::Beads => beads(&line, width),
            Kind::Chain | Kind::Choker => vec![Path::stroke(&line, |_| width)],
        };
        let middle = line[line.len() / 2];
        if let Some(size) = self.pendant {
            let size = size * sitter.pose.scale;
            paths.push(Path::ellipse(
                middle + (torso.at(0.0, 1.0) - torso.at(0.0, 0.0)) * 0.07,
                0.8 * size,
                size,
                0.0,
            ));
        }
        let mask = canvas.mask(&paths);
        let (base, step) = (self.colour, 1.0 / width);
        canvas.paint(&mask, NECKLACE, |p| {
            let near_pendant = self.pendant.is_some() && (p - middle).length() < 0.13 * sitter.pose.scale;
            let q = (p - middle) * step;
            let glint = ((5.0 * q.x).sin() * (5.0 * q.y).cos()).max(0.0);
            let base = if near_pendant { self.stone } else { base };
            base.times(sitter.light.on(torso.normal(p))).mix(WHITE, 0.45 * glint)
        });
    }

    fn line(&self, torso: &Torso) -> Vec<Point> {
        let (n, d) = (torso.neck, self.drop);
        let rise = if self.kind == Kind::Choker { 0.07 } else { 0.30 };
        let half = [(0.0, d), (0.45 * n, d - 0.15 * rise), (0.85 * n, d - 0.55 * rise), (1.04 * n, d - rise)];
        let mirrored = half.iter().skip(1).rev().map(|&(x, y)| (-x, y));
        let points: Vec<_> = mirrored.chain(half).collect();
        curve(&torso.all_at(&points))
    }
}

/// Discs side by side along a line.
fn beads(line: &[Point], diameter: f32) -> Vec<Path> {
    let mut last = line[0];
    let mut out = vec![Path::disc(last, 0.5 * diameter)];
    for pair in line.windows(2) {
        for k in 1..=8 {
            let p = pair[0].lerp(pair[1], k as f32 / 8.0);
            if (p - last).length() >= 0.96 * diameter {
                out.push(Path::disc(p, 0.5 * diameter));
                last = p;
            }
        }
    }
    out
}
