//! What all optimisers have in common, and the choice of one.

use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};
use sconce_tensors::Parameters;
use serde::Deserialize;

use crate::{adam, group, sgd};

/// Changes the parameters it was built from so that a loss falls.
pub trait Optimizer: Send {
    /// One step along the gradients with the learning rate `lr`, in place. Parameters without a gradient are left as they are, and so
    /// is their state.
    ///
    /// # Errors
    ///
    /// When `lr` is negative or not finite: nothing has changed then.
    fn step(&mut self, gradients: &GradStore, lr: f64) -> Result<()>;

    /// Copies of everything that the next steps depend on besides parameters, gradients and rate: `momentum.<parameter>` (SGD with
    /// momentum), `m.<parameter>` and `v.<parameter>` (Adam), and `steps`, the number of steps each parameter has had, in the order of
    /// names, (P) i64.
    fn state(&self) -> BTreeMap<String, Tensor>;

    /// Goes on from a state that an optimiser of the same kind gave for the same parameters.
    ///
    /// # Errors
    ///
    /// When a tensor is missing, unknown or of another shape: it is named, and nothing has changed.
    fn restore(&mut self, state: &HashMap<String, Tensor>) -> Result<()>;
}

/// The table `[optim]`: one of `[optim.sgd]`, `[optim.adam]` and `[optim.adamw]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Config {
    /// Stochastic gradient descent.
    Sgd(sgd::Config),
    /// Adam; the weight decay is part of the gradient (L2).
    Adam(adam::Config),
    /// Adam; the weight decay is apart from the gradient (decoupled).
    AdamW(adam::Config),
}

impl Config {
    /// An optimiser of all trainable parameters that exist now.
    ///
    /// # Errors
    ///
    /// Those of [`Config::check`].
    pub fn build(&self, parameters: &Parameters) -> Result<Box<dyn Optimizer>> {
        self.build_grouped(&[], parameters)
    }

    /// As [`Config::build`], where the parameters of `groups` have a rate and a weight decay of their own. Its state is the same with
    /// any groups.
    ///
    /// # Errors
    ///
    /// Those of [`Config::check`] and of [`group::check`]; a prefix with which no parameter begins, and a parameter in two groups.
    pub fn build_grouped(
        &self,
        groups: &[group::Config],
        parameters: &Parameters,
    ) -> Result<Box<dyn Optimizer>> {
        self.check()?;
        let owns = group::assign(groups, parameters)?;
        Ok(match self {
            Self::Sgd(config) => sgd::build(config, parameters, owns),
            Self::Adam(config) => adam::build(config, adam::Decay::InGradient, parameters, owns),
            Self::AdamW(config) => adam::build(config, adam::Decay::Decoupled, parameters, owns),
        })
    }

    /// The base learning rate, to be multiplied by the schedule's factor.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Sgd(config) => config.lr,
            Self::Adam(config) | Self::AdamW(config) => config.lr,
        }
    }

    /// An error naming the first key whose number makes no sense, such as `optim.sgd.momentum`.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Sgd(config) => config.check("optim.sgd"),
            Self::Adam(config) => config.check("optim.adam"),
            Self::AdamW(config) => config.check("optim.adamw"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> std::result::Result<Config, toml::de::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Run {
            optim: Config,
        }
        toml::from_str::<Run>(text).map(|run| run.optim)
    }

    #[test]
    fn each_optimiser_is_a_table() {
        let sgd =
            parse("[optim.sgd]\nlr = 0.003\nmomentum = 0.9\nweight-decay = 5e-4\nnesterov = false").unwrap();
        assert_eq!(
            sgd,
            Config::Sgd(sgd::Config { lr: 0.003, momentum: 0.9, weight_decay: 5e-4, nesterov: false })
        );
        let adam = adam::Config { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 };
        let keys = "lr = 0.001\nbetas = [0.9, 0.999]\neps = 1e-8\nweight-decay = 0";
        assert_eq!(parse(&format!("[optim.adam]\n{keys}")).unwrap(), Config::Adam(adam.clone()));
        let adamw = parse(&format!("[optim.adamw]\n{keys}")).unwrap();
        assert_eq!(adamw, Config::AdamW(adam));
        assert_eq!(adamw.lr(), 1e-3);
    }

    #[test]
    fn a_misspelt_key_is_found_with_its_line() {
        let error = parse("[optim.sgd]\nlr = 0.003\nmomentun = 0.9").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("momentun"), "{error}");
        assert!(error.contains("`weight-decay`"), "{error}");
        let error = parse("[optim.lion]\nlr = 0.003").unwrap_err().to_string();
        assert!(error.contains("lion") && error.contains("`adamw`"), "{error}");
        let error = parse("[optim.sgd]\nlr = 0.003\n[optim.adam]").unwrap_err().to_string();
        assert!(error.contains("line 1") || error.contains("line 3"), "{error}");
    }
}
