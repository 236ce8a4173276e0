//! Saving, restoring, and parameters that some steps leave out.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use sconce_optim::{Config, Optimizer, adam, sgd};
use sconce_tensors::Parameters;
use sconce_tensors::testing::{fill, hashed_signed};

const LR: f64 = 0.05;

fn configs() -> [Config; 5] {
    let sgd = sgd::Config { lr: LR, momentum: 0.9, weight_decay: 5e-4, nesterov: false };
    let adam = adam::Config { lr: LR, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1 };
    [
        Config::Sgd(sgd::Config { momentum: 0.0, ..sgd.clone() }),
        Config::Sgd(sgd::Config { nesterov: true, ..sgd.clone() }),
        Config::Sgd(sgd),
        Config::Adam(adam.clone()),
        Config::AdamW(adam),
    ]
}

/// A small network's parameters, one of them larger than a task's share of scalars, and a buffer.
fn parameters() -> Result<Parameters> {
    let parameters = Parameters::new(0, &Device::Cpu);
    let vb = parameters.builder();
    vb.get((50, 30, 5, 5), "conv.weight")?;
    vb.get(7, "conv.bias")?;
    vb.get(7, "norm.running_mean")?;
    fill(&parameters)?;
    Ok(parameters)
}

/// A step on the sum of (p - target)² with another target at each step, over the parameters that `take` names.
fn step(
    parameters: &Parameters,
    optimizer: &mut dyn Optimizer,
    number: usize,
    take: impl Fn(&str) -> bool,
) -> Result<()> {
    let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for (name, var) in parameters.all().into_iter().filter(|(name, _)| take(name)) {
        let target = hashed_signed(&format!("{name} {number}"), var.shape(), 1.0);
        loss = (loss + (var.as_tensor() - target)?.sqr()?.sum_all()?)?;
    }
    optimizer.step(&loss.backward()?, LR / (number + 1) as f64)
}

fn values(parameters: &Parameters) -> Result<Vec<Vec<f32>>> {
    parameters.tensors().values().map(|tensor| tensor.flatten_all()?.to_vec1()).collect()
}

/// As a checkpoint keeps it.
fn saved(optimizer: &dyn Optimizer) -> HashMap<String, Tensor> {
    optimizer.state().into_iter().collect()
}

#[test]
fn a_restored_optimiser_goes_on_bit_for_bit() -> Result<()> {
    for config in configs() {
        let (first, second) = (parameters()?, parameters()?);
        let (mut one, mut other) = (config.build(&first)?, config.build(&second)?);
        for number in 0..3 {
            step(&first, one.as_mut(), number, |_| true)?;
        }
        second.load(&first.tensors().into_iter().collect())?;
        other.restore(&saved(one.as_ref()))?;
        for number in 3..6 {
            step(&first, one.as_mut(), number, |_| true)?;
            step(&second, other.as_mut(), number, |_| true)?;
        }
        assert_eq!(values(&first)?, values(&second)?, "{config:?}");
    }
    Ok(())
}

#[test]
fn a_saved_state_does_not_follow_later_steps() -> Result<()> {
    for config in configs() {
        let parameters = parameters()?;
        let mut optimizer = config.build(&parameters)?;
        step(&parameters, optimizer.as_mut(), 0, |_| true)?;
        let kept = saved(optimizer.as_ref());
        let before = kept["steps"].to_vec1::<i64>()?;
        step(&parameters, optimizer.as_mut(), 1, |_| true)?;
        assert_eq!(kept["steps"].to_vec1::<i64>()?, before);
        assert_eq!(optimizer.state()["steps"].to_vec1::<i64>()?, [2, 2]);
    }
    Ok(())
}

