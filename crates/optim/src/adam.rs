//! Adam, and AdamW.

use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};
use sconce_tensors::Parameters;
#[cfg(feature = "cuda")]
use sconce_tensors::fused_step;
use serde::Deserialize;

use crate::group::Own;
use crate::slots::Slots;
use crate::{Optimizer, number};

/// The tables `[optim.adam]` and `[optim.adamw]`: running means m of the gradient and v of its square, both corrected for their start
/// at 0; p falls by lr · m / (√v + eps).
///
/// Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1; for AdamW Loshchilov and Hutter 2019, "Decoupled
/// Weight Decay Regularization", algorithm 2, where lr multiplies the decay too, as in PyTorch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Base learning rate, 0 or more.
    pub lr: f64,
    /// Share of m and of v that is kept in each step, 0 or more and less than 1; usually 0.9 and 0.999.
    pub betas: [f64; 2],
    /// Added to the root of v, more than 0; usually 1e-8.
    pub eps: f64,
    /// Share of the parameter added to its gradient (Adam), or that the parameter loses in a step of rate 1 (AdamW); 0 or more. All
    /// parameters decay, except those of a group with another one.
    pub weight_decay: f64,
}

impl Config {
    pub(crate) fn check(&self, table: &str) -> Result<()> {
        number::not_negative(&format!("{table}.lr"), self.lr)?;
        for (i, beta) in self.betas.into_iter().enumerate() {
            number::below_one(&format!("{table}.betas[{i}]"), beta)?;
        }
        number::positive(&format!("{table}.eps"), self.eps)?;
        number::not_negative(&format!("{table}.weight-decay"), self.weight_decay)
    }
}

/// Where the weight decay acts.
#[derive(Clone, Copy)]
pub(crate) enum Decay {
    /// Adam: on the gradient, and so on its running means.
    InGradient,
    /// AdamW: on the parameter alone.
    Decoupled,
}

pub(crate) fn build(
    config: &Config,
    decay: Decay,
    parameters: &Parameters,
    owns: Vec<Own>,
) -> Box<dyn Optimizer> {
    Box::new(Adam { config: config.clone(), decay, slots: Slots::new(parameters, owns, ["m", "v"]) })
}

struct Adam {
    config: Config,
    decay: Decay,
    slots: Slots<2>,
}

impl Optimizer for Adam {
    fn step(&mut self, gradients: &GradStore, lr: f64) -> Result<()> {
        number::not_negative("the learning rate", lr)?;
        let (config, decay) = (&self.config, self.decay);
        #[cfg(feature = "cuda")]
        if self.slots.are_on_card() {
            let [beta_m, beta_v] = config.betas;
            let (new_m, new_v) = ((1.0 - beta_m) as f32, (1.0 - beta_v) as f32);
            let (beta_v, eps) = (beta_v as f32, config.eps as f32);
            let rule = fused_step::Rule::Adam { new_m, beta_v, new_v, eps };
            return self.slots.step_on_card(gradients, rule, |own, steps| {
                let config = Config { weight_decay: own.weight_decay(config.weight_decay), ..config.clone() };
                Numbers::new(&config, decay, lr * own.factor, steps).own()
            });
        }
        self.slots.step(gradients, |own, steps| {
            let config = Config { weight_decay: own.weight_decay(config.weight_decay), ..config.clone() };
            rule(&config, decay, lr * own.factor, steps)
        })
    }

    fn state(&self) -> BTreeMap<String, Tensor> {
        self.slots.state()
    }

    fn restore(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.slots.restore(state)
    }
}

/// The numbers of the rule that change from step to step, or between parameters.
struct Numbers {
    rate: f32,
    decay: f32,
    shrink: f32,
    scale: f32,
}

impl Numbers {
    fn new(config: &Config, decay: Decay, lr: f64, steps: u64) -> Self {
        let [beta_m, beta_v] = config.betas;
        let (decay, shrink) = match decay {
            Decay::InGradient => (config.weight_decay as f32, 1.0),
            Decay::Decoupled => (0.0, (1.0 - lr * config.weight_decay) as f32),
        };
        let corrected = |beta: f64| 1.0 - beta.powf(steps as f64);
        let rate = (lr / corrected(beta_m)) as f32;
        Self { rate, decay, shrink, scale: (1.0 / corrected(beta_v).sqrt()) as f32 }
    }

    #[cfg(feature = "cuda")]
    fn own(self) -> fused_step::Own {
        let Self { rate, decay, shrink, scale } = self;
        fused_step::Own { rate, decay, shrink, scale }
    }
}

/// The rule for one scalar in step number `steps`, with everything that is the same for all scalars computed once in f64.
fn rule(
    config: &Config,
    decay: Decay,
    lr: f64,
    steps: u64,
) -> impl Fn(f32, f32, [f32; 2]) -> (f32, [f32; 2]) + Sync + use<> {
    let [beta_m, beta_v] = config.betas;
    let Numbers { rate, decay, shrink, scale } = Numbers::new(config, decay, lr, steps);
    let (new_m, new_v) = ((1.0 - beta_m) as f32, (1.0 - beta_v) as f32);
    let (beta_v, eps) = (beta_v as f32, config.eps as f32);
    move |p, g, [m, v]| {
        let g = g + decay * p;
        let m = m + new_m * (g - m);
        let v = beta_v * v + new_v * (g * g);
        (p * shrink - rate * m / (v.sqrt() * scale + eps), [m, v])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Config = Config { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 };

    fn refused(config: Config) -> String {
        crate::Config::AdamW(config).check().unwrap_err().to_string()
    }

    #[test]
    fn numbers_without_sense_are_named() {
        crate::Config::AdamW(GOOD).check().unwrap();
        let error = refused(Config { betas: [0.9, 1.0], ..GOOD });
        assert_eq!(error, "optim.adamw.betas[1] is 1, but must be 0 or more and less than 1");
        assert!(refused(Config { eps: 0.0, ..GOOD }).contains("optim.adamw.eps is 0"));
        assert!(refused(Config { lr: f64::INFINITY, ..GOOD }).contains("optim.adamw.lr is inf"));
        assert!(refused(Config { weight_decay: -1.0, ..GOOD }).contains("optim.adamw.weight-decay is -1"));
    }

    #[test]
    fn the_first_step_is_the_rate_whatever_the_gradient() {
        let rule = rule(&GOOD, Decay::InGradient, 0.1, 1);
        for g in [1e-3, 1.0, 1e6] {
            let (p, _) = rule(1.0, g, [0.0; 2]);
            assert!((p - 0.9).abs() < 1e-5, "{p}");
        }
        assert_eq!(rule(1.0, 0.0, [0.0; 2]), (1.0, [0.0; 2]));
    }
}
