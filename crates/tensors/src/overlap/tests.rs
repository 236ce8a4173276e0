use super::*;
use crate::checks::{assert_same_on_any_threads, assert_views_work, with_gradient};
use crate::softmax_channels;
use crate::testing::{assert_close, check_gradient, devices, hashed_labels, hashed_signed};
use candle_core::{DType, Device};
use proptest::prelude::*;

fn configs() -> impl Strategy<Value = OverlapConfig> {
    let probabilities = prop_oneof![Just(Probabilities::Sigmoid), Just(Probabilities::Softmax)];
    (probabilities, 0u8..2, any::<bool>()).prop_map(|(probabilities, first, ignored_count)| OverlapConfig {
        probabilities,
        first,
        ignore: 255,
        ignored_count,
    })
}

/// From the definition, with planes of zeros and ones.
fn plain(x: &Tensor, labels: &Tensor, of: OverlapConfig) -> Result<Tensor> {
    let p = match of.probabilities {
        Probabilities::Sigmoid => candle_nn::ops::sigmoid(x)?,
        Probabilities::Softmax => softmax_channels(x)?,
    };
    let plane = |c: usize| labels.eq(of.first + c as u8);
    let truth = Tensor::stack(&(0..x.dim(1)?).map(plane).collect::<Result<Vec<_>>>()?, 1)?;
    let truth = truth.to_dtype(DType::F32)?;
    let counts =
        labels.ne(of.ignore)?.to_dtype(DType::F32)?.maximum(if of.ignored_count { 1.0 } else { 0.0 })?;
    let predicted = p.broadcast_mul(&counts.unsqueeze(1)?)?.sum_all()?;
    Tensor::stack(&[(p * &truth)?.sum_all()?, predicted, truth.sum_all()?], 0)
}

const CONFIG: OverlapConfig =
    OverlapConfig { probabilities: Probabilities::Softmax, first: 0, ignore: 255, ignored_count: false };

#[test]
fn bad_input_is_named() {
    let (x, labels) = (hashed_signed("x", (1, 2, 1, 3), 1.0), hashed_labels("labels", (1, 3, 1), 2));
    let error = overlap_sums(&x, &labels, CONFIG).unwrap_err().to_string();
    assert!(error.contains("(1, 1, 3)") && error.contains("[1, 3, 1]"), "{error}");
    let labels = Tensor::new(&[[[1u8, 255, 2]]], &Device::Cpu).unwrap();
    let error = overlap_sums(&x, &labels, CONFIG).unwrap_err().to_string();
    assert!(error.contains("label 2 at image 0, row 0, column 2"), "{error}");
    let error = overlap_sums(&x.to_dtype(DType::F64).unwrap(), &labels, CONFIG).unwrap_err().to_string();
    assert!(error.contains("expected f32, got F64"), "{error}");
    overlap_sums(&x, &labels, OverlapConfig { first: 1, ..CONFIG }).unwrap();
}

#[test]
fn a_pixel_that_counts_nowhere_may_hold_anything() -> Result<()> {
    let labels = Tensor::new(&[[[1u8, 255]]], &Device::Cpu)?;
    for probabilities in [Probabilities::Sigmoid, Probabilities::Softmax] {
        let of = OverlapConfig { probabilities, ..CONFIG };
        let x = Tensor::new(&[[[[0f32, f32::NAN]], [[0f32, 1.0]]]], &Device::Cpu)?;
        let seed = Tensor::new(&[1f32, 1.0, 1.0], &Device::Cpu)?;
        let (sums, gradient) = with_gradient(&x, &seed, |x| overlap_sums(x, &labels, of))?;
        assert_eq!(sums.to_vec1::<f32>()?, [0.5, 1.0, 1.0]);
        let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
        assert!(gradient[0].is_finite() && gradient[1] == 0.0 && gradient[3] == 0.0, "{gradient:?}");
    }
    Ok(())
}

#[test]
fn threads_and_views_change_nothing() -> Result<()> {
    let (x, labels) = (hashed_signed("x", (2, 5, 61, 70), 4.0), hashed_labels("labels", (2, 61, 70), 5));
    assert_same_on_any_threads(&x, |x| overlap_sums(x, &labels, CONFIG))?;
    let transposed = labels.transpose(1, 2)?;
    assert_views_work(&x, |x| overlap_sums(x, &transposed, CONFIG)?.reshape((1, 3)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_its_definition(
        (n, c, h, w) in (1usize..3, 1usize..24, 1usize..40, 1usize..40), scale in 0.1f64..20.0, of in configs(),
    ) {
        let (x, labels) = (hashed_signed("x", (n, c, h, w), scale), hashed_labels("labels", (n, h, w), c));
        let seed = hashed_signed("seed", 3, 1.0);
        let (want, want_gradient) = with_gradient(&x, &seed, |x| plain(x, &labels, of))?;
        for device in devices() {
            let (labels, x, seed) = (labels.to_device(&device)?, x.to_device(&device)?, seed.to_device(&device)?);
            let (got, gradient) = with_gradient(&x, &seed, |x| overlap_sums(x, &labels, of))?;
            assert_close(&got, &want, "sums");
            assert_close(&gradient, &want_gradient, "gradient");
        }
    }

    #[test]
    fn the_gradient_equals_finite_differences(
        (c, h, w) in (1usize..6, 1usize..6, 1usize..6), of in configs(), seed in 0u64..99,
    ) {
        let (x, labels) = (hashed_signed("x", (2, c, h, w), 2.0), hashed_labels("labels", (2, h, w), c));
        check_gradient(|x| overlap_sums(&x[0], &labels, of), &[x], seed)?;
    }
}
