//! Focal loss.

use candle_core::{Result, Tensor};
use sconce_tensors::pixel_cross_entropy;

use crate::cross_entropy::mean_over_valid;

/// The mean over all pixels not labelled `ignore` of alpha (1 - p)^gamma (-log p), where p is the probability of the pixel's label; 0
/// when there is none. With gamma 0 and alpha 1 it is the cross entropy.
///
/// Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5, with one alpha for all classes; gamma is 0 or more.
///
/// # Shapes
///
/// logits (N, C, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is neither a class nor `ignore`: image, row, column and value are named.
pub fn focal(logits: &Tensor, labels: &Tensor, gamma: f64, alpha: f64, ignore: u8) -> Result<Tensor> {
    let losses = focused(pixel_cross_entropy(logits, labels, None, ignore)?, gamma)?;
    mean_over_valid(&(losses * alpha)?, labels, ignore)
}

/// (1 - p)^gamma (-log p) from -log p.
pub(crate) fn focused(losses: Tensor, gamma: f64) -> Result<Tensor> {
    match gamma == 0.0 {
        true => Ok(losses),
        false => &losses * doubt(&losses)?.powf(gamma)?,
    }
}

/// 1 - p, held off 0, where a power below 1 has an infinite slope.
fn doubt(losses: &Tensor) -> Result<Tensor> {
    let doubt = losses.neg()?.exp()?.affine(-1.0, 1.0)?;
    // Apart from the subtraction: 1 + 1e-9 is 1 in f32.
    doubt + 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;
    use sconce_tensors::testing::{check_gradient, hashed_signed};

    #[test]
    fn sure_pixels_have_a_finite_gradient_at_any_gamma() -> Result<()> {
        for gamma in [0.0, 0.25, 1.0, 2.0, 5.0] {
            let logits = Var::new(&[[[[200f32, 0.0, 0.0]], [[0.0, 200.0, 0.0]]]], &Device::Cpu)?;
            let labels = Tensor::new(&[[[0u8, 0, 255]]], &Device::Cpu)?;
            let loss = focal(&logits, &labels, gamma, 1.0, 255)?;
            assert_eq!(loss.to_scalar::<f32>()?, 100.0, "gamma {gamma}");
            let gradients = loss.backward()?;
            let gradient = gradients.get(&logits).map(|g| g.flatten_all()?.to_vec1::<f32>()).transpose()?;
            assert_eq!(gradient, Some(vec![0.0, -0.5, 0.0, 0.0, 0.5, 0.0]), "gamma {gamma}");
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gradients_agree_with_finite_differences(c in 2..5usize, w in 1..8usize, gamma in 0.0..4.0f64, seed in 0..1000u64) {
            let logits = [hashed_signed(&format!("logits {seed}"), (1, c, 1, w), 3.0)];
            let labels = Tensor::from_vec((0..w).map(|x| (x % (c + 1)) as u8).collect::<Vec<_>>(), (1, 1, w), &Device::Cpu).unwrap();
            check_gradient(|x| focal(&x[0], &labels, gamma, 0.25, c as u8), &logits, seed).unwrap();
        }
    }
}
