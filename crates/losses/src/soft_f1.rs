//! F1 of probabilities.

use candle_core::{Result, Tensor};

use crate::overlap::Overlap;

/// Keeps the quotient finite when nothing is predicted and nothing is there.
const EPS: f64 = 1e-7;

/// 1 - 2 Σ p t / (Σ p + Σ t + 1e-7) with p = sigmoid(logit) and t = 1 at foreground pixels (label 1), over all pixels of the batch
/// that are not labelled `ignore`: one minus the F1 score that the probabilities would have as fractions of pixels. In 0..=1.
///
/// # Shapes
///
/// logits (N, 1, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is not 0, 1 or `ignore`: image, row, column and value are named.
pub fn soft_f1(logits: &Tensor, labels: &Tensor, ignore: u8) -> Result<Tensor> {
    let Overlap { both, predicted, truth } = Overlap::of_foreground(logits, labels, ignore)?;
    1.0 - ((both * 2.0)? / (predicted + (truth + EPS)?)?)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;
    use sconce_tensors::testing::{check_gradient, hashed_signed};

    fn value(logits: &[f32], labels: &[u8]) -> Result<f32> {
        let logits = Tensor::from_slice(logits, (1, 1, 1, logits.len()), &Device::Cpu)?;
        let labels = Tensor::from_slice(labels, (1, 1, labels.len()), &Device::Cpu)?;
        soft_f1(&logits, &labels, 255)?.to_scalar()
    }

    #[test]
    fn sure_probabilities_give_the_f1_of_the_mask() -> Result<()> {
        let big = 200.0;
        assert!(value(&[big, -big, big], &[1, 0, 1])?.abs() < 1e-6);
        assert_eq!(value(&[-big, big, -big], &[1, 0, 1])?, 1.0);
        // 1 hit, 1 false, 1 missed, and an ignored pixel that would be false: F1 = 1/2.
        assert!((value(&[big, big, -big, big], &[1, 0, 1, 255])? - 0.5).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn nothing_there_and_nothing_valid_stay_finite() -> Result<()> {
        for labels in [[0u8, 0, 0], [255, 255, 255]] {
            let logits = Var::new(&[[[[-200f32, -1.0, 3.0]]]], &Device::Cpu)?;
            let labels = Tensor::new(&[[labels]], &Device::Cpu)?;
            let loss = soft_f1(&logits, &labels, 255)?;
            assert_eq!(loss.to_scalar::<f32>()?, 1.0);
            let gradients = loss.backward()?;
            let gradient = gradients.get(&logits).map(|g| g.flatten_all()?.to_vec1::<f32>()).transpose()?;
            assert_eq!(gradient, Some(vec![0.0; 3]));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gradients_agree_with_finite_differences(n in 1..3usize, w in 2..8usize, seed in 0..1000u64) {
            let logits = [hashed_signed(&format!("logits {seed}"), (n, 1, 1, w), 4.0)];
            let labels = (0..n * w).map(|x| [1, 0, 0, 255][x % 4]).collect::<Vec<u8>>();
            let labels = Tensor::from_vec(labels, (n, 1, w), &Device::Cpu).unwrap();
            check_gradient(|x| soft_f1(&x[0], &labels, 255), &logits, seed).unwrap();
        }
    }
}
