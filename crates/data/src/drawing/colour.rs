//! Colours and the ranges they are drawn from.

use std::ops::{Add, Mul};

use super::dice::Dice;
use super::geometry::mix;

/// Red, green, blue as display values, 0..=1 (not linear light).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rgb(pub(crate) [f32; 3]);

pub(crate) const BLACK: Rgb = Rgb([0.04, 0.035, 0.04]);
pub(crate) const WHITE: Rgb = Rgb([0.97, 0.96, 0.94]);

impl Rgb {
    /// From 0xRRGGBB.
    pub(crate) const fn hex(code: u32) -> Self {
        Self([
            (code >> 16 & 255) as f32 / 255.0,
            (code >> 8 & 255) as f32 / 255.0,
            (code & 255) as f32 / 255.0,
        ])
    }

    pub(crate) fn mix(self, other: Self, t: f32) -> Self {
        Self(std::array::from_fn(|i| mix(self.0[i], other.0[i], t)))
    }

    /// Channel by channel, as light falls on a surface.
    pub(crate) fn times(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }

    /// How bright it looks (Rec. 601), 0..=1.
    pub(crate) fn luma(self) -> f32 {
        let [red, green, blue] = self.0;
        0.299 * red + 0.587 * green + 0.114 * blue
    }

    /// Moved a little at random in each channel.
    pub(crate) fn jittered(self, dice: &mut Dice, by: f32) -> Self {
        Self(std::array::from_fn(|i| (self.0[i] + dice.range(-by, by)).clamp(0.0, 1.0)))
    }

    /// A colour of hue (0..=1 around the circle), saturation and value, 0..=1.
    pub(crate) fn hsv(hue: f32, saturation: f32, value: f32) -> Self {
        Self([0.0, 2.0 / 3.0, 1.0 / 3.0].map(|shift| {
            let ramp = ((hue + shift).fract() * 6.0 - 3.0).abs() - 1.0;
            value * mix(1.0, ramp.clamp(0.0, 1.0), saturation)
        }))
    }
}

impl Mul<f32> for Rgb {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        Self(self.0.map(|c| c * k))
    }
}

impl Add for Rgb {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

/// Skin from very fair to very deep.
const SKIN: [Rgb; 10] = [
    Rgb::hex(0xfbe0cd),
    Rgb::hex(0xf3cdb0),
    Rgb::hex(0xe9b994),
    Rgb::hex(0xdca67c),
    Rgb::hex(0xc98f63),
    Rgb::hex(0xb0764c),
    Rgb::hex(0x935d3a),
    Rgb::hex(0x76482d),
    Rgb::hex(0x5a3623),
    Rgb::hex(0x42281c),
];

/// A skin tone anywhere on the ramp.
pub(crate) fn skin(dice: &mut Dice) -> Rgb {
    let place = dice.range(0.0, (SKIN.len() - 1) as f32);
    let index = (place as usize).min(SKIN.len() - 2);
    SKIN[index].mix(SKIN[index + 1], place - index as f32).jittered(dice, 0.025)
}

/// A natural hair colour, grey with age (0 young to 1 old).
pub(crate) fn hair(dice: &mut Dice, age: f32) -> Rgb {
    const NATURAL: [u32; 12] = [
        0x17130f, 0x1f1712, 0x2b1d15, 0x3b271a, 0x4f3421, 0x66442a, 0x7f5733, 0x9d7142, 0xbf9558, 0xd9b877,
        0x7a3418, 0x9a4a20,
    ];
    let natural = Rgb::hex(dice.pick(&NATURAL)).jittered(dice, 0.02);
    let grey = ((age - 0.55) * 2.4 + dice.range(-0.3, 0.3)).clamp(0.0, 1.0);
    natural.mix(Rgb::hex(0xc4c2c0), grey)
}

/// A colour for cloth, hats and things: muted more often than loud.
pub(crate) fn fabric(dice: &mut Dice) -> Rgb {
    let (hue, value) = (dice.range(0.0, 1.0), dice.range(0.12, 0.95));
    if dice.chance(0.3) {
        return Rgb::hsv(hue, dice.range(0.0, 0.1), value);
    }
    Rgb::hsv(hue, dice.range(0.12, 0.62), value)
}

/// Gold, silver, rose gold or a dark metal.
pub(crate) fn metal(dice: &mut Dice) -> Rgb {
    Rgb::hex(dice.pick(&[0xe3b341, 0xd9d9de, 0xd8957c, 0x6d6a70]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_are_where_they_belong() {
        assert_eq!(Rgb::hsv(0.0, 1.0, 1.0), Rgb([1.0, 0.0, 0.0]));
        let green = Rgb::hsv(1.0 / 3.0, 1.0, 1.0).0;
        assert!(green[1] > 0.999 && green[0] < 1e-3 && green[2] < 1e-3, "{green:?}");
        assert_eq!(Rgb::hex(0xff0033).0[2], 0.2);
    }
}
