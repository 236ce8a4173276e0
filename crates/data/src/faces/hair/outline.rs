//! Where hair begins and ends: the window for the face, and the edges of what falls.

use super::{Fringe, Hair};
use crate::faces::dice::Dice;
use crate::faces::geometry::{Point, Point3, mix, pt, pt3};
use crate::faces::head::Sitter;
use crate::faces::path::curve;

impl Hair {
    /// The outline of what the cap leaves free: forehead, cheeks, and all below the nape.
    pub(super) fn window(&self, sitter: &Sitter) -> Vec<Point> {
        let c = sitter.head.cheek;
        let raise = 0.02;
        let side = |side: f32| {
            let front = [
                (0.56 * c / 0.7, -0.40),
                (0.62 * c / 0.7, -0.2),
                (0.645 * c / 0.7, 0.0),
                (0.655 * c / 0.7, 0.16),
            ];
            // On the far side the face has no hair before its outline below the temple.
            let far = (side * sitter.pose.yaw - 0.08).max(0.0);
            let push = |y: f32| 2.0 * far * (y + 0.3).max(0.0);
            let line: Vec<Point> =
                front.iter().map(|&(x, y)| sitter.at(side * (x + push(y)), y, raise)).collect();
            if far > 0.0 {
                return (line, vec![sitter.pose.project(pt3(side * 2.4, 0.3, 0.3))]);
            }
            let below =
                [pt3(c, 0.24, 0.02), pt3(c, 0.36, -0.2), pt3(0.9 * c, 0.55, -0.55), pt3(1.7, 0.75, -0.6)];
            (line, below.iter().map(|p| sitter.pose.project(pt3(side * p.x, p.y, p.z))).collect())
        };
        let ((mut left, left_below), (right, right_below)) = (side(-1.0), side(1.0));
        left.reverse();
        let front = [left, self.top_of_window(sitter, raise), right].concat();
        let mut line: Vec<Point> =
            left_below.into_iter().rev().chain(curve(&front)).chain(right_below).collect();
        let far = |x: f32| sitter.pose.centre + pt(x, 3.0).turn(sitter.pose.roll) * sitter.pose.scale;
        line.extend([far(3.0), far(-3.0)]);
        line
    }

    /// The hairline from left to right.
    fn top_of_window(&self, sitter: &Sitter, raise: f32) -> Vec<Point> {
        let h = self.hairline;
        let mut dice = Dice::of_texture(self.texture ^ 1);
        let mut tooth =
            |k: usize| if k.is_multiple_of(2) { dice.range(0.0, 0.05) } else { dice.range(-0.05, 0.0) };
        match self.fringe {
            Fringe::None => {
                let dip = if self.part == 0.0 { 0.0 } else { 0.03 };
                let half = [
                    (-0.47, 0.76 * h),
                    (-0.3, 0.95 * h),
                    (self.part * 0.35, h + dip),
                    (0.3, 0.95 * h),
                    (0.47, 0.76 * h),
                ];
                half.iter().map(|&(x, y)| sitter.at(x, -y, raise)).collect()
            }
            Fringe::Straight => (0..=12)
                .map(|k| (k, k as f32 / 6.0 - 1.0))
                .map(|(k, x)| sitter.at(0.5 * x, -0.33 + 0.05 * x * x + tooth(k), raise + 0.05))
                .collect(),
            Fringe::Swept(to) => (0..=10)
                .map(|k| (k, k as f32 / 5.0 - 1.0))
                .map(|(k, x)| {
                    let along = 0.5 + 0.5 * x * to;
                    let y = -mix(h + 0.03, 0.27, along.powf(1.5)) + 0.5 * tooth(k);
                    sitter.at(0.5 * x, y, raise + 0.04)
                })
                .collect(),
        }
    }

    /// A line from points at the head down to a free end: from `side` on the hair hangs and swings.
    pub(super) fn fall(&self, sitter: &Sitter, from: &[Point3], side: Point3, end: f32) -> Vec<Point> {
        let mut points: Vec<Point> = from.iter().map(|&p| sitter.pose.project(p)).collect();
        let hook = sitter.pose.project(side);
        let length = (end - side.y).max(0.1);
        points.push(hook);
        for k in 1..=6 {
            let t = k as f32 / 6.0;
            let swing = self.wave.0 * t.sqrt() * (self.wave.1 + 5.0 * t * length).sin();
            points.push(hook + pt(swing, t * length).turn(0.35 * sitter.pose.roll) * sitter.pose.scale);
        }
        curve(&points)
    }

    pub(super) fn inner_edge(&self, sitter: &Sitter, side: f32, volume: f32, end: f32) -> Vec<Point> {
        let c = sitter.head.cheek;
        let from = [
            sitter.head.skull(pt3(self.part * 0.9, -1.0, 0.45), volume),
            sitter.on_face(side * 0.40, -0.60, 0.06),
            sitter.on_face(side * (0.60 * c / 0.7 - 0.5 * self.cover), -0.25, 0.08),
        ];
        self.fall(sitter, &from, pt3(side * (c - 0.07 - self.cover), 0.15, 0.34), end)
    }

    pub(super) fn outer_edge(&self, sitter: &Sitter, side: f32, volume: f32, end: f32) -> Vec<Point> {
        let skull = |x: f32, y: f32, z: f32| sitter.head.skull(pt3(x, y, z), volume * 0.9);
        let from = [skull(self.part * 0.9, -1.0, 0.1), skull(side * 0.8, -0.7, 0.1), skull(side, -0.1, 0.1)];
        self.fall(sitter, &from, pt3(side * (sitter.head.cheek + volume + 0.06), 0.15, 0.0), end - 0.08)
    }
}
