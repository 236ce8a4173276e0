//! How the learning rate moves over a run: factors of the base rate, pure functions of the step.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use candle_core::{Result, bail};
use serde::Deserialize;

use crate::{Plateau, number, plateau};

/// The learning rate of a run as a factor of the base rate: a schedule, a warm-up in front of it, and what a plateau remembers.
#[derive(Debug, Clone)]
pub struct Schedule {
    config: Config,
    warmup: Option<Warmup>,
    total: usize,
    plateau: Option<Plateau>,
}

impl Schedule {
    /// The schedule of a run of `total` steps.
    ///
    /// # Errors
    ///
    /// Those of [`Config::check`] and [`Warmup::check`].
    pub fn new(config: &Config, warmup: Option<&Warmup>, total: usize) -> Result<Self> {
        config.check()?;
        warmup.map(Warmup::check).transpose()?;
        let plateau = match config {
            Config::Plateau(config) => Some(Plateau::new(config)?),
            _ => None,
        };
        Ok(Self { config: config.clone(), warmup: warmup.cloned(), total, plateau })
    }

    /// The factor of step number `step`, counted from 0.
    pub fn factor(&self, step: usize) -> f64 {
        self.config.factor(step, self.total)
            * self.warmup.as_ref().map_or(1.0, |warmup| warmup.factor(step))
            * self.plateau.as_ref().map_or(1.0, Plateau::factor)
    }

    /// Takes the score of an evaluation. Only a plateau listens.
    pub fn report(&mut self, score: f64) {
        if let Some(plateau) = &mut self.plateau {
            plateau.report(score);
        }
    }

    /// What the factors depend on besides the config; empty unless it is a plateau.
    pub fn state(&self) -> BTreeMap<String, f64> {
        self.plateau.as_ref().map(Plateau::state).unwrap_or_default()
    }

    /// Goes on from a state that [`Schedule::state`] gave.
    ///
    /// # Errors
    ///
    /// When a key is missing or unknown: nothing has changed then.
    pub fn restore(&mut self, state: &BTreeMap<String, f64>) -> Result<()> {
        match (&mut self.plateau, state.keys().next()) {
            (Some(plateau), _) => plateau.restore(state),
            (None, None) => Ok(()),
            (None, Some(key)) => bail!("the schedule keeps no state, but a saved one has '{key}'"),
        }
    }
}

/// The table `[schedule]`: one of `[schedule.constant]`, `[schedule.poly]`, `[schedule.cosine]`, `[schedule.step]` and
/// `[schedule.plateau]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Config {
    /// The base rate all along.
    Constant,
    /// (1 − step / total)^power, 0 from the last step on.
    Poly {
        /// 1 is a straight line; networks for segmentation use 0.9. 0 or more.
        power: f64,
    },
    /// Half a cosine from 1 at the start to `min-factor` at the end. Loshchilov and Hutter 2017, "SGDR", equation 5, without restarts.
    Cosine {
        /// The last factor, from 0 to 1.
        min_factor: f64,
    },
    /// Multiplied by `gamma` after each `every` steps.
    Step {
        /// Steps of the optimiser between two changes, 1 or more.
        every: usize,
        /// More than 0.
        gamma: f64,
    },
    /// Lowered when a score stops getting better: a function of the scores, not of the step.
    Plateau(plateau::Config),
}

impl Config {
    /// The factor of step number `step`, counted from 0, in a run of `total` steps; past the end it stays at its last value. 1 for a
    /// plateau, whose factor is [`Plateau::factor`].
    pub fn factor(&self, step: usize, total: usize) -> f64 {
        let done = step.min(total) as f64 / total.max(1) as f64;
        match *self {
            Self::Constant | Self::Plateau(_) => 1.0,
            Self::Poly { power } => (1.0 - done).powf(power),
            Self::Cosine { min_factor } => min_factor + (1.0 - min_factor) * 0.5 * (1.0 + (PI * done).cos()),
            Self::Step { every, gamma } => gamma.powf((step / every.max(1)) as f64),
        }
    }

    /// An error naming the first key whose number makes no sense, such as `schedule.poly.power`.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Constant => Ok(()),
            Self::Poly { power } => number::not_negative("schedule.poly.power", *power),
            Self::Cosine { min_factor } => number::share("schedule.cosine.min-factor", *min_factor),
            Self::Step { every, gamma } => {
                number::positive("schedule.step.every", *every as f64)?;
                number::positive("schedule.step.gamma", *gamma)
            }
            Self::Plateau(config) => config.check(),
        }
    }
}

