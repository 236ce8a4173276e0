//! The sitter: the shape of the head and what all parts share.

use std::f32::consts::TAU;

use super::canvas::{Blob, Canvas};
use super::class;
use super::colour::{self, Rgb};
use super::dice::Dice;
use super::geometry::{Point, Point3, mix, pt, pt3};
use super::light::Light;
use super::mask::Mask;
use super::noise::noise;
use super::path::{Path, curve};
use super::pose::Pose;

/// What every part of a portrait needs to know.
#[derive(Debug, Clone)]
pub(super) struct Sitter {
    pub(super) pose: Pose,
    pub(super) light: Light,
    pub(super) head: Head,
    pub(super) skin: Rgb,
    /// Natural colour of the hair.
    pub(super) hair: Rgb,
    /// Broad jaw, strong neck and perhaps a beard.
    pub(super) masculine: bool,
    /// 0 young to 1 old.
    pub(super) age: f32,
    /// Seed of the skin's grain.
    grain: u32,
}

/// The shape of the head, head units.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// Half width at the cheekbones.
    pub(super) cheek: f32,
    /// Half width at the corners of the jaw.
    jaw: f32,
    /// Half width of the chin.
    chin: f32,
    /// How far the chin lies below the eyes.
    pub(super) length: f32,
    /// How far the crown lies above the eyes.
    crown: f32,
}

