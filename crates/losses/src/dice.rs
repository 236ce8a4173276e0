//! Dice loss.

use candle_core::{Result, Tensor};
use sconce_tensors::Probabilities;

use crate::overlap::Overlap;

/// 1 - (2 Σ p t + smooth) / (Σ p + Σ t + smooth) with p = sigmoid(logit) and t = 1 at foreground pixels (label 1), over all pixels of
/// the batch that are not labelled `ignore`. `smooth`, usually 1 pixel, is more than 0.
///
/// Milletari et al. 2016, "V-Net", section 3, with plain instead of squared sums in the denominator.
///
/// # Shapes
///
/// logits (N, 1, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is not 0, 1 or `ignore`: image, row, column and value are named.
pub fn dice(logits: &Tensor, labels: &Tensor, smooth: f64, ignore: u8) -> Result<Tensor> {
    of(Overlap::of_foreground(logits, labels, ignore)?, smooth)
}

/// As [`dice`], of all classes at once: t is 1 in the channel of the pixel's label and 0 in the others, and each channel has its own
/// sigmoid.
///
/// # Shapes
///
/// logits (N, C, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is neither a class nor `ignore`: image, row, column and value are named.
pub fn dice_classes(logits: &Tensor, labels: &Tensor, smooth: f64, ignore: u8) -> Result<Tensor> {
    of(Overlap::of_classes(logits, labels, Probabilities::Sigmoid, (ignore, false))?, smooth)
}

/// The loss from its sums.
pub(crate) fn of(overlap: Overlap, smooth: f64) -> Result<Tensor> {
    let Overlap { both, predicted, truth } = overlap;
    1.0 - (both.affine(2.0, smooth)? / (predicted + (truth + smooth)?)?)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use proptest::prelude::*;
    use sconce_tensors::testing::{check_gradient, hashed_signed};

    fn labels(classes: usize, shape: (usize, usize, usize)) -> Tensor {
        let label = |x: usize| if x % 5 == 4 { 255 } else { (x % 5 % classes) as u8 };
        let values: Vec<u8> = (0..shape.0 * shape.1 * shape.2).map(label).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn two_classes_are_the_foreground_and_its_complement() -> Result<()> {
        let (x, labels) = (hashed_signed("x", (2, 1, 3, 5), 3.0), labels(2, (2, 3, 5)));
        let both = Tensor::cat(&[&x.neg()?, &x], 1)?;
        let flipped = (labels.ones_like()? - labels.minimum(&labels.ones_like()?)?)?;
        let flipped = labels.eq(255u8)?.where_cond(&labels, &flipped)?;
        // Σpt of both = Σpt of each added; so for the denominators.
        let parts = |x: &Tensor, labels: &Tensor| -> Result<[f64; 2]> {
            let overlap = Overlap::of_foreground(x, labels, 255)?;
            let value = |sum: &Tensor| sum.to_scalar::<f32>().map(f64::from);
            Ok([value(&overlap.both)?, value(&overlap.predicted)? + value(&overlap.truth)?])
        };
        let (a, b) = (parts(&x, &labels)?, parts(&x.neg()?, &flipped)?);
        let want = 1.0 - (2.0 * (a[0] + b[0]) + 1.0) / (a[1] + b[1] + 1.0);
        let got = f64::from(dice_classes(&both, &labels, 1.0, 255)?.to_scalar::<f32>()?);
        assert!((got - want).abs() < 1e-6, "{got} {want}");
        Ok(())
    }

    #[test]
    fn wrong_labels_and_sizes_are_named() {
        let x = hashed_signed("x", (1, 3, 2, 2), 1.0);
        let bad = Tensor::new(&[[[0u8, 1], [3, 2]]], &Device::Cpu).unwrap();
        let error = dice_classes(&x, &bad, 1.0, 255).unwrap_err().to_string();
        assert!(error.contains("label 3 at image 0, row 1, column 0"), "{error}");
        let error = dice_classes(&x, &labels(3, (1, 2, 3)), 1.0, 255).unwrap_err().to_string();
        assert!(error.contains("[1, 3, 2, 2]") && error.contains("[1, 2, 3]"), "{error}");
        dice(&x, &labels(2, (1, 2, 2)), 1.0, 255).unwrap_err();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gradients_agree_with_finite_differences(n in 1..3usize, c in 2..5usize, w in 1..8usize, seed in 0..1000u64) {
            let logits = hashed_signed(&format!("logits {seed}"), (n, c, 1, w), 4.0);
            let single = [logits.narrow(1, 0, 1).unwrap().contiguous().unwrap()];
            check_gradient(|x| dice(&x[0], &labels(2, (n, 1, w)), 1.0, 255), &single, seed).unwrap();
            check_gradient(|x| dice_classes(&x[0], &labels(c, (n, 1, w)), 1.0, 255), &[logits], seed).unwrap();
        }
    }
}
