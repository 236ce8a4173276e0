//! The classes of a face in NIA order, as label values.
//!
//! `L_` is the sitter's own left, which a frontal picture shows on its right side; CelebAMask-HQ does the same.

pub(super) const BACKGROUND: u8 = 0;
pub(super) const SKIN: u8 = 1;
pub(super) const L_BROW: u8 = 2;
pub(super) const R_BROW: u8 = 3;
pub(super) const L_EYE: u8 = 4;
pub(super) const R_EYE: u8 = 5;
pub(super) const GLASSES: u8 = 6;
pub(super) const L_EAR: u8 = 7;
pub(super) const R_EAR: u8 = 8;
pub(super) const EARRING: u8 = 9;
pub(super) const NOSE: u8 = 10;
pub(super) const MOUTH: u8 = 11;
pub(super) const U_LIP: u8 = 12;
pub(super) const L_LIP: u8 = 13;
pub(super) const NECK: u8 = 14;
pub(super) const NECKLACE: u8 = 15;
pub(super) const CLOTH: u8 = 16;
pub(super) const HAIR: u8 = 17;
pub(super) const HAT: u8 = 18;

/// The class of a paired part on one side of the head: -1 is the left side of the picture, 1 the right.
pub(super) fn sided(side: f32, left: u8, right: u8) -> u8 {
    if side > 0.0 { left } else { right }
}
