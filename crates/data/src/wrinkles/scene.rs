//! A patch of skin: everything drawn from chance first, then painted at any size.

use image::{GrayImage, RgbImage};

use crate::drawing::canvas::Canvas;
use crate::drawing::dice::Dice;
use crate::drawing::light::Light;
use crate::drawing::sensor::{self, Sensor};

use super::family;
use super::line::Line;
use super::marks::Marks;
use super::skin::Skin;
use super::strands::Strands;

#[derive(Debug, Clone)]
pub(super) struct Scene {
    light: Light,
    skin: Skin,
    lines: Vec<Line>,
    marks: Marks,
    strands: Strands,
    sensor: Sensor,
}

impl Scene {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let (light, skin) = (Light::draw(dice), Skin::draw(dice));
        let lines = family::draw(dice);
        let marks = Marks::draw(dice, skin.tone);
        Self { light, lines, marks, strands: Strands::draw(dice), sensor: Sensor::draw(dice), skin }
    }

    /// The same skin and wrinkles without spots, shadows and hairs.
    #[cfg(test)]
    pub(super) fn bare(mut self) -> Self {
        self.marks = Marks::default();
        self.strands = Strands::default();
        self
    }

    /// The picture and the mask of its wrinkles.
    pub(super) fn paint(&self, size: usize) -> (RgbImage, GrayImage) {
        let mut relief = self.skin.relief(size);
        for line in &self.lines {
            line.carve(&mut relief);
        }
        let mut canvas = Canvas::new(size, None);
        canvas.develop(|p, _| self.skin.shaded(&relief, &self.light, p).times(self.marks.shade(p)));
        self.marks.paint(&mut canvas);
        self.strands.paint(&self.light, &mut canvas);
        sensor::meter(&mut canvas);
        self.sensor.apply(&mut canvas);
        let at = |x: u32, y: u32| relief.mask[y as usize * size + x as usize];
        let mask = GrayImage::from_fn(size as u32, size as u32, |x, y| image::Luma([at(x, y)]));
        (canvas.into_images().0, mask)
    }
}
