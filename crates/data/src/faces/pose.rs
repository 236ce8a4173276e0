//! The pose that takes points of the head to the picture.

use super::geometry::{Point, Point3, Turn, pt, pt3};

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
