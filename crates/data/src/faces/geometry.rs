//! Points of the picture and of the head, and the pose that takes one to the other.

use std::ops::{Add, Mul, Sub};

/// A point or offset of the picture, or of a flat drawing: x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

/// A point or direction in space: x to the right of the picture, y down, z towards the viewer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point3 {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) z: f32,
}

/// Where the head stands in the picture and how it is turned.
///
/// Head units: 1 is half the head's height, the origin lies between the eyes inside the head.
#[derive(Debug, Clone)]
pub(super) struct Pose {
    /// Turn about the vertical axis, radians; positive looks to the right of the picture.
    pub(super) yaw: f32,
    /// Turn in the picture plane, radians; positive is clockwise.
    pub(super) roll: f32,
    /// Picture widths per head unit.
    pub(super) scale: f32,
    /// The head's origin in the picture, picture widths.
    pub(super) centre: Point,
    yaw_turn: Turn,
    pitch_turn: Turn,
    roll_turn: Turn,
}

/// A rotation of the plane, clockwise on the screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    sin: f32,
    cos: f32,
}

pub(super) fn pt(x: f32, y: f32) -> Point {
    Point { x, y }
}

pub(super) fn pt3(x: f32, y: f32, z: f32) -> Point3 {
    Point3 { x, y, z }
}

/// The value at `t` (0..=1) between two others.
pub(super) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

impl Turn {
    /// By an angle in radians.
    pub(super) fn by(angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { sin, cos }
    }

    pub(super) fn apply(self, p: Point) -> Point {
        pt(p.x * self.cos - p.y * self.sin, p.x * self.sin + p.y * self.cos)
    }

    pub(super) fn undo(self, p: Point) -> Point {
        pt(p.x * self.cos + p.y * self.sin, p.y * self.cos - p.x * self.sin)
    }
}

impl Pose {
    /// From yaw, pitch (positive looks down) and roll in radians.
    pub(super) fn new([yaw, pitch, roll]: [f32; 3], scale: f32, centre: Point) -> Self {
        let [yaw_turn, pitch_turn, roll_turn] = [yaw, pitch, roll].map(Turn::by);
        Self { yaw, roll, scale, centre, yaw_turn, pitch_turn, roll_turn }
    }

    /// A head point in the viewer's frame, head units.
    pub(super) fn camera(&self, p: Point3) -> Point3 {
        let across = self.yaw_turn.undo(pt(p.x, p.z));
        let along = self.pitch_turn.undo(pt(p.y, across.y));
        let turned = self.tilt(pt(across.x, along.x));
        pt3(turned.x, turned.y, along.y)
    }

    /// Where the picture shows a head point (parallel projection), picture widths.
    pub(super) fn project(&self, p: Point3) -> Point {
        let c = self.camera(p);
        self.centre + pt(c.x, c.y) * self.scale
    }

    /// A picture point in the head's upright frame: head units from its centre, roll undone.
    pub(super) fn upright(&self, p: Point) -> Point {
        self.roll_turn.undo((p - self.centre) * (1.0 / self.scale))
    }

    /// An offset turned by the roll.
    pub(super) fn tilt(&self, offset: Point) -> Point {
        self.roll_turn.apply(offset)
    }

    /// A length in head units, but at least `floor` picture widths, in picture widths.
    pub(super) fn length(&self, units: f32, floor: f32) -> f32 {
        (units * self.scale).max(floor)
    }
}

impl Point {
    /// Turned about the origin, radians, clockwise on the screen.
    pub(super) fn turn(self, angle: f32) -> Self {
        Turn::by(angle).apply(self)
    }

    pub(super) fn lerp(self, other: Self, t: f32) -> Self {
        self + (other - self) * t
    }

    pub(super) fn length(self) -> f32 {
        self.x.hypot(self.y)
    }

    /// Turned by a quarter, length 1; an offset of no length stays so.
    pub(super) fn normal(self) -> Self {
        let length = self.length().max(1e-9);
        pt(-self.y / length, self.x / length)
    }

    /// z of the cross product.
    pub(super) fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }
}

impl Point3 {
    pub(super) fn lerp(self, other: Self, t: f32) -> Self {
        pt3(mix(self.x, other.x, t), mix(self.y, other.y, t), mix(self.z, other.z, t))
    }

    pub(super) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub(super) fn unit(self) -> Self {
        self * (1.0 / self.dot(self).sqrt().max(1e-9))
    }

    /// The mirror image: the other side of the head.
    pub(super) fn mirrored(self) -> Self {
        pt3(-self.x, self.y, self.z)
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        pt(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        pt(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        pt(self.x * k, self.y * k)
    }
}

impl Add for Point3 {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        pt3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl Mul<f32> for Point3 {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        pt3(self.x * k, self.y * k, self.z * k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaw_moves_the_front_to_the_right_and_pitch_moves_it_down() {
        let front = |angles| Pose::new(angles, 0.5, pt(0.5, 0.5)).project(pt3(0.0, 0.0, 1.0));
        assert_eq!(front([0.0; 3]), pt(0.5, 0.5));
        assert!(front([0.3, 0.0, 0.0]).x > 0.6);
        assert!(front([0.0, 0.3, 0.0]).y > 0.6);
    }

    #[test]
    fn upright_undoes_place_scale_and_roll() {
        let pose = Pose::new([0.0, 0.0, 0.3], 0.4, pt(0.4, 0.6));
        let back = pose.upright(pose.project(pt3(0.3, -0.2, 0.9)));
        assert!((back - pt(0.3, -0.2)).length() < 1e-5);
    }
}
