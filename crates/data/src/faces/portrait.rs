//! A sitter without hair, for sets that grow their own: painted in steps, between which hair goes.

use super::backdrop::Backdrop;
use super::beard::Beard;
use super::brows::Brows;
use super::canvas::Canvas;
use super::class;
use super::clothes::Clothes;
use super::colour::Rgb;
use super::dice::Dice;
use super::ears::Ears;
use super::eyes::Eyes;
use super::geometry::{Point, Point3, pt, pt3};
use super::glasses::Glasses;
use super::hat::Hat;
use super::head::Sitter;
use super::light::Light;
use super::mouth::Mouth;
use super::nose::Nose;
use super::pose::Pose;
use super::torso::Torso;

/// Everything of a portrait besides the hair on the head. Lengths are in head units: 1 is half the head's height.
#[derive(Debug, Clone)]
pub(crate) struct Portrait {
    sitter: Sitter,
    backdrop: Backdrop,
    torso: Torso,
    clothes: Clothes,
    ears: Ears,
    beard: Option<Beard>,
    mouth: Mouth,
    eyes: Eyes,
    brows: Brows,
    nose: Nose,
    glasses: Option<Glasses>,
    hat: Option<Hat>,
}

/// How the sitter stands before the camera.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stance {
    /// Yaw, pitch and roll, radians. A yaw of half a turn shows the back of the head.
    pub(crate) angles: [f32; 3],
    /// Picture widths per head unit.
    pub(crate) scale: f32,
    /// The middle of the head, picture widths.
    pub(crate) centre: Point,
}

/// What the sitter wears and grows besides hair on the head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks {
    pub(crate) masculine: bool,
    pub(crate) beard: bool,
    pub(crate) hat: bool,
    /// Of brows and beard too.
    pub(crate) hair: Rgb,
}

impl Portrait {
    /// The label of hair; all others are of other parts.
    pub(crate) const HAIR: u8 = class::HAIR;

    pub(crate) fn draw(dice: &mut Dice, stance: Stance, looks: Looks) -> Self {
        let pose = Pose::new(stance.angles, stance.scale, stance.centre);
        let mut sitter = Sitter::draw(dice);
        (sitter.pose, sitter.masculine, sitter.hair) = (pose, looks.masculine, looks.hair);
        Self {
            backdrop: Backdrop::draw(dice, sitter.skin),
            torso: Torso::draw(dice, &sitter),
            clothes: Clothes::draw(dice, &sitter),
            ears: Ears::draw(dice, &sitter),
            beard: looks.beard.then(|| Beard::draw(dice, &sitter)),
            mouth: Mouth::draw(dice, &sitter),
            eyes: Eyes::draw(dice, &sitter),
            brows: Brows::draw(dice, &sitter),
            nose: Nose::draw(dice),
            glasses: dice.chance(0.2).then(|| Glasses::draw(dice)),
            hat: looks.hat.then(|| Hat::draw(dice)),
            sitter,
        }
    }

    pub(crate) fn paint_backdrop(&self, canvas: &mut Canvas) {
        self.backdrop.paint(canvas);
    }

    /// The far side of a hat's brim.
    pub(crate) fn paint_hat_back(&self, canvas: &mut Canvas) {
        if let Some(hat) = &self.hat {
            hat.paint_back(&self.sitter, canvas);
        }
    }

    /// Neck, shoulders, clothes, and the ears that the head hides.
    pub(crate) fn paint_body(&self, canvas: &mut Canvas) {
        self.torso.paint(&self.sitter, canvas);
        self.clothes.paint(&self.sitter, &self.torso, canvas);
        self.paint_ears(canvas, true);
    }

