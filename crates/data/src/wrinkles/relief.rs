//! The surface of the skin as a height map, from which its shading is read.

use crate::drawing::geometry::{Point, Point3, pt, pt3};

/// Height, darkness of the valleys and the mask, of a square of pixels.
#[derive(Debug, Clone)]
pub(super) struct Relief {
    pub(super) size: usize,
    /// Picture widths.
    height: Vec<f32>,
    /// Share of the light that does not reach the ground of a valley; negative on its lips, which face more of the sky.
    occlusion: Vec<f32>,
    /// 1 on wrinkles.
    pub(super) mask: Vec<u8>,
}

impl Relief {
    /// A surface of the given height at each place.
    pub(super) fn new(size: usize, height: impl Fn(Point) -> f32) -> Self {
        let mut relief = Self {
            size,
            height: vec![0.0; size * size],
            occlusion: vec![0.0; size * size],
            mask: vec![0; size * size],
        };
        for y in 0..size {
            for x in 0..size {
                relief.height[y * size + x] = height(relief.centre(x, y));
            }
        }
        relief
    }

    /// The middle of a pixel, picture widths.
    pub(super) fn centre(&self, x: usize, y: usize) -> Point {
        pt((x as f32 + 0.5) / self.size as f32, (y as f32 + 0.5) / self.size as f32)
    }

    /// Columns or rows within `reach` of `low..=high`, all in picture widths.
    pub(super) fn bounds(&self, low: f32, high: f32, reach: f32) -> std::ops::Range<usize> {
        let scale = self.size as f32;
        let bound = |v: f32| (v * scale).clamp(0.0, scale) as usize;
        bound(low - reach)..bound(high + reach + 1.0 / scale)
    }

    /// Raises a pixel (lowers it, if negative) and takes light from it (gives it, if negative). Where valleys cross, the
    /// stronger light or darkness counts.
    pub(super) fn carve(&mut self, (x, y): (usize, usize), height: f32, occlusion: f32) {
        let i = y * self.size + x;
        self.height[i] += height;
        if occlusion.abs() > self.occlusion[i].abs() {
            self.occlusion[i] = occlusion;
        }
    }

    pub(super) fn mark(&mut self, (x, y): (usize, usize)) {
        self.mask[y * self.size + x] = 1;
    }

    pub(super) fn occlusion(&self, (x, y): (usize, usize)) -> f32 {
        self.occlusion[y * self.size + x]
    }

    /// How the surface tilts at a pixel: the unit normal of a flat picture with this relief.
    pub(super) fn tilt(&self, (x, y): (usize, usize)) -> Point3 {
        let last = self.size - 1;
        let at = |x: usize, y: usize| self.height[y * self.size + x];
        let across = at((x + 1).min(last), y) - at(x.saturating_sub(1), y);
        let down = at(x, (y + 1).min(last)) - at(x, y.saturating_sub(1));
        let half = 0.5 * self.size as f32;
        pt3(-across * half, -down * half, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_tilts_by_its_steepness_at_every_size() {
        for size in [64, 256] {
            let relief = Relief::new(size, |p| 0.3 * p.x - 0.1 * p.y);
            let tilt = relief.tilt((size / 2, size / 2));
            assert!((tilt.x + 0.3).abs() < 1e-3 && (tilt.y - 0.1).abs() < 1e-3, "{tilt:?}");
        }
    }
}
