//! Binary cross entropy whose foreground weighs more.

use candle_core::{Result, Tensor, bail};
use sconce_tensors::{binary_cross_entropy_sums, pixel_cross_entropy};

/// The mean over all pixels not labelled `ignore` of -weight log p at foreground pixels (label 1) and -log(1 - p) at background ones
/// (label 0), where p = sigmoid(logit); 0 when there is none. Stable for logits of any size. The mean divides by the number of
/// pixels, not by their weights, as PyTorch's `pos_weight`.
///
/// # Shapes
///
/// logits (N, 1, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is not 0, 1 or `ignore`: image, row, column and value are named.
pub fn weighted_bce(logits: &Tensor, labels: &Tensor, foreground_weight: f64, ignore: u8) -> Result<Tensor> {
    let sums = binary_cross_entropy_sums(logits, labels, [1.0, foreground_weight as f32], ignore)?;
    // Without pixels the sum is 0, with gradient 0.
    let pixels = sums.get(1)?.detach().maximum(1.0)?;
    sums.get(0)? / pixels
}

/// The loss of every pixel (N, H, W), of which none weighs more than others; 0 where it is `ignore`.
pub(crate) fn pixel_bce(logits: &Tensor, labels: &Tensor, ignore: u8) -> Result<Tensor> {
    if logits.rank() != 4 || logits.dim(1)? != 1 {
        bail!("binary cross entropy needs logits (N, 1, H, W), not {:?}", logits.dims());
    }
    // Two classes of which the first scores 0: their softmax is the sigmoid.
    let two = Tensor::cat(&[&logits.zeros_like()?, logits], 1)?;
    pixel_cross_entropy(&two, labels, None, ignore)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;
    use sconce_tensors::testing::{check_gradient, hashed_signed};

    #[test]
    fn large_logits_stay_finite() -> Result<()> {
        let logits = Var::new(&[[[[200f32, -200.0, 200.0, -200.0, 0.0]]]], &Device::Cpu)?;
        let labels = Tensor::new(&[[[1u8, 0, 0, 1, 255]]], &Device::Cpu)?;
        let loss = weighted_bce(&logits, &labels, 3.0, 255)?;
        assert_eq!(loss.to_scalar::<f32>()?, 200.0);
        let gradients = loss.backward()?;
        let gradient = gradients.get(&logits).map(|g| g.flatten_all()?.to_vec1::<f32>()).transpose()?;
        assert_eq!(gradient, Some(vec![0.0, 0.0, 0.25, -0.75, 0.0]));
        Ok(())
    }

    #[test]
    fn several_channels_and_other_labels_are_refused() -> Result<()> {
        let labels = Tensor::new(&[[[1u8, 2]]], &Device::Cpu)?;
        let error =
            weighted_bce(&hashed_signed("x", (1, 2, 1, 2), 1.0), &labels, 1.0, 255).unwrap_err().to_string();
        assert!(error.contains("[1, 2, 1, 2]"), "{error}");
        let error =
            weighted_bce(&hashed_signed("x", (1, 1, 1, 2), 1.0), &labels, 1.0, 255).unwrap_err().to_string();
        assert!(error.contains("label 2 at image 0, row 0, column 1"), "{error}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gradients_agree_with_finite_differences(n in 1..3usize, w in 1..8usize, weight in 0.1..20.0f64, seed in 0..1000u64) {
            let logits = [hashed_signed(&format!("logits {seed}"), (n, 1, 1, w), 4.0)];
            let labels = Tensor::from_vec((0..n * w).map(|x| [1, 0, 0, 255][x % 4]).collect::<Vec<u8>>(), (n, 1, w), &Device::Cpu).unwrap();
            check_gradient(|x| weighted_bce(&x[0], &labels, weight, 255), &logits, seed).unwrap();
        }
    }
}
