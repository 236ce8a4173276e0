//! Stochastic gradient descent with momentum, weight decay and Nesterov's look-ahead.

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

/// The table `[optim.sgd]`: with g = gradient + weight decay · p, the buffer becomes b = momentum · b + g (so g in the first step) and
/// p falls by lr · b, or by lr · (g + momentum · b) with Nesterov's look-ahead. As in PyTorch, without damping.
///
/// Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Base learning rate, 0 or more.
    pub lr: f64,
    /// Share of the last direction that is kept, 0 or more and less than 1; 0 needs no memory.
    pub momentum: f64,
    /// Share of the parameter added to its gradient (L2), 0 or more. All parameters decay, except those of a group with another one.
    pub weight_decay: f64,
    /// Whether the gradient counts as if it was taken one momentum step ahead.
    pub nesterov: bool,
}

impl Config {
    pub(crate) fn check(&self, table: &str) -> Result<()> {
        number::not_negative(&format!("{table}.lr"), self.lr)?;
        number::below_one(&format!("{table}.momentum"), self.momentum)?;
        number::not_negative(&format!("{table}.weight-decay"), self.weight_decay)?;
        if self.nesterov && self.momentum == 0.0 {
            let text = format!("{table}.nesterov is true, but {table}.momentum is 0");
            return Err(number::refusal(text));
        }
        Ok(())
    }
}

pub(crate) fn build(config: &Config, parameters: &Parameters, owns: Vec<Own>) -> Box<dyn Optimizer> {
    let config = config.clone();
    match config.momentum == 0.0 {
        true => Box::new(Sgd { config, slots: Slots::new(parameters, owns, []) }),
        false => Box::new(Sgd { config, slots: Slots::new(parameters, owns, ["momentum"]) }),
    }
}

/// With K = 0 buffers or K = 1.
struct Sgd<const K: usize> {
    config: Config,
    slots: Slots<K>,
}

impl<const K: usize> Optimizer for Sgd<K> {
    fn step(&mut self, gradients: &GradStore, lr: f64) -> Result<()> {
        number::not_negative("the learning rate", lr)?;
        let config = &self.config;
        #[cfg(feature = "cuda")]
        if self.slots.are_on_card() {
            let rule = fused_step::Rule::Sgd { momentum: config.momentum as f32, nesterov: config.nesterov };
            return self.slots.step_on_card(gradients, rule, |own, _| fused_step::Own {
                rate: (lr * own.factor) as f32,
                decay: own.weight_decay(config.weight_decay) as f32,
                ..Default::default()
            });
        }
        self.slots.step(gradients, |own, _| rule(config, own, lr))
    }

    fn state(&self) -> BTreeMap<String, Tensor> {
        self.slots.state()
    }

    fn restore(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        self.slots.restore(state)
    }
}

/// The rule for one scalar.
fn rule<const K: usize>(
    config: &Config,
    own: &Own,
    lr: f64,
) -> impl Fn(f32, f32, [f32; K]) -> (f32, [f32; K]) + Sync + use<K> {
    let (lr, momentum) = ((lr * own.factor) as f32, config.momentum as f32);
    let (decay, nesterov) = (own.weight_decay(config.weight_decay) as f32, config.nesterov);
    move |p, g, mut memory| {
        let g = g + decay * p;
        let direction = match memory.first_mut() {
            None => g,
            Some(buffer) => {
                *buffer = momentum * *buffer + g;
                if nesterov { g + momentum * *buffer } else { *buffer }
            }
        };
        (p - lr * direction, memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Config = Config { lr: 0.1, momentum: 0.9, weight_decay: 5e-4, nesterov: false };

    fn refused(config: Config) -> String {
        crate::Config::Sgd(config).check().unwrap_err().to_string()
    }

    #[test]
    fn numbers_without_sense_are_named() {
        crate::Config::Sgd(GOOD).check().unwrap();
        let error = refused(Config { lr: -0.1, ..GOOD });
        assert_eq!(error, "optim.sgd.lr is -0.1, but must be 0 or more");
        let error = refused(Config { momentum: 1.0, ..GOOD });
        assert_eq!(error, "optim.sgd.momentum is 1, but must be 0 or more and less than 1");
        assert!(refused(Config { lr: f64::NAN, ..GOOD }).contains("optim.sgd.lr is NaN"));
        assert!(refused(Config { weight_decay: f64::INFINITY, ..GOOD }).contains("weight-decay is inf"));
        let error = refused(Config { momentum: 0.0, nesterov: true, ..GOOD });
        assert_eq!(error, "optim.sgd.nesterov is true, but optim.sgd.momentum is 0");
    }
}
