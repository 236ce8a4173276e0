//! A picture of shapes: everything drawn from chance first, then painted at any size.

use image::{GrayImage, Luma, RgbImage};

use super::VOID;
use super::object::Object;
use crate::drawing::canvas::{Blob, Canvas};
use crate::drawing::colour::Rgb;
use crate::drawing::dice::Dice;
use crate::drawing::geometry::{Point, Turn, pt};
use crate::drawing::light::Light;
use crate::drawing::noise::clouds;
use crate::drawing::path::Path;
use crate::drawing::sensor::Sensor;

#[derive(Debug, Clone)]
pub(super) struct Scene {
    light: Light,
    backdrop: Backdrop,
    /// From back to front.
    objects: Vec<Object>,
    sensor: Sensor,
}

/// What is behind all objects: two muted tones in a pattern, and soft spots of any colour.
#[derive(Debug, Clone)]
struct Backdrop {
    tones: [Rgb; 2],
    texture: Texture,
    turn: Turn,
    noise: u32,
    spots: Vec<(Blob, Rgb, f32)>,
}

#[derive(Debug, Clone, Copy)]
enum Texture {
    Fade,
    Clouds(f32),
    Stripes(f32),
    Tiles(f32),
}

impl Scene {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let (light, backdrop) = (Light::draw(dice), Backdrop::draw(dice));
        let mut objects: Vec<Object> = Vec::new();
        for _ in 0..3 + dice.below(4) {
            let label = 1 + dice.below(20) as u8;
            // Smaller objects are more frequent; a few tries find a place where not too much is hidden.
            let radius = 0.13 + 0.2 * dice.range(0.0, 1.0).powi(2);
            for _ in 0..12 {
                let centre = pt(dice.range(0.06, 0.94), dice.range(0.06, 0.94));
                if objects.iter().all(|o| (o.centre - centre).length() > 0.72 * (o.radius + radius)) {
                    objects.push(Object::draw(dice, label, centre, radius));
                    break;
                }
            }
        }
        Self { light, backdrop, objects, sensor: Sensor::draw(dice) }
    }

    /// The picture and its labels.
    pub(super) fn paint(&self, size: usize) -> (RgbImage, GrayImage) {
        let mut canvas = Canvas::new(size, None);
        self.backdrop.paint(&mut canvas);
        for (object, number) in self.objects.iter().zip(1..) {
            object.paint(&mut canvas, number, &self.light);
        }
        self.sensor.apply(&mut canvas);
        let (image, numbers) = canvas.into_images();
        let label = |number: u8| match number.checked_sub(1) {
            Some(object) => self.objects[usize::from(object)].label,
            None => 0,
        };
        let mut labels = numbers.clone();
        labels.iter_mut().for_each(|number| *number = label(*number));
        mark_borders(&mut labels, &numbers, 1.max(size / 160));
        (image, labels)
    }
}

/// Makes void what is within `reach` pixels, in both directions, of another object.
fn mark_borders(labels: &mut GrayImage, numbers: &GrayImage, reach: usize) {
    let (width, height) = numbers.dimensions();
    let reach = reach as u32;
    for (x, y, number) in numbers.enumerate_pixels() {
        let (left, top) = (x.saturating_sub(reach), y.saturating_sub(reach));
        let (right, bottom) = ((x + reach).min(width - 1), (y + reach).min(height - 1));
        let differs = |x, y| numbers.get_pixel(x, y) != number;
        if (top..=bottom).any(|y| (left..=right).any(|x| differs(x, y))) {
            labels.put_pixel(x, y, Luma([VOID]));
        }
    }
}

impl Backdrop {
    fn draw(dice: &mut Dice) -> Self {
        let first = muted(dice);
        let second = if dice.chance(0.6) { first.jittered(dice, 0.2) } else { muted(dice) };
        let texture = match dice.below(5) {
            0 => Texture::Fade,
            1 | 2 => Texture::Clouds(dice.range(2.0, 9.0)),
            3 => Texture::Stripes(dice.range(0.04, 0.15)),
            _ => Texture::Tiles(dice.range(0.07, 0.2)),
        };
        let count = if dice.chance(0.5) { 1 + dice.below(6) } else { 0 };
        let spots = (0..count).map(|_| spot(dice)).collect();
        Self {
            tones: [first, second],
            texture,
            turn: Turn::by(dice.range(0.0, 6.3)),
            noise: dice.word(),
            spots,
        }
    }

    fn paint(&self, canvas: &mut Canvas) {
        let corners = vec![pt(0.0, 0.0), pt(1.0, 0.0), pt(1.0, 1.0), pt(0.0, 1.0)];
        let all = canvas.mask(&[Path::polygon(corners)]);
        canvas.paint(&all, 0, |p| self.ink(p));
        for &(blob, colour, strength) in &self.spots {
            canvas.glow(blob, colour, strength, &all);
        }
    }

    fn ink(&self, p: Point) -> Rgb {
        let q = self.turn.apply(p - pt(0.5, 0.5));
        let grain = clouds(14.0 * p.x, 14.0 * p.y, !self.noise) - 0.5;
        let share = match self.texture {
            Texture::Fade => 0.5 + 0.75 * q.x,
            Texture::Clouds(scale) => 2.0 * clouds(scale * p.x, scale * p.y, self.noise) - 0.5,
            Texture::Stripes(width) => 0.5 + (std::f32::consts::PI * q.x / width).sin(),
            Texture::Tiles(width) => {
                let joint = |x: f32| (x / width - (x / width).floor()) < 0.12;
                if joint(q.x) || joint(q.y) { 1.0 } else { 0.0 }
            }
        };
        self.tones[0].mix(self.tones[1], (share + 0.4 * grain).clamp(0.0, 1.0)) * (1.0 + 0.16 * grain)
    }
}

fn muted(dice: &mut Dice) -> Rgb {
    Rgb::hsv(dice.range(0.0, 1.0), dice.range(0.0, 0.3), dice.range(0.2, 0.9))
}

/// Faint enough to be told from an object, strong enough that a colour alone is no proof of one.
fn spot(dice: &mut Dice) -> (Blob, Rgb, f32) {
    let centre = pt(dice.range(0.0, 1.0), dice.range(0.0, 1.0));
    let (radius_x, radius_y) = (dice.range(0.04, 0.22), dice.range(0.04, 0.22));
    let colour = Rgb::hsv(dice.range(0.0, 1.0), dice.range(0.3, 0.9), dice.range(0.3, 0.95));
    (Blob { centre, radius_x, radius_y, angle: dice.range(0.0, 3.2) }, colour, dice.range(0.2, 0.6))
}
