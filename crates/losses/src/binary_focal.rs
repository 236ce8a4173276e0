//! Focal loss of a foreground.

use candle_core::{DType, Result, Tensor};

use crate::cross_entropy::mean_over_valid;
use crate::focal::focused;
use crate::weighted_bce::pixel_bce;

/// The mean over all pixels not labelled `ignore` of a (1 - p)^gamma (-log p), where p is the probability of the pixel's label and a is
/// `alpha` at foreground pixels (label 1) and 1 - `alpha` at background ones (label 0); 0 when there is none.
///
/// Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5; gamma is 0 or more, alpha is in 0..=1. torchvision's
/// `sigmoid_focal_loss`, as a mean.
///
/// # Shapes
///
/// logits (N, 1, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is not 0, 1 or `ignore`: image, row, column and value are named.
pub fn binary_focal(logits: &Tensor, labels: &Tensor, gamma: f64, alpha: f64, ignore: u8) -> Result<Tensor> {
    let losses = focused(pixel_bce(logits, labels, ignore)?, gamma)?;
    let weights = label_weights(labels, alpha)?;
    mean_over_valid(&(losses * weights)?, labels, ignore)
}

/// `alpha` at labels of 1, 1 - `alpha` at labels of 0, and some number at ignored ones.
fn label_weights(labels: &Tensor, alpha: f64) -> Result<Tensor> {
    labels.to_dtype(DType::F32)?.affine(2.0 * alpha - 1.0, 1.0 - alpha)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weighted_bce;
    use candle_core::Device;
    use proptest::prelude::*;
    use sconce_tensors::testing::{assert_close, check_gradient, hashed_signed};

    fn labels(n: usize, w: usize) -> Tensor {
        let values: Vec<u8> = (0..n * w).map(|x| [1, 0, 0, 255][x % 4]).collect();
        Tensor::from_vec(values, (n, 1, w), &Device::Cpu).unwrap()
    }

    #[test]
    fn without_focus_it_is_the_weighted_cross_entropy() -> Result<()> {
        let logits = hashed_signed("x", (2, 1, 1, 9), 3.0);
        let focal = binary_focal(&logits, &labels(2, 9), 0.0, 0.8, 255)?;
        let bce = (weighted_bce(&logits, &labels(2, 9), 4.0, 255)? * 0.2)?;
        assert_close(&focal, &bce, "focal");
        Ok(())
    }

    #[test]
    fn one_pixel_follows_the_formula() -> Result<()> {
        let logits = Tensor::new(&[[[[0.4f32, -1.2]]]], &Device::Cpu)?;
        let found = binary_focal(&logits, &Tensor::new(&[[[1u8, 0]]], &Device::Cpu)?, 2.0, 0.75, 255)?;
        let (hit, calm) = (1.0 / (1.0 + (-0.4f64).exp()), 1.0 / (1.0 + (-1.2f64).exp()));
        let of = |a: f64, p: f64| -a * (1.0 - p).powi(2) * p.ln();
        let want = (of(0.75, hit) + of(0.25, calm)) / 2.0;
        assert!((f64::from(found.to_scalar::<f32>()?) - want).abs() < 1e-6);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gradients_agree_with_finite_differences(n in 1..3usize, w in 1..8usize, gamma in 0.0..4.0f64, seed in 0..1000u64) {
            let logits = [hashed_signed(&format!("logits {seed}"), (n, 1, 1, w), 4.0)];
            check_gradient(|x| binary_focal(&x[0], &labels(n, w), gamma, 0.75, 255), &logits, seed).unwrap();
        }
    }
}
