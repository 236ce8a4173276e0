//! Closed outlines: smooth curves, tapered strokes, ellipses, hulls.

use std::f32::consts::TAU;

use super::geometry::{Point, pt};

/// A closed polygon in picture widths; the last point joins the first. Its turning sense is always the same, so
/// that several paths rasterised together form their union.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) points: Vec<Point>,
}

/// Straight pieces between two control points of a curve.
const PIECES: usize = 7;

impl Path {
    pub(crate) fn polygon(mut points: Vec<Point>) -> Self {
        let area: f32 = (0..points.len()).map(|i| points[i].cross(points[(i + 1) % points.len()])).sum();
        if area < 0.0 {
            points.reverse();
        }
        Self { points }
    }

    /// A closed Catmull-Rom curve through the points.
    pub(crate) fn smooth(through: &[Point]) -> Self {
        let n = through.len();
        let at = |i: usize| through[i % n];
        let piece = |i: usize| spline([at(i + n - 1), at(i), at(i + 1), at(i + 2)]);
        Self::polygon((0..n).flat_map(piece).collect())
    }

    pub(crate) fn ellipse(centre: Point, radius_x: f32, radius_y: f32, angle: f32) -> Self {
        let at = |i: usize| {
            let (s, c) = (TAU * i as f32 / 36.0).sin_cos();
            centre + pt(radius_x * c, radius_y * s).turn(angle)
        };
        Self::polygon((0..36).map(at).collect())
    }

    pub(crate) fn disc(centre: Point, radius: f32) -> Self {
        Self::ellipse(centre, radius, radius, 0.0)
    }

    /// A line with width: `width(t)` is the full width at `t`, 0 at the line's start and 1 at its end.
    pub(crate) fn stroke(line: &[Point], width: impl Fn(f32) -> f32) -> Self {
        let last = line.len() - 1;
        let side = |i: usize| {
            let along = line[(i + 1).min(last)] - line[i.saturating_sub(1)];
            along.normal() * (0.5 * width(i as f32 / last as f32))
        };
        let left = (0..=last).map(|i| line[i] + side(i));
        let right = (0..=last).rev().map(|i| line[i] - side(i));
        Self::polygon(left.chain(right).collect())
    }

    /// The area between two lines that run the same way.
    pub(crate) fn between(a: &[Point], b: &[Point]) -> Self {
        Self::polygon(a.iter().chain(b.iter().rev()).copied().collect())
    }

    /// The convex hull (monotone chain).
    pub(crate) fn hull(mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
        let lower = chain(points.iter().copied());
        let upper = chain(points.iter().rev().copied());
        Self::polygon(lower.into_iter().chain(upper).collect())
    }

    /// Points at even steps along the outline.
    pub(crate) fn resampled(&self, count: usize) -> Vec<Point> {
        let n = self.points.len();
        let lengths: Vec<f32> =
            (0..n).map(|i| (self.points[(i + 1) % n] - self.points[i]).length()).collect();
        let step = lengths.iter().sum::<f32>() / count as f32;
        let (mut edge, mut passed) = (0, 0.0);
        let mut out = Vec::with_capacity(count);
        for k in 0..count {
            let target = k as f32 * step;
            while edge + 1 < n && passed + lengths[edge] < target {
                passed += lengths[edge];
                edge += 1;
            }
            let t = (target - passed) / lengths[edge].max(1e-9);
            out.push(self.points[edge].lerp(self.points[(edge + 1) % n], t.min(1.0)));
        }
        out
    }
}

/// An open Catmull-Rom curve through the points, as a line.
pub(crate) fn curve(through: &[Point]) -> Vec<Point> {
    let last = through.len() as isize - 1;
    let at = |i: isize| through[i.clamp(0, last) as usize];
    let mut line: Vec<Point> =
        (0..last).flat_map(|i| spline([at(i - 1), at(i), at(i + 1), at(i + 2)])).collect();
    line.push(at(last));
    line
}

/// The piece of a Catmull-Rom spline from the second to the third point, without its end.
fn spline([a, b, c, d]: [Point; 4]) -> impl Iterator<Item = Point> {
    (0..PIECES).map(move |k| {
        let t = k as f32 / PIECES as f32;
        let (t2, t3) = (t * t, t * t * t);
        a * (0.5 * (2.0 * t2 - t3 - t))
            + b * (0.5 * (2.0 - 5.0 * t2 + 3.0 * t3))
            + c * (0.5 * (t + 4.0 * t2 - 3.0 * t3))
            + d * (0.5 * (t3 - t2))
    })
}

/// One half of a convex hull, without its last point.
fn chain(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut out: Vec<Point> = Vec::new();
    for p in points {
        while let [.., a, b] = out[..]
            && (b - a).cross(p - a) <= 0.0
        {
            out.pop();
        }
        out.push(p);
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_passes_its_points() {
        let points = [pt(0.0, 0.0), pt(1.0, 2.0), pt(3.0, 1.0)];
        let line = curve(&points);
        assert_eq!((line[0], line[PIECES], line[2 * PIECES]), (points[0], points[1], points[2]));
    }

    #[test]
    fn a_hull_drops_inner_points() {
        let square = vec![pt(0.0, 0.0), pt(1.0, 0.0), pt(0.4, 0.5), pt(1.0, 1.0), pt(0.0, 1.0), pt(0.5, 0.0)];
        assert_eq!(Path::hull(square).points.len(), 4);
    }

    #[test]
    fn resampling_keeps_even_steps() {
        let square = Path::polygon(vec![pt(0.0, 0.0), pt(1.0, 0.0), pt(1.0, 1.0), pt(0.0, 1.0)]);
        let points = square.resampled(8);
        assert!(points.windows(2).all(|w| ((w[1] - w[0]).length() - 0.5).abs() < 1e-5));
    }
}