/// The table `[warmup]`: a straight line from `start-factor` in step 0 to 1 in step number `steps`, multiplied with the schedule.
///
/// Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Warmup {
    /// Length in steps of the optimiser.
    pub steps: usize,
    /// The first factor, from 0 to 1.
    pub start_factor: f64,
}

impl Warmup {
    /// The factor of step number `step`, counted from 0.
    pub fn factor(&self, step: usize) -> f64 {
        match step < self.steps {
            true => self.start_factor + (1.0 - self.start_factor) * step as f64 / self.steps as f64,
            false => 1.0,
        }
    }

    /// An error when `warmup.start-factor` makes no sense.
    pub fn check(&self) -> Result<()> {
        number::share("warmup.start-factor", self.start_factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> std::result::Result<Config, toml::de::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Run {
            schedule: Config,
        }
        toml::from_str::<Run>(text).map(|run| run.schedule)
    }

    #[test]
    fn each_schedule_is_a_table() {
        for (text, want) in [
            ("[schedule.constant]", Config::Constant),
            ("schedule = 'constant'", Config::Constant),
            ("[schedule.poly]\npower = 0.9", Config::Poly { power: 0.9 }),
            ("[schedule.cosine]\nmin-factor = 0", Config::Cosine { min_factor: 0.0 }),
            ("[schedule.step]\nevery = 10\ngamma = 0.3", Config::Step { every: 10, gamma: 0.3 }),
        ] {
            assert_eq!(parse(text).unwrap(), want, "{text}");
        }
        let error = parse("[schedule.poly]\npower = 0.9\ntotal = 7").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("total"), "{error}");
    }

    #[test]
    fn numbers_without_sense_are_named() {
        for (config, key) in [
            (Config::Poly { power: -1.0 }, "schedule.poly.power is -1"),
            (Config::Cosine { min_factor: 1.5 }, "schedule.cosine.min-factor is 1.5"),
            (Config::Step { every: 0, gamma: 0.1 }, "schedule.step.every is 0"),
            (Config::Step { every: 1, gamma: f64::NAN }, "schedule.step.gamma is NaN"),
        ] {
            let error = Schedule::new(&config, None, 10).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        let warmup = Warmup { steps: 3, start_factor: -0.5 };
        let error = Schedule::new(&Config::Constant, Some(&warmup), 10).unwrap_err().to_string();
        assert!(error.contains("warmup.start-factor is -0.5"), "{error}");
    }

    #[test]
    fn a_warm_up_is_a_line_in_front_of_the_schedule() -> Result<()> {
        let warmup = Warmup { steps: 4, start_factor: 0.2 };
        let schedule = Schedule::new(&Config::Poly { power: 1.0 }, Some(&warmup), 10)?;
        let factors: Vec<f64> = (0..6).map(|step| schedule.factor(step)).collect();
        for (got, want) in factors.iter().zip([0.2, 0.4 * 0.9, 0.6 * 0.8, 0.8 * 0.7, 0.6, 0.5]) {
            assert!((got - want).abs() < 1e-12, "{factors:?}");
        }
        assert_eq!(Warmup { steps: 0, start_factor: 0.2 }.factor(0), 1.0);
        Ok(())
    }

    #[test]
    fn only_a_plateau_keeps_state() -> Result<()> {
        let mut schedule = Schedule::new(&Config::Constant, None, 10)?;
        schedule.report(0.5);
        assert!(schedule.state().is_empty());
        schedule.restore(&BTreeMap::new())?;
        schedule.restore(&BTreeMap::from([("best".to_string(), 1.0)])).unwrap_err();
        Ok(())
    }

    proptest! {
        #[test]
        fn factors_fall_from_one_and_stay_in_range(
            total in 0..200usize,
            power in 0.0..3.0f64,
            low in 0.0..1.0f64,
            every in 1..30usize,
        ) {
            let step = Config::Step { every, gamma: low.max(1e-3) };
            let configs = [Config::Poly { power }, Config::Cosine { min_factor: low }, step];
            for config in configs {
                let factors: Vec<f64> = (0..total + 20).map(|step| config.factor(step, total)).collect();
                prop_assert_eq!(factors[0], 1.0);
                prop_assert!(factors.iter().all(|f| (0.0..=1.0).contains(f)));
                let falls = factors.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12);
                prop_assert!(falls, "{:?}", config);
            }
        }
    }
}