    /// The bald head from before, with its near ears.
    pub(crate) fn paint_face(&self, canvas: &mut Canvas) {
        let (sitter, head) = (&self.sitter, self.sitter.silhouette(canvas));
        sitter.paint(canvas, &head);
        if let Some(beard) = &self.beard {
            beard.paint(sitter, canvas, &head);
        }
        self.mouth.paint(sitter, canvas, &head);
        self.eyes.paint(sitter, canvas, &head);
        self.brows.paint(sitter, canvas);
        self.nose.paint(sitter, canvas, &head);
        self.paint_ears(canvas, false);
    }

    /// The bald head from behind.
    pub(crate) fn paint_nape(&self, canvas: &mut Canvas) {
        let head = self.sitter.silhouette(canvas);
        canvas.paint(&head, class::SKIN, |p| self.sitter.skin_ink(p));
    }

    pub(crate) fn paint_glasses(&self, canvas: &mut Canvas) {
        if let Some(glasses) = &self.glasses {
            glasses.paint(&self.sitter, canvas);
        }
    }

    pub(crate) fn paint_hat(&self, canvas: &mut Canvas) {
        if let Some(hat) = &self.hat {
            hat.paint(&self.sitter, canvas, &self.sitter.silhouette(canvas));
        }
    }

    fn paint_ears(&self, canvas: &mut Canvas, behind: bool) {
        for side in [-1.0, 1.0] {
            if Ears::is_behind(&self.sitter, side) == behind {
                self.ears.paint(&self.sitter, canvas, side);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn is_bearded(&self) -> bool {
        self.beard.is_some()
    }

    #[cfg(test)]
    pub(crate) fn has_hat(&self) -> bool {
        self.hat.is_some()
    }

    /// Where the picture shows a point of the head, picture widths, and how near it is to the viewer, head units.
    pub(crate) fn seen(&self, p: Point3) -> (Point, f32) {
        (self.sitter.pose.project(p), self.sitter.pose.camera(p).z)
    }

    /// The scalp in a direction from the skull's middle, raised by `lift`; below the middle it goes straight down to the
    /// nape.
    pub(crate) fn scalp(&self, direction: Point3, lift: f32) -> Point3 {
        let d = direction.unit();
        if d.y <= 0.0 {
            return self.sitter.head.skull(d, lift);
        }
        let around = self.sitter.head.skull(pt3(d.x, 0.0, d.z), lift);
        around + pt3(-0.1 * d.y * around.x, d.y, -0.15 * d.y * around.z)
    }

    /// A point of the face by its place in a frontal drawing, raised by `relief`.
    pub(crate) fn face(&self, x: f32, y: f32, relief: f32) -> Point3 {
        self.sitter.on_face(x, y, relief)
    }

    /// A point of the body, whose origin is the pit of the neck.
    pub(crate) fn body(&self, x: f32, y: f32) -> Point {
        self.torso.at(x, y)
    }

    /// A picture point in the head's upright frame.
    pub(crate) fn upright(&self, p: Point) -> Point {
        self.sitter.pose.upright(p)
    }

    /// The normal of the head at a picture point; hair below the chin hangs like its lower edge.
    pub(crate) fn normal(&self, p: Point) -> Point3 {
        let q = self.sitter.pose.upright(p);
        let level = pt(q.x, q.y.min(0.1));
        self.sitter.normal(self.sitter.pose.centre + self.sitter.pose.tilt(level * self.sitter.pose.scale))
    }

    pub(crate) fn light(&self) -> &Light {
        &self.sitter.light
    }

    pub(crate) fn skin(&self) -> Rgb {
        self.sitter.skin
    }

    /// Half width at the cheekbones.
    pub(crate) fn cheek(&self) -> f32 {
        self.sitter.head.cheek
    }

    /// Picture widths per head unit.
    pub(crate) fn scale(&self) -> f32 {
        self.sitter.pose.scale
    }

    /// Turn about the vertical axis, radians; positive looks to the right of the picture.
    pub(crate) fn yaw(&self) -> f32 {
        self.sitter.pose.yaw
    }

    /// Turn in the picture plane, radians, clockwise.
    pub(crate) fn roll(&self) -> f32 {
        self.sitter.pose.roll
    }
}
