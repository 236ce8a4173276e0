//! Groups of parameters: as if each had an optimiser of its own.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use sconce_optim::{Config, Optimizer, adam, group, sgd};
use sconce_tensors::Parameters;
use sconce_tensors::testing::{fill, hashed_signed};

const LR: f64 = 0.05;
const SHAPES: [(&str, usize); 4] =
    [("backbone.bias", 5), ("backbone.weight", 40), ("head.bias", 3), ("head.weight", 60)];

fn sgd(rate: f64, decay: f64) -> Config {
    Config::Sgd(sgd::Config { lr: rate, momentum: 0.9, weight_decay: decay, nesterov: true })
}

fn adam(rate: f64, decay: f64) -> adam::Config {
    adam::Config { lr: rate, betas: [0.9, 0.99], eps: 1e-8, weight_decay: decay }
}

/// Every kind of optimiser, from its weight decay.
fn kinds() -> [fn(f64) -> Config; 3] {
    [|decay| sgd(LR, decay), |decay| Config::Adam(adam(LR, decay)), |decay| Config::AdamW(adam(LR, decay))]
}

/// The parameters whose names begin so, with the same values in every store.
fn parameters(prefix: &str) -> Result<Parameters> {
    let parameters = Parameters::new(0, &Device::Cpu);
    for (name, len) in SHAPES.into_iter().filter(|(name, _)| name.starts_with(prefix)) {
        parameters.builder().get(len, name)?;
    }
    fill(&parameters)?;
    Ok(parameters)
}

fn group(prefix: &str, factor: f64, weight_decay: Option<f64>) -> group::Config {
    group::Config { prefixes: vec![prefix.to_string()], factor, weight_decay }
}

/// A step of a falling rate on the sum of (p - target)², with another target at each step.
fn step(parameters: &Parameters, optimizer: &mut dyn Optimizer, number: usize, factor: f64) -> Result<()> {
    let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for (name, var) in parameters.all() {
        let target = hashed_signed(&format!("{name} {number}"), var.shape(), 1.0);
        loss = (loss + (var.as_tensor() - target)?.sqr()?.sum_all()?)?;
    }
    optimizer.step(&loss.backward()?, LR / (number + 1) as f64 * factor)
}

fn values(parameters: &Parameters) -> Result<HashMap<String, Vec<f32>>> {
    parameters.tensors().into_iter().map(|(name, tensor)| Ok((name, tensor.to_vec1()?))).collect()
}

#[test]
fn a_group_is_as_an_optimiser_of_its_own() -> Result<()> {
    for kind in kinds() {
        let (whole, head, backbone) = (parameters("")?, parameters("head.")?, parameters("backbone.")?);
        let groups = [group("head.", 10.0, Some(0.0)), group("backbone.", 0.3, None)];
        let mut grouped = kind(0.2).build_grouped(&groups, &whole)?;
        let (mut first, mut second) = (kind(0.0).build(&head)?, kind(0.2).build(&backbone)?);
        for number in 0..4 {
            step(&whole, grouped.as_mut(), number, 1.0)?;
            step(&head, first.as_mut(), number, 10.0)?;
            step(&backbone, second.as_mut(), number, 0.3)?;
        }
        let mut apart = values(&head)?;
        apart.extend(values(&backbone)?);
        assert_eq!(values(&whole)?, apart, "{:?}", kind(0.2));
    }
    Ok(())
}

#[test]
fn the_others_step_as_without_groups_and_a_factor_of_0_stands_still() -> Result<()> {
    for kind in kinds() {
        let (grouped, plain, start) = (parameters("")?, parameters("")?, values(&parameters("")?)?);
        let mut one = kind(0.1).build_grouped(&[group("head.weight", 0.0, None)], &grouped)?;
        let mut other = kind(0.1).build(&plain)?;
        for number in 0..3 {
            step(&grouped, one.as_mut(), number, 1.0)?;
            step(&plain, other.as_mut(), number, 1.0)?;
        }
        let (after, free) = (values(&grouped)?, values(&plain)?);
        for (name, _) in SHAPES {
            let wanted = if name == "head.weight" { &start[name] } else { &free[name] };
            assert_eq!(&after[name], wanted, "{name}");
        }
    }
    Ok(())
}

#[test]
fn a_state_goes_from_one_grouping_to_another() -> Result<()> {
    for kind in kinds() {
        let (first, second) = (parameters("")?, parameters("")?);
        let groups = [group("head.", 2.0, Some(0.5))];
        let mut one = kind(0.1).build_grouped(&groups, &first)?;
        step(&first, one.as_mut(), 0, 1.0)?;
        second.load(&first.tensors().into_iter().collect())?;
        let state = one.state();
        let mut plain = kind(0.1).build(&second)?;
        plain.restore(&state.clone().into_iter().collect())?;
        assert!(state.keys().eq(plain.state().keys()));
        let mut other = kind(0.1).build_grouped(&groups, &second)?;
        other.restore(&state.into_iter().collect())?;
        step(&first, one.as_mut(), 1, 1.0)?;
        step(&second, other.as_mut(), 1, 1.0)?;
        assert_eq!(values(&first)?, values(&second)?);
    }
    Ok(())
}