impl Sitter {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let masculine = dice.chance(0.5);
        let age = dice.range(0.0, 1.0).powf(1.5);
        Self {
            pose: draw_pose(dice),
            light: Light::draw(dice),
            head: Head::draw(dice, masculine),
            skin: colour::skin(dice),
            hair: colour::hair(dice, age),
            masculine,
            age,
            grain: dice.word(),
        }
    }

    /// A point of the face by its place in a frontal drawing (head units), raised above the skin by `relief`.
    pub(super) fn on_face(&self, x: f32, y: f32, relief: f32) -> Point3 {
        self.head.surface(x, y) + pt3(0.0, 0.0, relief)
    }

    /// Where the picture shows [`Sitter::on_face`].
    pub(super) fn at(&self, x: f32, y: f32, relief: f32) -> Point {
        self.pose.project(self.on_face(x, y, relief))
    }

    /// Several points of the face at one relief.
    pub(super) fn all_at(&self, points: &[(f32, f32)], relief: f32) -> Vec<Point> {
        points.iter().map(|&(x, y)| self.at(x, y, relief)).collect()
    }

    /// A smooth line over the face.
    pub(super) fn line(&self, points: &[(f32, f32)], relief: f32) -> Vec<Point> {
        curve(&self.all_at(points, relief))
    }

    /// A step down the head, head units, as an offset in the picture.
    pub(super) fn down(&self, units: f32) -> Point {
        self.pose.tilt(pt(0.0, units * self.pose.scale))
    }

    /// A soft spot on the face with half axes in head units.
    pub(super) fn spot(&self, (x, y): (f32, f32), relief: f32, (rx, ry): (f32, f32)) -> Blob {
        let across = (self.at(x + rx, y, relief) - self.at(x - rx, y, relief)) * 0.5;
        let radius_x = across.length().max(0.3 * rx * self.pose.scale);
        let centre = self.at(x, y, relief);
        Blob { centre, radius_x, radius_y: ry * self.pose.scale, angle: self.pose.roll }
    }

    /// The unit normal of the head as a rounded body at a picture point, in the viewer's frame.
    pub(super) fn normal(&self, p: Point) -> Point3 {
        let q = self.pose.upright(p);
        let (x, y) = (q.x / (1.25 * self.head.cheek), (q.y + 0.03) / 1.25);
        let shrink = 0.97 / (x * x + y * y).sqrt().max(0.97);
        let flat = self.pose.tilt(pt(x * shrink, y * shrink));
        pt3(flat.x, flat.y, (1.0 - flat.x * flat.x - flat.y * flat.y).max(0.0).sqrt())
    }

    /// The colour of lit skin at a picture point.
    pub(super) fn skin_ink(&self, p: Point) -> Rgb {
        let normal = self.normal(p);
        let q = self.pose.upright(p);
        let grain = 0.97 + 0.06 * noise(8.0 * q.x, 8.0 * q.y, self.grain);
        let shine = 0.10 * self.light.gloss(normal, 24);
        self.skin.times(self.light.on(normal)) * grain + WARM_WHITE * shine
    }

    /// Skin in shadow: for folds, creases and nostrils.
    pub(super) fn shadow(&self, depth: f32) -> Rgb {
        self.skin.times(Rgb([1.0 - 0.75 * depth, 1.0 - 0.9 * depth, 1.0 - 0.92 * depth]))
    }

    /// Bright spots of skin.
    pub(super) fn bright(&self) -> Rgb {
        self.skin * 1.28 + WARM_WHITE * 0.07
    }

    /// Side of the picture (-1 left, 1 right) where a cast shadow falls.
    pub(super) fn shadow_side(&self) -> f32 {
        -self.light.towards.x.signum()
    }

    /// The whole head without hair.
    pub(super) fn silhouette(&self, canvas: &Canvas) -> Mask {
        let points = self.head.hull_points().into_iter().map(|p| self.pose.project(p)).collect();
        let hull = Path::hull(points).resampled(44);
        canvas.mask(&[Path::smooth(&hull)])
    }

    /// The bare head with the modelling of its face; `head` is [`Sitter::silhouette`].
    pub(super) fn paint(&self, canvas: &mut Canvas, head: &Mask) {
        canvas.paint(head, class::SKIN, |p| self.skin_ink(p));
        let mut glow =
            |at, size, colour, strength| canvas.glow(self.spot(at, 0.0, size), colour, strength, head);
        let flush = self.skin.mix(Rgb([0.85, 0.25, 0.22]), 0.35);
        for side in [-1.0, 1.0] {
            glow((0.42 * side, 0.36), (0.26, 0.2), flush, 0.35);
            glow((0.40 * side, 0.22), (0.2, 0.1), self.bright(), 0.22);
            glow((0.30 * side, -0.03), (0.27, 0.17), self.shadow(0.5), 0.35);
            glow((0.66 * side, 0.62), (0.25, 0.4), self.shadow(0.5), 0.3);
            glow((0.30 * side, 0.15), (0.15, 0.05), self.shadow(0.45), mix(0.1, 0.4, self.age));
        }
        glow((0.0, -0.45), (0.4, 0.2), self.bright(), 0.25);
        glow((0.0, 0.86), (0.2, 0.06), self.shadow(0.5), 0.3);
        glow((0.0, 0.95), (0.16, 0.09), self.bright(), 0.25);
        self.paint_lines(canvas, head);
    }

    /// The lines of age.
    fn paint_lines(&self, canvas: &mut Canvas, head: &Mask) {
        let depth = ((self.age - 0.35) * 0.9).clamp(0.0, 0.5);
        if depth == 0.0 {
            return;
        }
        for side in [-1.0, 1.0] {
            let fold = self.line(&[(0.17 * side, 0.42), (0.27 * side, 0.52), (0.34 * side, 0.68)], 0.03);
            self.crease(canvas, head, &fold, 0.035, depth);
        }
        for y in [-0.40, -0.48] {
            let furrow = self.line(&[(-0.3, y + 0.02), (-0.1, y), (0.1, y), (0.3, y + 0.02)], 0.0);
            self.crease(canvas, head, &furrow, 0.022, 0.5 * depth);
        }
    }

    /// A soft dark line on the skin, its greatest width in head units.
    pub(super) fn crease(&self, canvas: &mut Canvas, within: &Mask, line: &[Point], width: f32, depth: f32) {
        let stroke = Path::stroke(line, |t| self.pose.scale * width * (4.0 * t * (1.0 - t)).sqrt());
        let mask = canvas.mask(&[stroke]).within(within);
        canvas.tint(&mask, |_| (self.shadow(0.7), depth));
    }

    /// Strand-like variation of brightness, fanning out from above the crown, about -0.5..=0.5.
    pub(super) fn strand_noise(&self, p: Point, fineness: f32, seed: u32) -> f32 {
        let q = self.pose.upright(p);
        noise(q.x / (q.y + 2.1).max(0.5) * fineness * 1.6, q.y * 1.3, seed) - 0.5
    }
}

