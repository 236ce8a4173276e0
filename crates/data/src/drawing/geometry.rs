//! Points, offsets and turns in the plane and in space.

use std::ops::{Add, Mul, Sub};

/// A point or offset of the picture, or of a flat drawing: x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

/// A point or direction in space: x to the right of the picture, y down, z towards the viewer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point3 {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) z: f32,
}

/// A rotation of the plane, clockwise on the screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    sin: f32,
    cos: f32,
}

pub(crate) fn pt(x: f32, y: f32) -> Point {
    Point { x, y }
}

pub(crate) fn pt3(x: f32, y: f32, z: f32) -> Point3 {
    Point3 { x, y, z }
}

/// The value at `t` (0..=1) between two others.
pub(crate) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

impl Turn {
    /// By an angle in radians.
    pub(crate) fn by(angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { sin, cos }
    }

    pub(crate) fn apply(self, p: Point) -> Point {
        pt(p.x * self.cos - p.y * self.sin, p.x * self.sin + p.y * self.cos)
    }

    pub(crate) fn undo(self, p: Point) -> Point {
        pt(p.x * self.cos + p.y * self.sin, p.y * self.cos - p.x * self.sin)
    }
}

impl Point {
    /// Turned about the origin, radians, clockwise on the screen.
    pub(crate) fn turn(self, angle: f32) -> Self {
        Turn::by(angle).apply(self)
    }

    pub(crate) fn lerp(self, other: Self, t: f32) -> Self {
        self + (other - self) * t
    }

    pub(crate) fn length(self) -> f32 {
        self.x.hypot(self.y)
    }

    /// Turned by a quarter, length 1; an offset of no length stays so.
    pub(crate) fn normal(self) -> Self {
        let length = self.length().max(1e-9);
        pt(-self.y / length, self.x / length)
    }

    /// z of the cross product.
    pub(crate) fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }
}

impl Point3 {
    pub(crate) fn lerp(self, other: Self, t: f32) -> Self {
        pt3(mix(self.x, other.x, t), mix(self.y, other.y, t), mix(self.z, other.z, t))
    }

    pub(crate) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub(crate) fn unit(self) -> Self {
        self * (1.0 / self.dot(self).sqrt().max(1e-9))
    }

    /// The mirror image, left and right exchanged.
    pub(crate) fn mirrored(self) -> Self {
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
    fn a_turn_is_clockwise_on_the_screen_and_can_be_undone() {
        let quarter = Turn::by(std::f32::consts::FRAC_PI_2);
        assert!((quarter.apply(pt(1.0, 0.0)) - pt(0.0, 1.0)).length() < 1e-6);
        assert!((quarter.undo(quarter.apply(pt(0.3, -0.7))) - pt(0.3, -0.7)).length() < 1e-6);
    }
}
