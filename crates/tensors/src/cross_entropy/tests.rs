use super::*;
use crate::checks::{assert_same_on_any_threads, golden, with_gradient};
use crate::testing::{assert_close, check_gradient, devices, hashed_signed, hashed_uniform};
use candle_core::{DType, Device};
use proptest::prelude::*;

/// Labels below `classes`, about a fifth of them 255.
fn labels(n: usize, h: usize, w: usize, classes: usize) -> Result<Tensor> {
    let values = hashed_uniform("labels", (n, h, w)).flatten_all()?.to_vec1::<f32>()?;
    let label = |u: f32| if u < 0.2 { 255 } else { ((u - 0.2) / 0.8 * classes as f32) as u8 };
    Tensor::from_vec(values.into_iter().map(label).collect(), (n, h, w), &Device::Cpu)
}

/// The golden's mean over pixels that are not ignored, on every device: the weighted mean, if there are weights.
fn assert_golden(case: &str) -> Result<()> {
    let golden = golden(case)?;
    let (logits, labels) = (golden.tensor("in.logits")?, golden.tensor("in.labels")?.to_dtype(DType::U8)?);
    let weights = match golden.has("in.const_weight") {
        true => Some(golden.tensor("in.const_weight")?.to_vec1::<f32>()?),
        false => None,
    };
    let of_label = |l: u8| match &weights {
        _ if l == 255 => 0.0,
        Some(weights) => f64::from(weights[usize::from(l)]),
        None => 1.0,
    };
    let total: f64 = labels.flatten_all()?.to_vec1::<u8>()?.into_iter().map(of_label).sum();
    for device in devices() {
        let labels = labels.to_device(&device)?;
        let mean = |x: &Tensor| {
            pixel_cross_entropy(x, &labels, weights.as_deref(), 255)?.sum_all()? / total.max(1.0)
        };
        let seed = golden.tensor("seed.y")?.to_device(&device)?;
        let (loss, gradient) = with_gradient(&logits.to_device(&device)?, &seed, mean)?;
        assert_close(&loss, &golden.tensor("out.y")?, case);
        assert_close(&gradient, &golden.tensor("grad.logits")?, &format!("{case}: gradient"));
    }
    Ok(())
}

#[test]
fn equals_pytorch() -> Result<()> {
    ["cross_entropy", "cross_entropy_weighted", "cross_entropy_all_ignored"]
        .into_iter()
        .try_for_each(assert_golden)
}

