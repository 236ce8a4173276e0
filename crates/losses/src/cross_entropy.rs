//! Cross entropy of label maps.

use candle_core::{DType, Result, Tensor};
use sconce_tensors::{pixel_cross_entropy, sum_all};

use crate::targets::{Map, divided};

/// The mean over all pixels not labelled `ignore` of `-log softmax(logits)[label]`, in nats; 0 when there is none.
///
/// # Shapes
///
/// logits (N, C, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is neither a class nor `ignore`: image, row, column and value are named.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, ignore: u8) -> Result<Tensor> {
    mean_over_valid(&pixel_cross_entropy(logits, labels, None, ignore)?, labels, ignore)
}

/// As [`cross_entropy`], each pixel weighing as much as its label's class: the sum of the weighted losses divided by the sum of the
/// weights, as in PyTorch. 0 when the weights sum to 0.
///
/// # Shapes
///
/// logits (N, C, H, W) f32, labels (N, H, W) u8, weights (C) -> scalar.
///
/// # Errors
///
/// As [`cross_entropy`].
pub fn cross_entropy_weighted(
    logits: &Tensor,
    labels: &Tensor,
    weights: &[f32],
    ignore: u8,
) -> Result<Tensor> {
    let losses = pixel_cross_entropy(logits, labels, Some(weights), ignore)?;
    let labels = Map::read(labels, "labels")?;
    let weight = |&label: &u8| f64::from(weights[usize::from(label)]);
    let total = labels.values.iter().filter(|&&label| label != ignore).map(weight).sum();
    divided(&sum_all(&losses)?, total)
}

/// The mean of a (N, H, W) map of losses that are 0 where `labels` is `ignore`, over the other pixels.
pub(crate) fn mean_over_valid(losses: &Tensor, labels: &Tensor, ignore: u8) -> Result<Tensor> {
    match labels.device().is_cpu() {
        true => divided(&sum_all(losses)?, Map::read(labels, "labels")?.valid(ignore) as f64),
        false => mean_over_counted(losses, labels, ignore),
    }
}

/// The same where labels are dear to read: they are counted where they are.
fn mean_over_counted(losses: &Tensor, labels: &Tensor, ignore: u8) -> Result<Tensor> {
    let valid = sum_all(&labels.ne(ignore)?.to_dtype(DType::F32)?)?;
    // Without a valid pixel the sum is 0, with gradient 0.
    sum_all(losses)? / valid.maximum(1.0)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;
    use sconce_tensors::testing::{assert_close, check_gradient, hashed_signed, hashed_uniform};

    /// Labels of 0..classes, about a fifth of them 255.
    fn labels(classes: usize, shape: (usize, usize, usize), seed: u64) -> Result<Tensor> {
        let u: Vec<f32> = hashed_uniform(&format!("labels {seed}"), shape).flatten_all()?.to_vec1()?;
        let label = |u: f32| if u < 0.2 { 255 } else { ((u - 0.2) / 0.8 * classes as f32) as u8 };
        Tensor::from_vec(u.into_iter().map(label).collect::<Vec<u8>>(), shape, &Device::Cpu)
    }

    #[test]
    fn equal_weights_change_nothing_and_doubled_ones_neither() -> Result<()> {
        let (logits, labels) = (hashed_signed("x", (2, 4, 5, 6), 3.0), labels(4, (2, 5, 6), 1)?);
        let plain = cross_entropy(&logits, &labels, 255)?.to_scalar::<f32>()?;
        for weight in [1.0, 2.0] {
            let weighted = cross_entropy_weighted(&logits, &labels, &[weight; 4], 255)?.to_scalar::<f32>()?;
            assert!((plain - weighted).abs() < 1e-6, "{plain} {weighted}");
        }
        let none = cross_entropy_weighted(&logits, &labels, &[0.0; 4], 255)?.to_scalar::<f32>()?;
        assert_eq!(none, 0.0);
        Ok(())
    }

    #[test]
    fn a_label_beyond_the_classes_is_named() -> Result<()> {
        let logits = hashed_signed("x", (1, 3, 2, 2), 1.0);
        let labels = Tensor::new(&[[[0u8, 1], [7, 255]]], &Device::Cpu)?;
        let error = cross_entropy(&logits, &labels, 255).unwrap_err().to_string();
        assert!(error.contains("label 7 at image 0, row 1, column 0"), "{error}");
        cross_entropy_weighted(&logits, &labels, &[1.0; 3], 255).unwrap_err();
        cross_entropy_weighted(&logits, &labels, &[1.0; 2], 255).unwrap_err();
        Ok(())
    }

    #[test]
    fn counting_elsewhere_gives_the_same_mean() -> Result<()> {
        let logits = Var::from_tensor(&hashed_signed("x", (2, 4, 5, 6), 3.0))?;
        for labels in [labels(4, (2, 5, 6), 1)?, Tensor::full(255u8, (2, 5, 6), &Device::Cpu)?] {
            let losses = pixel_cross_entropy(&logits, &labels, None, 255)?;
            let parts = [mean_over_valid, mean_over_counted].map(|mean| {
                let mean = mean(&losses, &labels, 255)?;
                let gradient = mean.backward()?.remove(&logits);
                Ok::<_, candle_core::Error>((mean, gradient.expect("a gradient")))
            });
            let [(here, gradient), (there, other)] = [parts[0].as_ref().unwrap(), parts[1].as_ref().unwrap()];
            assert_close(there, here, "mean");
            assert_close(other, gradient, "gradient");
        }
        Ok(())
    }

    /// Summed in f32 the mean of a million pixels would be off in the fourth digit.
    #[test]
    fn the_mean_over_many_pixels_keeps_its_digits() -> Result<()> {
        let logits = Var::zeros((2, 3, 724, 724), DType::F32, &Device::Cpu)?;
        let labels = Tensor::zeros((2, 724, 724), candle_core::DType::U8, &Device::Cpu)?;
        let loss = cross_entropy(&logits, &labels, 255)?.to_scalar::<f32>()?;
        assert!((loss - 3f32.ln()).abs() <= 2.0 * f32::EPSILON, "{loss}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn gradients_agree_with_finite_differences(
            n in 1..3usize, c in 2..6usize, h in 1..6usize, w in 1..6usize, seed in 0..1000u64,
        ) {
            let logits = [hashed_signed(&format!("logits {seed}"), (n, c, h, w), 3.0)];
            let labels = labels(c, (n, h, w), seed).unwrap();
            let weights: Vec<f32> = hashed_uniform(&format!("weights {seed}"), c).to_vec1().unwrap();
            check_gradient(|x| cross_entropy(&x[0], &labels, 255), &logits, seed).unwrap();
            check_gradient(|x| cross_entropy_weighted(&x[0], &labels, &weights, 255), &logits, seed).unwrap();
        }
    }
}
