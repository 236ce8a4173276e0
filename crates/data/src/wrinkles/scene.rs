//! A patch of skin: everything drawn from chance first, then painted at any size.

use image::{GrayImage, RgbImage};

use crate::drawing::canvas::Canvas;
use crate::drawing::colour::Rgb;
use crate::drawing::dice::Dice;
use crate::drawing::light::Light;
use crate::drawing::sensor::Sensor;

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
        expose(canvas.colours_mut());
        self.sensor.apply(&mut canvas);
        let at = |x: u32, y: u32| relief.mask[y as usize * size + x as usize];
        let mask = GrayImage::from_fn(size as u32, size as u32, |x, y| image::Luma([at(x, y)]));
        (canvas.into_images().0, mask)
    }
}

/// Brings the mean brightness half of the way to the middle, as a camera does, so that deep skin in the shade stays above
/// the sensor's noise.
fn expose(colours: &mut [Rgb]) {
    let sum: f64 = colours.iter().map(|colour| f64::from(colour.0[1])).sum();
    let mean = (sum / colours.len() as f64) as f32;
    let gain = (0.45 / mean.max(0.02)).sqrt();
    colours.iter_mut().for_each(|colour| *colour = *colour * gain);
}