#[test]
fn parameters_without_a_gradient_are_left_alone() -> Result<()> {
    for config in configs() {
        let (mixed, alone) = (parameters()?, parameters()?);
        let (mut optimizer, mut other) = (config.build(&mixed)?, config.build(&alone)?);
        let bias = |parameters: &Parameters| parameters.tensors()["conv.bias"].to_vec1::<f32>();
        let start = bias(&mixed)?;
        step(&mixed, optimizer.as_mut(), 0, |name| name == "conv.weight")?;
        assert_eq!(bias(&mixed)?, start, "{config:?}");
        // Its next step is a first step: as if the optimiser had never met another parameter.
        step(&mixed, optimizer.as_mut(), 1, |name| name == "conv.bias")?;
        step(&alone, other.as_mut(), 1, |name| name == "conv.bias")?;
        assert_eq!(bias(&mixed)?, bias(&alone)?, "{config:?}");
        assert_ne!(bias(&mixed)?, start);
    }
    Ok(())
}

#[test]
fn buffers_are_not_changed_even_when_a_gradient_exists() -> Result<()> {
    let parameters = parameters()?;
    let before = parameters.tensors()["norm.running_mean"].to_vec1::<f32>()?;
    let mut optimizer = configs()[2].build(&parameters)?;
    step(&parameters, optimizer.as_mut(), 0, |_| true)?;
    assert_eq!(parameters.tensors()["norm.running_mean"].to_vec1::<f32>()?, before);
    assert_eq!(
        optimizer.state().into_keys().collect::<Vec<_>>(),
        ["momentum.conv.bias", "momentum.conv.weight", "steps"]
    );
    Ok(())
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() -> Result<()> {
    let parameters = parameters()?;
    let [plain, _, momentum, adam, _] = configs();
    let mut optimizer = momentum.build(&parameters)?;
    step(&parameters, optimizer.as_mut(), 0, |_| true)?;
    let before = saved(optimizer.as_ref());

    let mut missing = before.clone();
    missing.remove("momentum.conv.bias");
    let mut bent = before.clone();
    bent.insert("momentum.conv.bias".to_string(), Tensor::zeros(3, DType::F32, &Device::Cpu)?);
    let mut unknown = before.clone();
    unknown.insert("momentum.conv2.bias".to_string(), Tensor::zeros(3, DType::F32, &Device::Cpu)?);
    let of_adam = saved(adam.build(&parameters)?.as_ref());
    for (state, names) in [
        (&missing, "no 'momentum.conv.bias'"),
        (&bent, "'momentum.conv.bias' has the shape [3]"),
        (&unknown, "'momentum.conv2.bias'"),
        (&of_adam, "no 'momentum.conv.bias'"),
    ] {
        let error = optimizer.restore(state).unwrap_err().to_string();
        assert!(error.contains(names), "{error}");
    }
    plain.build(&parameters)?.restore(&before).unwrap_err();

    let after = saved(optimizer.as_ref());
    for (name, tensor) in &before {
        let list = |t: &Tensor| t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        assert_eq!(list(tensor)?, list(&after[name])?, "{name}");
    }
    Ok(())
}

#[test]
fn a_rate_that_is_not_a_number_changes_nothing() -> Result<()> {
    for config in configs() {
        let parameters = parameters()?;
        let before = values(&parameters)?;
        let mut optimizer = config.build(&parameters)?;
        let loss = parameters.all()[0].1.sqr()?.sum_all()?;
        for lr in [f64::NAN, -1.0, f64::INFINITY] {
            let error = optimizer.step(&loss.backward()?, lr).unwrap_err().to_string();
            assert!(error.contains("learning rate"), "{error}");
        }
        assert_eq!(values(&parameters)?, before);
    }
    Ok(())
}

#[test]
fn the_number_of_threads_does_not_matter() -> Result<()> {
    let run = |threads: usize| -> Result<Vec<Vec<f32>>> {
        let parameters = parameters()?;
        let mut optimizer = configs()[4].build(&parameters)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (0..3).try_for_each(|n| step(&parameters, optimizer.as_mut(), n, |_| true)))?;
        values(&parameters)
    };
    assert_eq!(run(1)?, run(3)?);
    Ok(())
}
