//! One object: a shape at a place, with its surface and its shadow.

use crate::drawing::canvas::Canvas;
use crate::drawing::colour::{BLACK, Rgb};
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Turn, pt, pt3};
use crate::drawing::light::Light;
use crate::drawing::mask::Mask;
use crate::drawing::path::Path;

use super::outline::Outline;
use super::surface::Surface;

#[derive(Debug, Clone)]
pub(super) struct Object {
    /// 1..=20.
    pub(super) label: u8,
    pub(super) centre: Point,
    /// In picture widths.
    pub(super) radius: f32,
    /// In radians.
    angle: f32,
    /// Width over height.
    stretch: f32,
    surface: Surface,
}

impl Object {
    pub(super) fn draw(dice: &mut Dice, label: u8, centre: Point, radius: f32) -> Self {
        let (angle, stretch) = (dice.normal(0.0, 0.3), dice.range(0.85, 1.18));
        Self { label, centre, radius, angle, stretch, surface: Surface::draw(dice, label) }
    }

    /// Paints the object's shadow and then the object, as number `number` of the scene.
    pub(super) fn paint(&self, canvas: &mut Canvas, number: u8, light: &Light) {
        let away = pt(-light.towards.x, -light.towards.y) * (0.22 * self.radius);
        // Rising from below, each larger and fainter than the next: a soft border.
        for (grown, opacity) in [(1.1, 0.1), (1.03, 0.13), (0.96, 0.16)] {
            let shadow = self.mask(canvas, away, grown);
            canvas.tint(&shadow, |_| (BLACK, opacity));
        }
        let (mask, turn) = (self.mask(canvas, pt(0.0, 0.0), 1.0), Turn::by(self.angle));
        canvas.paint(&mask, number, |p| self.ink(turn, light, p));
    }

    /// What the object covers, moved and grown.
    fn mask(&self, canvas: &Canvas, by: Point, grown: f32) -> Mask {
        let turn = Turn::by(self.angle);
        let place = |q: Point| {
            self.centre + by + turn.apply(pt(q.x * self.stretch, q.y / self.stretch)) * (grown * self.radius)
        };
        let placed = |paths: Vec<Path>| -> Vec<Path> {
            paths
                .into_iter()
                .map(|path| Path::polygon(path.points.into_iter().map(place).collect()))
                .collect()
        };
        let Outline { solid, holes } = Outline::of(self.label);
        canvas.mask(&placed(solid)).without(&canvas.mask(&placed(holes)))
    }

    /// A slightly domed surface under the scene's lamp.
    fn ink(&self, turn: Turn, light: &Light, p: Point) -> Rgb {
        let off = (p - self.centre) * (1.0 / self.radius);
        let normal = pt3(0.45 * off.x, 0.45 * off.y, 1.0).unit();
        let gloss = 0.25 * light.gloss(normal, 24);
        self.surface.at(turn.undo(off)).times(light.on(normal)) + Rgb([gloss; 3])
    }
}
