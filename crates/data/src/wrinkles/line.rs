//! One wrinkle: a valley along a curve.

use crate::drawing::geometry::{Point, mix};
use crate::drawing::noise::noise;

use super::relief::Relief;

/// A valley whose cross section is a bell with raised lips, tapering to both ends.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The curve, picture widths.
    pub(super) points: Vec<Point>,
    /// Half width of the valley at its widest, picture widths.
    pub(super) half_width: f32,
    /// Share of the light that its ground lacks at its deepest, 0..=1.
    pub(super) darkness: f32,
    /// Steepness of its walls relative to its darkness.
    pub(super) steepness: f32,
    /// Height of the lips relative to the depth.
    pub(super) lips: f32,
    /// Share of the length over which each end fades, 0..=0.5.
    pub(super) tapers: [f32; 2],
    /// How much width and depth waver along the line, 0..=1.
    pub(super) waver: f32,
    pub(super) noise: u32,
}

/// Fainter valleys than this carry no mask: the light that their ground lacks, 0..=1.
const VISIBLE: f32 = 0.08;

/// How far the lips reach, in half widths.
const REACH: f32 = 3.6;

impl Line {
    /// Share of the full strength at `t`, 0 at the line's start and 1 at its end.
    fn strength(&self, t: f32) -> f32 {
        let [start, end] = self.tapers;
        let fade = |way: f32, over: f32| (way / over.max(1e-3)).min(1.0);
        let taper = fade(t, start) * fade(1.0 - t, end);
        let wave = noise(7.0 * t, 0.5, self.noise);
        taper.sqrt() * mix(1.0, wave, self.waver)
    }

    /// Half width at a share of the full strength, picture widths.
    fn half_width(&self, strength: f32) -> f32 {
        self.half_width * mix(0.55, 1.0, strength)
    }

    pub(super) fn carve(&self, relief: &mut Relief) {
        let reach = REACH * self.half_width;
        let (columns, rows) = self.bounds(relief, reach);
        let nearest = self.nearest(relief, (columns.clone(), rows.clone()), reach);
        for (i, &(squared, t)) in nearest.iter().enumerate() {
            if squared > reach * reach {
                continue;
            }
            let at = (columns.start + i % columns.len(), rows.start + i / columns.len());
            self.carve_pixel(relief, at, squared.sqrt(), t);
        }
    }

    /// A pixel at a distance from the line, in picture widths, beside the place `t` of it.
    fn carve_pixel(&self, relief: &mut Relief, at: (usize, usize), distance: f32, t: f32) {
        let strength = self.strength(t);
        let (width, darkness) = (self.half_width(strength), self.darkness * strength);
        let off = distance / width;
        let bell = (-off * off).exp();
        let lip = (-(off - 2.0) * (off - 2.0) * 1.3).exp();
        let depth = self.steepness * darkness * width;
        relief.carve(at, depth * (self.lips * lip - bell), darkness * (bell - 0.4 * self.lips * lip));
        if off <= 1.0 && darkness >= VISIBLE {
            relief.mark(at);
        }
    }

    /// Squared distance to the line and the place on it, for each pixel of a box; infinite beyond `reach`.
    fn nearest(&self, relief: &Relief, (columns, rows): Area, reach: f32) -> Vec<(f32, f32)> {
        let mut nearest = vec![(f32::INFINITY, 0.0); columns.len() * rows.len()];
        let pieces = self.points.len() - 1;
        for (k, piece) in self.points.windows(2).enumerate() {
            let (a, along) = (piece[0], piece[1] - piece[0]);
            let length = (along.x * along.x + along.y * along.y).max(1e-12);
            let (low, high) = (a.y.min(piece[1].y), a.y.max(piece[1].y));
            let (left, right) = (a.x.min(piece[1].x), a.x.max(piece[1].x));
            for y in relief.bounds(low, high, reach) {
                for x in relief.bounds(left, right, reach) {
                    let to = relief.centre(x, y) - a;
                    let share = ((to.x * along.x + to.y * along.y) / length).clamp(0.0, 1.0);
                    let off = to - along * share;
                    let squared = off.x * off.x + off.y * off.y;
                    let cell = &mut nearest[(y - rows.start) * columns.len() + x - columns.start];
                    if squared < cell.0 {
                        *cell = (squared, (k as f32 + share) / pieces as f32);
                    }
                }
            }
        }
        nearest
    }

    fn bounds(&self, relief: &Relief, reach: f32) -> Area {
        let range = |of: fn(&Point) -> f32| {
            let fold = |(low, high): (f32, f32), v: f32| (low.min(v), high.max(v));
            let (low, high) = self.points.iter().map(of).fold((f32::MAX, f32::MIN), fold);
            relief.bounds(low, high, reach)
        };
        (range(|p| p.x), range(|p| p.y))
    }
}

/// Columns and rows of a box of pixels.
type Area = (std::ops::Range<usize>, std::ops::Range<usize>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::geometry::pt;

    fn line() -> Line {
        Line {
            points: vec![pt(0.1, 0.5), pt(0.5, 0.5), pt(0.9, 0.5)],
            half_width: 0.02,
            darkness: 0.3,
            steepness: 1.0,
            lips: 0.4,
            tapers: [0.3, 0.3],
            waver: 0.0,
            noise: 1,
        }
    }

    fn carved(line: &Line) -> Relief {
        let mut relief = Relief::new(100, |_| 0.0);
        line.carve(&mut relief);
        relief
    }

    #[test]
    fn a_valley_is_darkest_on_its_line_and_marked_by_its_width() {
        let relief = carved(&line());
        let column: Vec<f32> = (0..100).map(|y| relief.occlusion((50, y))).collect();
        assert!(column[50] > 0.28 && column[53] < 0.1 && column[54] < 0.0 && column[60] == 0.0, "{column:?}");
        let marked = |x: usize| (0..100).filter(|y| relief.mask[y * 100 + x] == 1).count();
        assert_eq!((marked(50), marked(5)), (4, 0));
        assert!((1..4).contains(&marked(14)), "thinner towards the end: {}", marked(14));
    }

    #[test]
    fn what_is_too_faint_to_see_is_not_marked() {
        let faint = carved(&Line { darkness: 0.05, ..line() });
        assert!(faint.occlusion((50, 50)) > 0.0 && !faint.mask.contains(&1));
    }

    #[test]
    fn the_walls_face_each_other() {
        let relief = carved(&line());
        assert!(relief.tilt((50, 48)).y > 0.1 && relief.tilt((50, 51)).y < -0.1);
        assert!(relief.tilt((50, 44)).y < 0.0, "the lip's outer side falls off");
    }
}
