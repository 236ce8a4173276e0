//! A portrait with hair: everything drawn from chance first, then painted from back to front at any size.

use std::f32::consts::PI;

use image::GrayImage;

use super::lock::Dye;
use super::mane::Mane;
use super::style::Style;
use super::surroundings::Surroundings;
use crate::drawing::canvas::Canvas;
use crate::drawing::colour::Rgb;
use crate::drawing::dice::Dice;
use crate::drawing::geometry::pt;
use crate::drawing::sensor::{self, Sensor};
use crate::faces::portrait::{Looks, Portrait, Stance};

#[derive(Debug, Clone)]
pub(super) struct Scene {
    portrait: Portrait,
    surroundings: Surroundings,
    mane: Mane,
    from_behind: bool,
    grey: bool,
    sensor: Sensor,
}

impl Scene {
    pub(super) fn draw(dice: &mut Dice, style: Style) -> Self {
        let from_behind = dice.chance(0.2);
        let masculine = dice.chance(if style == Style::Short { 0.9 } else { 0.25 });
        let hat = !from_behind && dice.chance(0.2);
        let dye = Dye::draw(dice, matches!(style, Style::Straight | Style::Wavy));
        let looks = Looks { masculine, beard: masculine && dice.chance(0.5), hat, hair: dye.root };
        let stance = draw_stance(dice, from_behind);
        let portrait = Portrait::draw(dice, stance, looks);
        Self {
            surroundings: Surroundings::draw(dice, dye.root),
            mane: Mane::draw(dice, style, dye, &portrait, hat),
            grey: dice.chance(0.12),
            sensor: Sensor::draw(dice),
            portrait,
            from_behind,
        }
    }

    /// The same scene of a bald sitter.
    #[cfg(test)]
    pub(super) fn without_hair(&self) -> Self {
        Self { mane: self.mane.shaved(), ..self.clone() }
    }

    /// Whether there are a beard, a hat, and fur.
    #[cfg(test)]
    pub(super) fn distractors(&self) -> [bool; 3] {
        let seen = !self.from_behind;
        [seen && self.portrait.is_bearded(), self.portrait.has_hat(), self.surroundings.has_fur()]
    }

    pub(super) fn paint(&self, canvas: &mut Canvas) {
        let portrait = &self.portrait;
        portrait.paint_backdrop(canvas);
        self.surroundings.paint_backdrop(canvas);
        portrait.paint_hat_back(canvas);
        self.mane.paint_back(portrait, canvas);
        portrait.paint_body(canvas);
        self.surroundings.paint_collar(portrait, canvas);
        if self.from_behind {
            portrait.paint_nape(canvas);
        } else {
            portrait.paint_face(canvas);
            portrait.paint_glasses(canvas);
        }
        self.mane.paint_front(portrait, canvas);
        portrait.paint_hat(canvas);
    }

    /// The picture that the camera takes of the painted scene.
    pub(super) fn expose(&self, canvas: &mut Canvas) {
        sensor::meter(canvas);
        self.sensor.apply(canvas);
        if self.grey {
            canvas.develop(|_, colour| Rgb([colour.luma(); 3]));
        }
    }
}

fn draw_stance(dice: &mut Dice, from_behind: bool) -> Stance {
    let yaw = if dice.chance(0.5) { dice.normal(0.0, 0.16) } else { dice.range(-0.6, 0.6) };
    let yaw = if from_behind { PI + yaw } else { yaw };
    let angles = [yaw, dice.normal(0.0, 0.1).clamp(-0.25, 0.25), dice.normal(0.0, 0.12).clamp(-0.35, 0.35)];
    let scale = if dice.chance(0.25) { dice.range(0.32, 0.42) } else { dice.range(0.21, 0.32) };
    let centre = pt(dice.normal(0.5, 0.06), dice.normal(0.42, 0.04));
    Stance { angles, scale, centre }
}

/// 1 on hair, 0 elsewhere.
pub(super) fn mask_of(mut labels: GrayImage) -> GrayImage {
    labels.iter_mut().for_each(|label| *label = u8::from(*label == Portrait::HAIR));
    labels
}
