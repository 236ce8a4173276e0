use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Storage};
use proptest::prelude::*;

use super::*;
use crate::Parameters;
use crate::testing::{Golden, assert_close, check_gradient, devices, hashed_signed, hashed_uniform};

const DEVICE: &Device = &Device::Cpu;

/// Four tensors by the layer's names.
fn tensors(weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> HashMap<String, Tensor> {
    let names = ["weight", "bias", "running_mean", "running_var"].map(String::from);
    names.into_iter().zip([weight, bias, mean, variance]).collect()
}

fn hashed_tensors(channels: usize) -> HashMap<String, Tensor> {
    tensors(
        (hashed_signed("w", channels, 0.5) + 1.0).unwrap(),
        hashed_signed("b", channels, 1.0),
        hashed_signed("rm", channels, 0.3),
        (hashed_uniform("rv", channels) + 0.5).unwrap(),
    )
}

fn layer(tensors: HashMap<String, Tensor>, activation: Activation) -> Result<BatchNorm> {
    let channels = tensors["weight"].elem_count();
    BatchNorm::new(channels, activation, VarBuilder::from_tensors(tensors, DType::F32, DEVICE))
}

fn stored(activation: Activation, tensors: &HashMap<String, Tensor>) -> Result<(BatchNorm, Parameters)> {
    stored_on(DEVICE, activation, tensors)
}

fn stored_on(
    device: &Device,
    activation: Activation,
    tensors: &HashMap<String, Tensor>,
) -> Result<(BatchNorm, Parameters)> {
    let parameters = Parameters::new(0, device);
    let layer = BatchNorm::new(tensors["weight"].elem_count(), activation, parameters.builder())?;
    parameters.load(tensors)?;
    Ok((layer, parameters))
}

/// Outputs, gradients and running statistics of one golden, on every device.
fn check_golden(case: &str, train: bool) -> Result<()> {
    devices().iter().try_for_each(|device| check_golden_on(device, case, train))
}

fn check_golden_on(device: &Device, case: &str, train: bool) -> Result<()> {
    let golden = Golden::open(Path::new(&format!("tests/golden/{case}.safetensors")))?;
    let given = ["weight", "bias", "const_running_mean", "const_running_var"]
        .map(|name| golden.tensor(&format!("in.{name}")));
    let [weight, bias, mean, variance] = given;
    let given = tensors(weight?, bias?, mean?, variance?);
    let (layer, parameters) = stored_on(device, Activation::None, &given)?;
    let x = Var::from_tensor(&golden.tensor("in.x")?.to_device(device)?)?;
    let y = layer.forward_t(&x, train)?;
    assert_close(&y, &golden.tensor("out.y")?, "y");
    let gradients = (y * golden.tensor("seed.y")?.to_device(device)?)?.sum_all()?.backward()?;
    for (name, tensor) in [("x", x.as_tensor()), ("weight", &layer.weight), ("bias", &layer.bias)] {
        let gradient = gradients.get(tensor).expect(name);
        assert_close(gradient, &golden.tensor(&format!("grad.{name}"))?, name);
    }
    for name in ["running_mean", "running_var"] {
        let source = if train { format!("out.{name}") } else { format!("in.const_{name}") };
        assert_close(&parameters.tensors()[name], &golden.tensor(&source)?, name);
    }
    Ok(())
}

#[test]
fn training_agrees_with_the_reference() -> Result<()> {
    check_golden("batch_norm_train", true)
}

#[test]
fn training_with_one_pixel_agrees_with_the_reference() -> Result<()> {
    check_golden("batch_norm_train_1x1", true)
}

#[test]
fn evaluation_agrees_with_the_reference() -> Result<()> {
    check_golden("batch_norm_eval", false)
}

/// The definition, from candle's operations.
fn plain(x: &Tensor, t: &HashMap<String, Tensor>, activation: Activation, train: bool) -> Result<Tensor> {
    let channels = x.dim(1)?;
    let per_channel = |name: &str| t[name].reshape((1, channels, 1, 1));
    let (mean, variance) = if train {
        let mean = x.mean_keepdim((0, 2, 3))?;
        let variance = x.broadcast_sub(&mean)?.sqr()?.mean_keepdim((0, 2, 3))?;
        (mean, variance)
    } else {
        (per_channel("running_mean")?, per_channel("running_var")?)
    };
    let normal = x.broadcast_sub(&mean)?.broadcast_div(&(variance + EPSILON)?.sqrt()?)?;
    let y = normal.broadcast_mul(&per_channel("weight")?)?.broadcast_add(&per_channel("bias")?)?;
    match activation {
        Activation::None => Ok(y),
        Activation::Relu => y.relu(),
        Activation::Leaky(slope) => y.relu()? - (y.neg()?.relu()? * f64::from(slope))?,
    }
}

/// Output and the gradients for x, weight and bias, of a loss that is a weighted sum.
fn run(
    x: &Tensor,
    t: &HashMap<String, Tensor>,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let y = f(x)?;
    let seed = hashed_signed("seed", y.shape(), 1.0).to_dtype(y.dtype())?;
    let gradients = (&y * seed)?.sum_all()?.backward()?;
    let gradient = |of: &Tensor| gradients.get(of).expect("a gradient").to_dtype(DType::F32);
    Ok(vec![y.to_dtype(DType::F32)?, gradient(x)?, gradient(&t["weight"])?, gradient(&t["bias"])?])
}

fn to_vars(tensors: &HashMap<String, Tensor>, dtype: DType) -> HashMap<String, Tensor> {
    let var = |tensor: &Tensor| Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap().into_inner();
    tensors.iter().map(|(name, tensor)| (name.clone(), var(tensor))).collect()
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::None),
        Just(Activation::Relu),
        Just(Activation::Leaky(0.2)),
        Just(Activation::Leaky(-0.5))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_fast_version_agrees_with_the_definition(
        shape in (1usize..4, 1usize..6, 1usize..12, 2usize..40), activation in activations(), train: bool,
    ) {
        let given = hashed_tensors(shape.1);
        let x = hashed_signed("x", shape, 2.0);
        let (ours, theirs) = (to_vars(&given, DType::F32), to_vars(&given, DType::F64));
        let var = |dtype| Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap();
        let (x32, x64) = (var(DType::F32), var(DType::F64));
        let layer = layer(ours.clone(), activation).unwrap();
        let got = run(&x32, &ours, |x| layer.forward_t(x, train)).unwrap();
        let want = run(&x64, &theirs, |x| plain(x, &theirs, activation, train)).unwrap();
        for (name, (got, want)) in ["y", "dx", "dweight", "dbias"].iter().zip(got.iter().zip(&want)) {
            assert_close(got, want, name);
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in (1usize..3, 1usize..4, 2usize..5, 2usize..5), train: bool, seed: u64,
    ) {
        let given = hashed_tensors(shape.1);
        let inputs = [hashed_signed("x", shape, 2.0), given["weight"].clone(), given["bias"].clone()];
        let normalize = |inputs: &[Tensor]| {
            let (mean, variance) = (given["running_mean"].clone(), given["running_var"].clone());
            let t = tensors(inputs[1].clone(), inputs[2].clone(), mean, variance);
            layer(t, Activation::None)?.forward_t(&inputs[0], train)
        };
        check_gradient(normalize, &inputs, seed).unwrap();
    }
}

#[test]
fn results_do_not_depend_on_the_thread_count() -> Result<()> {
    let x = Var::from_tensor(&hashed_signed("x", (2, 37, 33, 65), 2.0))?;
    let results = |threads: usize| {
        let given = to_vars(&hashed_tensors(37), DType::F32);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let layer = layer(given.clone(), Activation::Relu)?;
        let all = pool.install(|| run(&x, &given, |x| layer.forward_t(x, true)))?;
        all.iter().map(|tensor| tensor.flatten_all()?.to_vec1::<f32>()).collect::<Result<Vec<_>>>()
    };
    assert_eq!(results(1)?, results(3)?);
    Ok(())
}

#[test]
fn views_are_accepted() -> Result<()> {
    let x = Var::from_tensor(&hashed_signed("x", (4, 3, 2, 5), 2.0))?;
    let view = x.transpose(0, 2)?;
    let layer = layer(hashed_tensors(3), Activation::Relu)?;
    assert_close(&layer.forward_t(&view, true)?, &layer.forward_t(&view.copy()?, true)?, "view");
    let gradients = layer.forward_t(&view, true)?.transpose(0, 2)?.sum_all()?.backward()?;
    assert_eq!(gradients.get(&x).expect("a gradient").dims(), x.dims());
    Ok(())
}

#[test]
fn training_changes_the_store_and_evaluation_does_not() -> Result<()> {
    let (layer, parameters) = stored(Activation::Relu, &hashed_tensors(3))?;
    let x = hashed_signed("x", (2, 3, 4, 5), 2.0);
    let before = parameters.tensors();
    layer.forward_t(&x, false)?;
    let same = |name: &str| {
        Ok::<_, candle_core::Error>(
            before[name].to_vec1::<f32>()? == parameters.tensors()[name].to_vec1::<f32>()?,
        )
    };
    assert!(same("running_mean")? && same("running_var")?);
    layer.forward_t(&x, true)?;
    assert!(!same("running_mean")? && !same("running_var")?);
    assert!(same("weight")? && same("bias")?);
    Ok(())
}

#[test]
fn plain_tensors_stay_as_they_are() -> Result<()> {
    let given = hashed_tensors(3);
    let layer = layer(given.clone(), Activation::None)?;
    let before = given["running_mean"].to_vec1::<f32>()?;
    layer.forward_t(&hashed_signed("x", (2, 3, 4, 5), 2.0), true)?;
    assert_eq!(given["running_mean"].to_vec1::<f32>()?, before);
    assert_ne!(layer.running_mean.to_vec1::<f32>()?, before);
    Ok(())
}

#[test]
fn one_value_per_channel_cannot_train() -> Result<()> {
    let parameters = Parameters::new(0, DEVICE);
    let layer = BatchNorm::new(3, Activation::Relu, parameters.builder().pp("pool").pp("norm"))?;
    let x = hashed_signed("x", (1, 3, 1, 1), 1.0);
    let error = layer.forward_t(&x, true).unwrap_err().to_string();
    assert!(
        error.contains("pool.norm") && error.contains("[1, 3, 1, 1]") && error.contains("larger batch"),
        "{error}"
    );
    layer.forward_t(&x, false)?;
    Ok(())
}

#[test]
fn wrong_inputs_are_named() -> Result<()> {
    let layer = layer(hashed_tensors(3), Activation::Relu)?;
    let message = |x: Tensor| layer.forward_t(&x, true).unwrap_err().to_string();
    let channels = message(hashed_signed("x", (1, 4, 2, 2), 1.0));
    assert!(channels.contains("3 channels") && channels.contains("[1, 4, 2, 2]"), "{channels}");
    assert!(message(hashed_signed("x", (4, 3), 1.0)).contains("(N, C, H, W)"));
    assert!(message(hashed_signed("x", (1, 3, 2, 2), 1.0).to_dtype(DType::F64)?).contains("F64"));
    Ok(())
}

#[test]
fn gradients_of_the_parameters_keep_no_map_alive() -> Result<()> {
    let parameters = Parameters::new(0, &Device::Cpu);
    let layer = BatchNorm::new(3, Activation::Relu, parameters.builder())?;
    let y = layer.forward_t(&hashed_signed("x", (2, 3, 5, 7), 1.0), true)?;
    let gradients = crate::backward(&y.sqr()?.sum_all()?)?;
    for (name, variable) in parameters.trainable() {
        let gradient = gradients.get(&variable).expect("a gradient");
        let (storage, _) = gradient.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { panic!("{name} is not in main memory") };
        assert_eq!(storage.as_slice::<f32>()?.len(), 3, "{name}");
    }
    Ok(())
}
