//! Cross entropy and Dice together.

use candle_core::{Result, Tensor};

use crate::{cross_entropy, dice_classes};

/// alpha · [`cross_entropy`] + (1 - alpha) · [`dice_classes`], with alpha from 0 to 1.
///
/// # Shapes
///
/// logits (N, C, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is neither a class nor `ignore`: image, row, column and value are named.
pub fn combined(logits: &Tensor, labels: &Tensor, alpha: f64, smooth: f64, ignore: u8) -> Result<Tensor> {
    (cross_entropy(logits, labels, ignore)? * alpha)?
        + (dice_classes(logits, labels, smooth, ignore)? * (1.0 - alpha))?
}
