//! Optimisers against PyTorch's parameters after each of 8 steps, schedules against its learning rates.

use std::path::PathBuf;

use candle_core::{Device, Result, Tensor};
use sconce_optim::{Config, Optimizer, Plateau, adam, plateau, schedule, sgd};
use sconce_tensors::Parameters;
use sconce_tensors::testing::{Golden, assert_close};
use serde_json::Value;

fn golden(name: &str) -> Result<Golden> {
    Golden::open(&PathBuf::from(format!("tests/golden/{name}.safetensors")))
}

fn number(attrs: &Value, key: &str) -> f64 {
    attrs[key].as_f64().unwrap_or(0.0)
}

fn sgd(attrs: &Value) -> Config {
    Config::Sgd(sgd::Config {
        lr: number(attrs, "lr"),
        momentum: number(attrs, "momentum"),
        weight_decay: number(attrs, "weight_decay"),
        nesterov: attrs["nesterov"].as_bool().unwrap_or(false),
    })
}

fn adam(attrs: &Value) -> adam::Config {
    let beta = |i: usize| attrs["betas"][i].as_f64().unwrap();
    adam::Config {
        lr: number(attrs, "lr"),
        betas: [beta(0), beta(1)],
        eps: number(attrs, "eps"),
        weight_decay: number(attrs, "weight_decay"),
    }
}

/// The golden's problem: the sum of a p⁴ / 4 + b p.
struct Problem {
    a: Tensor,
    b: Tensor,
    parameters: Parameters,
}

impl Problem {
    fn new(golden: &Golden) -> Result<Self> {
        let parameters = Parameters::new(0, &Device::Cpu);
        parameters.builder().get(5, "p")?;
        parameters.all()[0].1.set(&golden.tensor("in.p")?)?;
        Ok(Self { a: golden.tensor("in.a")?, b: golden.tensor("in.b")?, parameters })
    }

    fn step(&self, optimizer: &mut dyn Optimizer, lr: f64) -> Result<Tensor> {
        let p = self.parameters.builder().get(5, "p")?;
        let loss = ((p.sqr()?.sqr()? * &self.a)? / 4.0)?.add(&(&p * &self.b)?)?.sum_all()?;
        optimizer.step(&loss.backward()?, lr)?;
        p.copy()
    }
}

fn check(name: &str, config: impl Fn(&Value) -> Config) -> Result<()> {
    let golden = golden(&format!("optim_{name}"))?;
    let problem = Problem::new(&golden)?;
    let config = config(golden.attrs());
    let mut optimizer = config.build(&problem.parameters)?;
    let steps = golden.tensor("out.steps")?;
    for step in 0..8 {
        let p = problem.step(optimizer.as_mut(), config.lr())?;
        assert_close(&p, &steps.get(step)?, &format!("{name}, step {step}"));
    }
    Ok(())
}

#[test]
fn sgd_steps_as_pytorch() -> Result<()> {
    check("sgd", sgd)?;
    check("sgd_momentum_wd", sgd)?;
    check("sgd_nesterov", sgd)
}

#[test]
fn adam_steps_as_pytorch() -> Result<()> {
    check("adam", |attrs| Config::Adam(adam(attrs)))?;
    check("adam_wd", |attrs| Config::Adam(adam(attrs)))?;
    check("adamw", |attrs| Config::AdamW(adam(attrs)))
}

fn rates(golden: &Golden) -> Result<Vec<f32>> {
    golden.tensor("out.lr")?.to_vec1()
}

fn assert_rates(got: impl Iterator<Item = f64>, want: &[f32], what: &str) {
    for (step, (got, want)) in got.zip(want).enumerate() {
        assert!((got - f64::from(*want)).abs() < 1e-6, "{what}, step {step}: {got} instead of {want}");
    }
}

fn check_schedule(name: &str, config: impl Fn(&Value) -> schedule::Config) -> Result<()> {
    let golden = golden(&format!("schedule_{name}"))?;
    let config = config(golden.attrs());
    let want = rates(&golden)?;
    assert_rates((0..want.len()).map(|step| config.factor(step, 40)), &want, name);
    Ok(())
}

#[test]
fn schedules_follow_pytorch() -> Result<()> {
    check_schedule("poly", |attrs| schedule::Config::Poly { power: number(attrs, "power") })?;
    check_schedule("cosine", |attrs| schedule::Config::Cosine { min_factor: number(attrs, "min_lr") })?;
    check_schedule("step", |attrs| schedule::Config::Step {
        every: attrs["step"].as_u64().unwrap() as usize,
        gamma: number(attrs, "gamma"),
    })
}

#[test]
fn the_plateau_falls_when_pytorchs_does() -> Result<()> {
    let golden = golden("schedule_reduce_on_plateau")?;
    let attrs = golden.attrs();
    let mut plateau = Plateau::new(&plateau::Config {
        mode: plateau::Mode::Min,
        factor: number(attrs, "factor"),
        patience: attrs["patience"].as_u64().unwrap() as usize,
        threshold: number(attrs, "threshold"),
        cooldown: 0,
        min_factor: number(attrs, "min_lr"),
    })?;
    // The scores as the decimal numbers they were: f32 would blur those that differ from the best by the threshold.
    let scores: Vec<f32> = golden.tensor("in.values")?.to_vec1()?;
    let decimal = |score: f32| (f64::from(score) * 1e5).round() / 1e5;
    let factors = scores.into_iter().map(|score| {
        let factor = plateau.factor();
        plateau.report(decimal(score));
        factor
    });
    assert_rates(factors, &rates(&golden)?, "plateau");
    Ok(())
}