#[test]
fn large_logits_and_ignored_pixels() -> Result<()> {
    let logits =
        Tensor::new(&[1000f32, 0.0, f32::NAN, 0.0, 1000.0, 0.0], &Device::Cpu)?.reshape((1, 2, 1, 3))?;
    let labels = Tensor::new(&[1u8, 1, 7], &Device::Cpu)?.reshape((1, 1, 3))?;
    let ones = labels.to_dtype(DType::F32)?.ones_like()?;
    let (loss, gradient) = with_gradient(&logits, &ones, |x| pixel_cross_entropy(x, &labels, None, 7))?;
    assert_eq!(loss.flatten_all()?.to_vec1::<f32>()?, [1000.0, 0.0, 0.0]);
    assert_eq!(gradient.flatten_all()?.to_vec1::<f32>()?, [1.0, 0.0, 0.0, -1.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn a_class_can_be_the_ignored_one() -> Result<()> {
    let logits = hashed_signed("logits", (1, 3, 1, 2), 1.0);
    let labels = Tensor::new(&[0u8, 2], &Device::Cpu)?.reshape((1, 1, 2))?;
    let loss = pixel_cross_entropy(&logits, &labels, None, 0)?.flatten_all()?.to_vec1::<f32>()?;
    assert!(loss[0] == 0.0 && loss[1] > 0.0, "{loss:?}");
    Ok(())
}

#[test]
fn a_wrong_label_is_named_with_its_place() -> Result<()> {
    let logits = Tensor::zeros((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
    let mut values = vec![255u8; 40];
    values[20 + 2 * 5 + 4] = 3;
    let labels = Tensor::from_vec(values, (2, 4, 5), &Device::Cpu)?;
    let error = pixel_cross_entropy(&logits, &labels, None, 255).unwrap_err().to_string();
    assert!(error.contains("label 3 at image 1, row 2, column 4") && error.contains("3 classes"), "{error}");
    pixel_cross_entropy(&logits, &labels, None, 3).unwrap_err();
    Ok(())
}

#[test]
fn wrong_shapes_are_named() -> Result<()> {
    let logits = Tensor::zeros((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
    let labels = labels(2, 5, 4, 3)?;
    let error = pixel_cross_entropy(&logits, &labels, None, 255).unwrap_err().to_string();
    assert!(error.contains("(2, 4, 5) u8") && error.contains("[2, 5, 4]"), "{error}");
    let labels = labels.transpose(1, 2)?;
    let error = pixel_cross_entropy(&logits, &labels, Some(&[1.0]), 255).unwrap_err().to_string();
    assert!(error.contains("1 class weights for 3 classes"), "{error}");
    pixel_cross_entropy(&logits, &labels.to_dtype(DType::U32)?, None, 255).unwrap_err();
    Ok(())
}

#[test]
fn threads_and_views_change_nothing() -> Result<()> {
    let (logits, labels) = (hashed_signed("x", (2, 5, 61, 70), 4.0), labels(2, 70, 61, 5)?);
    let loss = |x: &Tensor| pixel_cross_entropy(&x.transpose(2, 3)?, &labels, None, 255);
    assert_same_on_any_threads(&logits, loss)?;
    let seed = hashed_signed("seed", (2, 61, 70), 1.0).transpose(1, 2)?;
    let copies = |x: &Tensor| pixel_cross_entropy(&x.transpose(2, 3)?.contiguous()?, &labels, None, 255);
    let views = (with_gradient(&logits, &seed, loss)?, with_gradient(&logits, &seed.contiguous()?, copies)?);
    assert_close(&views.0.0, &views.1.0, "view");
    assert_close(&views.0.1, &views.1.1, "gradient of a view");
    Ok(())
}

/// From the definition, in f64.
fn plain(logits: &Tensor, labels: &Tensor, weights: &[f32]) -> Result<Tensor> {
    let x = logits.to_dtype(DType::F64)?;
    let log_sum = x.exp()?.sum_keepdim(1)?.log()?;
    let (n, _, h, w) = x.dims4()?;
    let ids = labels.flatten_all()?.to_vec1::<u8>()?;
    let safe: Vec<u32> = ids.iter().map(|l| if *l == 255 { 0 } else { u32::from(*l) }).collect();
    let chosen = x.gather(&Tensor::from_vec(safe, (n, 1, h, w), &Device::Cpu)?, 1)?;
    let weight = |l: &u8| if *l == 255 { 0.0 } else { f64::from(weights[usize::from(*l)]) };
    let weights = Tensor::from_vec(ids.iter().map(weight).collect(), (n, 1, h, w), &Device::Cpu)?;
    ((log_sum - chosen)? * weights)?.squeeze(1)?.to_dtype(DType::F32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_its_definition(c in 1usize..24, h in 1usize..40, w in 1usize..40, scale in 0.1f64..20.0) {
        let (logits, labels) = (hashed_signed("x", (2, c, h, w), scale), labels(2, h, w, c)?);
        let weights = hashed_uniform("weights", c).to_vec1::<f32>()?;
        let got = pixel_cross_entropy(&logits, &labels, Some(&weights), 255)?;
        assert_close(&got, &plain(&logits, &labels, &weights)?, "cross entropy");
    }

    #[test]
    fn the_gradient_equals_finite_differences(c in 1usize..7, h in 1usize..6, w in 1usize..6, seed in 0u64..99) {
        let (logits, labels) = (hashed_signed("x", (2, c, h, w), 2.0), labels(2, h, w, c)?);
        let weights = hashed_uniform("weights", c).to_vec1::<f32>()?;
        check_gradient(|x| pixel_cross_entropy(&x[0], &labels, Some(&weights), 255), &[logits], seed)?;
    }
}
