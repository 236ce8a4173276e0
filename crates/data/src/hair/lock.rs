//! Locks of hair as they are seen and painted.

use crate::drawing::canvas::Canvas;
use crate::drawing::colour::{self, BLACK, Rgb, WHITE};
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Point3, mix};
use crate::drawing::mask::Mask;
use crate::drawing::path::Path;
use crate::faces::portrait::Portrait;

/// A lock along a line in the head's frame, head units.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    pub(super) line: Vec<Point3>,
    /// Width at the root.
    pub(super) width: f32,
    /// Width at the end as a share of that at the root.
    pub(super) tip: f32,
    /// Factor on brightness: deep locks are dark.
    pub(super) tone: f32,
    /// Share of the streaks' colour, 0..=1.
    pub(super) streak: f32,
}

/// The colours of a head of hair.
#[derive(Debug, Clone)]
pub(super) struct Dye {
    pub(super) root: Rgb,
    pub(super) end: Rgb,
    /// How far below the eyes the colour turns from root to end, head units.
    pub(super) turn: f32,
    pub(super) streak: Rgb,
    /// How strongly hair mirrors the lamp, 0..=1.
    pub(super) gloss: f32,
}

/// Nearer to the viewer than this, hair lies before the head, head units from the head's axis.
const FRONT: f32 = -0.12;

impl Lock {
    /// Its outlines, those before the head or those behind it, picture widths.
    pub(super) fn outlines(&self, portrait: &Portrait, front: bool) -> Vec<Path> {
        let last = (self.line.len() - 1) as f32;
        let mut paths = Vec::new();
        for (from, run) in self.runs(portrait, front) {
            let n = (run.len() - 1) as f32;
            let width = |t: f32| {
                let along = (from as f32 + t * n) / last;
                (self.width * mix(1.0, self.tip, along * along) * portrait.scale()).max(0.003)
            };
            paths.push(Path::stroke(&run, width));
        }
        paths
    }

    /// The pieces of the line on one side of the head, with the numbers of their first points.
    pub(super) fn runs(&self, portrait: &Portrait, front: bool) -> Vec<(usize, Vec<Point>)> {
        let mut runs: Vec<(usize, Vec<Point>)> = Vec::new();
        let mut open = false;
        for (i, &p) in self.line.iter().enumerate() {
            let (at, near) = portrait.seen(p);
            let fits = (near > FRONT) == front;
            if fits && !open {
                runs.push((i, Vec::new()));
            }
            if let (true, Some((_, run))) = (fits || open, runs.last_mut()) {
                run.push(at);
            }
            open = fits;
        }
        runs.retain(|(_, run)| run.len() > 2);
        runs
    }

    /// Its colour at a picture point.
    pub(super) fn ink(&self, dye: &Dye, portrait: &Portrait, p: Point) -> Rgb {
        let (normal, q) = (portrait.normal(p), portrait.upright(p));
        let along = ((q.y - dye.turn) / 0.7 + 0.5).clamp(0.0, 1.0);
        let own = dye.root.mix(dye.end, along).mix(dye.streak, self.streak);
        let shine = portrait.light().gloss(normal, 9) * dye.gloss * self.tone * self.tone;
        own.times(portrait.light().on(normal)) * self.tone + own.mix(WHITE, 0.55) * shine
    }
}

/// Paints locks from back to front as one part.
pub(super) fn paint_all(locks: &[Lock], dye: &Dye, portrait: &Portrait, canvas: &mut Canvas, front: bool) {
    let seen: Vec<(Mask, &Lock)> = locks
        .iter()
        .map(|lock| (lock.outlines(portrait, front), lock))
        .filter(|(paths, _)| !paths.is_empty())
        .map(|(paths, lock)| (canvas.mask(&paths), lock))
        .collect();
    let dim = if front { 1.0 } else { 0.72 };
    let inked = seen.into_iter().map(|(mask, lock)| (mask, move |p: Point| lock.ink(dye, portrait, p) * dim));
    canvas.paint_together(inked, Portrait::HAIR);
}

impl Dye {
    /// Colours for one head: as they grew, grey or dyed, with lighter ends or streaks.
    pub(super) fn draw(dice: &mut Dice, shiny: bool) -> Self {
        let age = if dice.chance(0.7) { 0.0 } else { dice.range(0.4, 1.0) };
        let natural = match dice.chance(0.1) {
            true => Rgb::hex(0xb9b7b5).jittered(dice, 0.1),
            false => colour::hair(dice, age),
        };
        let loud = Rgb::hsv(dice.range(0.0, 1.0), dice.range(0.45, 0.85), dice.range(0.4, 0.9));
        let root = if dice.chance(0.1) { loud } else { natural };
        let blond = Rgb::hex(0xd9b877).jittered(dice, 0.08);
        let end = match dice.below(10) {
            0 => root.mix(blond, dice.range(0.4, 0.9)),
            1 => loud,
            _ => root.mix(blond, dice.range(0.0, 0.2)),
        };
        let streak =
            if dice.chance(0.3) { root.mix(blond, dice.range(0.3, 0.7)) } else { root.mix(WHITE, 0.1) };
        let gloss = if shiny { dice.range(0.1, 0.4) } else { dice.range(0.0, 0.12) };
        Self { root, end, turn: dice.range(0.2, 1.2), streak: streak.mix(BLACK, 0.03), gloss }
    }
}
