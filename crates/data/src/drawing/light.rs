//! The light of the scene.

use super::colour::Rgb;
use super::dice::Dice;
use super::geometry::{Point3, mix, pt3};

/// One soft lamp and the light from all around.
#[derive(Debug, Clone)]
pub(crate) struct Light {
    /// Unit vector to the lamp.
    pub(crate) towards: Point3,
    /// Unit vector halfway between lamp and viewer.
    halfway: Point3,
    /// What a surface facing the lamp is multiplied by.
    lit: Rgb,
    /// What a surface facing away is multiplied by.
    shaded: Rgb,
}

impl Light {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let towards = pt3(dice.range(-1.0, 1.0), dice.range(-0.9, 0.15), dice.range(0.35, 1.0)).unit();
        let warmth = dice.normal(0.0, 0.05);
        let contrast = dice.range(0.25, 0.75);
        let lit = Rgb([1.0 + warmth, 1.0, 1.0 - warmth]) * mix(1.06, 1.2, contrast);
        let shaded = Rgb([1.0 - warmth, 1.0, 1.0 + warmth]) * mix(0.85, 0.42, contrast);
        Self { towards, halfway: (towards + pt3(0.0, 0.0, 1.0)).unit(), lit, shaded }
    }

    /// The factor on the colour of a surface with this unit normal (half Lambert: soft on the far side).
    pub(crate) fn on(&self, normal: Point3) -> Rgb {
        let t = 0.5 + 0.5 * normal.dot(self.towards);
        self.shaded.mix(self.lit, t * t)
    }

    /// How strongly a shiny surface mirrors the lamp to the viewer, 0..=1 (Blinn and Phong).
    pub(crate) fn gloss(&self, normal: Point3, sharpness: i32) -> f32 {
        normal.dot(self.halfway).max(0.0).powi(sharpness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_faces_the_lamp_is_brighter() {
        for seed in 0..50 {
            let light = Light::draw(&mut Dice::of_texture(seed));
            let (front, back) = (light.on(light.towards), light.on(light.towards * -1.0));
            assert!((0..3).all(|c| front.0[c] > back.0[c] + 0.05), "{front:?} {back:?}");
        }
    }
}