/// Highlights on skin.
const WARM_WHITE: Rgb = Rgb([1.0, 0.95, 0.88]);

fn draw_pose(dice: &mut Dice) -> Pose {
    let yaw = if dice.chance(0.55) { dice.normal(0.0, 0.14) } else { dice.range(-0.62, 0.62) };
    let roll = if dice.chance(0.7) { dice.normal(0.0, 0.08) } else { dice.range(-0.35, 0.35) };
    let pitch = dice.normal(0.0, 0.11).clamp(-0.28, 0.28);
    let scale = if dice.chance(0.07) { dice.range(0.41, 0.5) } else { dice.range(0.30, 0.41) };
    let spread = if dice.chance(0.15) { 2.4 } else { 1.0 };
    let centre = pt(dice.normal(0.5, 0.035 * spread), dice.normal(0.44, 0.03 * spread));
    Pose::new([yaw, pitch, roll.clamp(-0.35, 0.35)], scale, centre)
}

impl Head {
    fn draw(dice: &mut Dice, masculine: bool) -> Self {
        let cheek = dice.range(0.66, 0.76);
        let width = if masculine { dice.range(0.80, 0.93) } else { dice.range(0.70, 0.85) };
        let chin = if masculine { dice.range(0.20, 0.33) } else { dice.range(0.13, 0.24) };
        Self {
            cheek,
            jaw: cheek * width,
            chin,
            length: dice.range(0.95, 1.07),
            crown: dice.range(0.93, 1.01),
        }
    }

    /// The front of the head: the point over a place of the frontal drawing.
    fn surface(&self, x: f32, y: f32) -> Point3 {
        let (u, v) = ((x / (1.03 * self.cheek)).abs(), ((y + 0.1) / 1.35).abs());
        let depth = (1.0 - u.powf(2.4) - v.powi(3)).max(0.0).sqrt();
        pt3(x, y, 0.78 * depth)
    }

    /// The skull grown by `volume` in a direction from its middle.
    pub(super) fn skull(&self, direction: Point3, volume: f32) -> Point3 {
        let d = direction.unit();
        let middle = -0.28;
        let centre = pt3(0.0, middle, -0.12);
        let (x, y, z) = (self.cheek * 0.99 + volume, self.crown + middle + volume, 0.84 + volume);
        centre + pt3(x * d.x, y * d.y, z * d.z)
    }

    /// Directions spread over a sphere, from the crown down to `lowest` (-1 crown to 1 below).
    pub(super) fn directions(lowest: f32) -> impl Iterator<Item = Point3> {
        (0..9).flat_map(move |i| {
            let y = mix(-1.0, lowest, (i as f32 / 8.0).powf(1.3));
            let ring = (1.0 - y * y).max(0.0).sqrt();
            (0..18).map(move |k| {
                let (s, c) = (TAU * k as f32 / 18.0).sin_cos();
                pt3(ring * s, y, ring * c)
            })
        })
    }

    /// Points whose projection has the head's silhouette as its hull.
    fn hull_points(&self) -> Vec<Point3> {
        let side = [
            pt3(self.cheek, 0.05, 0.0),
            pt3(self.cheek * 0.985, 0.25, 0.05),
            pt3(mix(self.cheek, self.jaw, 0.6), 0.45, 0.05),
            pt3(self.jaw * 0.98, 0.62, 0.08),
            pt3(mix(self.jaw, self.chin, 0.42), 0.80 * self.length, 0.22),
            pt3(mix(self.jaw, self.chin, 0.8), 0.93 * self.length, 0.38),
            pt3(self.chin * 0.75, 0.985 * self.length, 0.5),
            pt3(0.0, self.length, 0.54),
            pt3(self.cheek * 0.84, 0.12, 0.46),
            pt3(self.cheek * 0.62, 0.45, 0.52),
            pt3(self.chin, 0.80, 0.56),
        ];
        let skull = Self::directions(0.75).map(|d| self.skull(d, 0.0));
        side.iter().flat_map(|p| [*p, p.mirrored()]).chain(skull).collect()
    }
}
