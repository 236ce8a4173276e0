//! One node against the operations that it stands for.

use super::*;
use crate::testing::{assert_close, check_gradient, fill, hashed_signed};
use crate::{Conv2dConfig, Parameters, backward};
use proptest::prelude::*;

struct Layer {
    parameters: Parameters,
    conv: Conv2d,
    norm: BatchNorm,
}

fn layer(activation: Activation, config: Conv2dConfig) -> Result<Layer> {
    let parameters = Parameters::new(0, &Device::Cpu);
    let conv = Conv2d::new(4, 6, 3, config, parameters.builder().pp("conv"))?;
    let norm = BatchNorm::new(6, activation, parameters.builder().pp("norm"))?;
    fill(&parameters)?;
    Ok(Layer { parameters, conv, norm })
}

type Form = fn(&Tensor, &Conv2d, &BatchNorm, Option<&Tensor>, bool) -> Result<Tensor>;

/// The result, the gradients for x, residual and parameters, and the running statistics afterwards.
fn everything(
    form: Form,
    layer: &Layer,
    x: &Tensor,
    plus: bool,
    train: bool,
) -> Result<Vec<(String, Tensor)>> {
    fill(&layer.parameters)?;
    let x = candle_core::Var::from_tensor(x)?;
    let shape = conv_norm(&x.detach(), &layer.conv, &layer.norm, None, false)?.shape().clone();
    let residual = candle_core::Var::from_tensor(&hashed_signed("residual", shape, 1.0))?;
    let y = form(&x, &layer.conv, &layer.norm, plus.then_some(residual.as_tensor()), train)?;
    let gradients = backward(&(&y * hashed_signed("seed", y.shape(), 1.0))?.sum_all()?)?;
    let mut found = vec![("y".to_owned(), y.detach())];
    let mut variables = layer.parameters.trainable();
    variables.push(("x".to_owned(), x));
    if plus {
        variables.push(("residual".to_owned(), residual));
    }
    for (name, variable) in variables {
        found.push((format!("gradient of {name}"), gradients.get(&variable).expect("a gradient").clone()));
    }
    found.extend(layer.parameters.tensors());
    Ok(found)
}

fn activations() -> impl Strategy<Value = Activation> {
    prop::sample::select(vec![Activation::None, Activation::Relu, Activation::Leaky(0.01)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_node_equals_its_operations(
        (n, h, w) in (1usize..3, 3usize..12, 3usize..20),
        (stride, padding, dilation) in (1usize..3, 1usize..3, 1usize..2),
        activation in activations(),
        plus: bool,
        train: bool,
    ) {
        let layer = layer(activation, Conv2dConfig { stride, padding, dilation, groups: 1 })?;
        let x = hashed_signed("x", (n, 4, h, w), 1.0);
        let one = everything(conv_norm, &layer, &x, plus, train)?;
        let parts = everything(composed, &layer, &x, plus, train)?;
        for ((name, one), (_, parts)) in one.iter().zip(&parts) {
            assert_close(one, parts, name);
        }
    }
}

#[test]
fn gradients_equal_finite_differences() -> Result<()> {
    let layer = layer(Activation::None, Conv2dConfig { padding: 1, ..Default::default() })?;
    let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
    for train in [false, true] {
        check_gradient(
            |x| conv_norm(&x[0], &layer.conv, &layer.norm, None, train),
            std::slice::from_ref(&x),
            3,
        )?;
    }
    Ok(())
}

#[test]
fn without_anything_to_train_the_result_is_the_same() -> Result<()> {
    let layer = layer(Activation::Relu, Conv2dConfig::default())?;
    let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
    let residual = hashed_signed("residual", (2, 6, 3, 4), 1.0);
    let plain = |tensor: &Tensor| tensor.detach();
    let conv = Conv2d { weight: plain(&layer.conv.weight), ..layer.conv.clone() };
    let norm =
        BatchNorm { weight: plain(&layer.norm.weight), bias: plain(&layer.norm.bias), ..layer.norm.clone() };
    for residual in [None, Some(&residual)] {
        let y = conv_norm(&x, &conv, &norm, residual, false)?;
        assert!(!y.track_op());
        let tracked = conv_norm(&x, &layer.conv, &layer.norm, residual, false)?;
        assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, tracked.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(())
}

#[test]
fn weights_that_are_results_receive_gradients() -> Result<()> {
    let layer = layer(Activation::Relu, Conv2dConfig::default())?;
    let halved = Conv2d { weight: (&layer.conv.weight * 0.5)?, ..layer.conv.clone() };
    let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
    let y = conv_norm(&x, &halved, &layer.norm, None, true)?;
    assert!(y.sum_all()?.backward()?.get(&layer.conv.weight).is_some());
    Ok(())
}

#[test]
fn another_backward_pass_is_refused_with_the_remedy() -> Result<()> {
    let layer = layer(Activation::Relu, Conv2dConfig::default())?;
    let y = conv_norm(&hashed_signed("x", (2, 4, 5, 6), 1.0), &layer.conv, &layer.norm, None, true)?;
    let loss = y.sqr()?.sum_all()?;
    backward(&loss)?;
    let error = backward(&loss).unwrap_err().to_string();
    assert!(error.contains("a second backward pass"), "{error}");
    let y = conv_norm(&hashed_signed("x", (2, 4, 5, 6), 1.0), &layer.conv, &layer.norm, None, true)?;
    let error = y.sqr()?.sum_all()?.backward().unwrap_err().to_string();
    assert!(error.contains("sconce_tensors::backward(&loss)"), "{error}");
    Ok(())
}

#[test]
fn a_residual_of_another_shape_is_named() -> Result<()> {
    let layer = layer(Activation::Relu, Conv2dConfig::default())?;
    let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
    let error = conv_norm(&x, &layer.conv, &layer.norm, Some(&x), true).unwrap_err().to_string();
    assert!(error.contains("[2, 6, 3, 4]") && error.contains("[2, 4, 5, 6]"), "{error}");
    Ok(())
}
