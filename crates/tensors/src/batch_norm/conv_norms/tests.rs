use super::*;
use crate::testing::{assert_close, fill, hashed_signed};
use crate::{Activation, ConvNormConfig, Corners, Parameters, backward, resize_bilinear};
use candle_core::{Device, Var};
use candle_nn::VarBuilder;
use proptest::prelude::*;

/// From `inputs` channels to 5 and 4.
fn layers(inputs: usize, vb: VarBuilder) -> Result<[ConvNorm; 2]> {
    let leaky = ConvNormConfig { activation: Activation::Leaky(0.1), ..Default::default() };
    Ok([
        ConvNorm::new(inputs, 5, 3, leaky, vb.pp("a"))?,
        ConvNorm::new(5, 4, 3, ConvNormConfig::default(), vb.pp("b"))?,
    ])
}

/// The layers' result, its gradients for everything, and the running statistics after it.
type Found = Vec<(String, Tensor)>;

fn found(inputs: &[&Var], run: impl Fn(&[ConvNorm; 2]) -> Result<Tensor>, channels: usize) -> Result<Found> {
    let parameters = Parameters::new(3, &Device::Cpu);
    let layers = layers(channels, parameters.builder())?;
    fill(&parameters)?;
    let y = run(&layers)?;
    let gradients = backward(&(&y * hashed_signed("weights", y.shape(), 1.0))?.sum_all()?)?;
    let mut found = vec![("result".to_owned(), y.detach())];
    for (i, input) in inputs.iter().enumerate() {
        found.push((format!("input {i}"), gradients.get(input).expect("a gradient").clone()));
    }
    for (name, variable) in parameters.trainable() {
        found.push((name, gradients.get(&variable).expect("a gradient").clone()));
    }
    found.extend(
        parameters.all().into_iter().map(|(name, tensor)| (name, tensor.as_tensor().copy().expect("a copy"))),
    );
    Ok(found)
}

/// In the middle of zeros of the size of `like`.
fn centred(x: &Tensor, like: &Tensor) -> Result<Tensor> {
    let ((_, _, h, w), (_, _, height, width)) = (x.dims4()?, like.dims4()?);
    let (above, left) = ((height - h) / 2, (width - w) / 2);
    x.pad_with_zeros(2, above, height - h - above)?.pad_with_zeros(3, left, width - w - left)
}

fn assert_all_close(found: &Found, want: &Found) {
    assert_eq!(found.len(), want.len());
    for ((name, found), (_, want)) in found.iter().zip(want) {
        assert_close(found, want, name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn one_map_passes_as_through_single_layers(
        n in 1usize..3, c in 1usize..7, h in 3usize..12, w in 3usize..12, train: bool,
    ) {
        let x = Var::from_tensor(&hashed_signed("x", (n, c, h, w), 1.0))?;
        let all = found(&[&x], |[a, b]| conv_norms(&[a, b], &x, None, train), c)?;
        let single = |[a, b]: &[ConvNorm; 2]| b.forward_t(&a.forward_t(&x, train)?, train);
        assert_all_close(&all, &found(&[&x], single, c)?);
    }

    #[test]
    fn two_maps_pass_as_one(
        n in 1usize..3, c in 1usize..7, d in 1usize..7, h in 2usize..6, w in 2usize..6,
        odd in (0usize..3, 0usize..3), doubled: bool, train: bool,
    ) {
        let (height, width) = (2 * h + odd.0, 2 * w + odd.1);
        let x = Var::from_tensor(&hashed_signed("x", (n, c, height, width), 1.0))?;
        let size = if doubled { (h, w) } else { (2 * h, 2 * w) };
        let z = Var::from_tensor(&hashed_signed("z", (n, d, size.0, size.1), 1.0))?;
        let beside = if doubled { Beside::Doubled(&z) } else { Beside::Same(&z) };
        let all = found(&[&x, &z], |[a, b]| conv_norms(&[a, b], &x, Some(beside), train), c + d)?;
        let single = |[a, b]: &[ConvNorm; 2]| {
            let z = resize_bilinear(&z, (2 * h, 2 * w), Corners::Aligned)?;
            b.forward_t(&a.forward_t(&Tensor::cat(&[x.as_tensor(), &centred(&z, &x)?], 1)?, train)?, train)
        };
        assert_all_close(&all, &found(&[&x, &z], single, c + d)?);
    }
}

#[test]
fn without_variables_nothing_is_recorded() -> Result<()> {
    let parameters = Parameters::new(3, &Device::Cpu);
    layers(4, parameters.builder())?;
    let tensors = parameters.tensors().into_iter().collect();
    let [a, b] = layers(4, VarBuilder::from_tensors(tensors, candle_core::DType::F32, &Device::Cpu))?;
    let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
    assert!(!conv_norms(&[&a, &b], &x, None, false)?.track_op());
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error() -> Result<()> {
    let parameters = Parameters::new(3, &Device::Cpu);
    let [a, b] = layers(4, parameters.builder())?;
    let (x, large) = (hashed_signed("x", (2, 2, 5, 6), 1.0), hashed_signed("z", (2, 2, 3, 3), 1.0));
    let error = conv_norms(&[&a, &b], &x, Some(Beside::Doubled(&large)), true).unwrap_err().to_string();
    assert!(error.contains("[2, 2, 3, 3] does not fit beside [2, 2, 5, 6]"), "{error}");
    assert!(conv_norms(&[&a, &b], &x, None, true).is_err(), "channels");
    assert!(conv_norms(&[], &x, None, true).is_err(), "no layer");
    Ok(())
}

#[test]
fn a_second_backward_pass_is_an_error() -> Result<()> {
    let parameters = Parameters::new(3, &Device::Cpu);
    let [a, b] = layers(4, parameters.builder())?;
    let y = conv_norms(&[&a, &b], &hashed_signed("x", (2, 4, 5, 6), 1.0), None, true)?.sum_all()?;
    backward(&y)?;
    assert!(backward(&y).unwrap_err().to_string().contains("second backward pass"));
    Ok(())
}
