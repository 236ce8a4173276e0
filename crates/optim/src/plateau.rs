//! A learning rate that falls when a score stops getting better.

use std::collections::BTreeMap;

use candle_core::{Result, bail};
use serde::Deserialize;

use crate::number;

/// The table `[schedule.plateau]`: after more than `patience` evaluations in a row that were no better than the best, the factor is
/// multiplied by `factor`. As PyTorch's `ReduceLROnPlateau` with a relative threshold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Whether a lower or a higher score is better.
    pub mode: Mode,
    /// What the rate is multiplied by, more than 0 and less than 1.
    pub factor: f64,
    /// Evaluations without a better score that are accepted.
    pub patience: usize,
    /// By which share of the best score another must beat it, 0 or more; usually 1e-4.
    pub threshold: f64,
    /// Evaluations after a change during which bad ones do not count.
    pub cooldown: usize,
    /// The factor of the base rate below which the rate never falls, from 0 to 1.
    pub min_factor: f64,
}

/// Which way a score gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Down, as a loss.
    Min,
    /// Up, as an accuracy.
    Max,
}

impl Config {
    pub(crate) fn check(&self) -> Result<()> {
        number::positive("schedule.plateau.factor", self.factor)?;
        number::below_one("schedule.plateau.factor", self.factor)?;
        number::not_negative("schedule.plateau.threshold", self.threshold)?;
        number::share("schedule.plateau.min-factor", self.min_factor)
    }
}

/// A plateau and what it remembers of the scores so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    config: Config,
    memory: Memory,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Memory {
    factor: f64,
    best: Option<f64>,
    /// Evaluations in a row without a better score.
    bad: usize,
    /// Evaluations of the cooldown that are left.
    wait: usize,
}

impl Plateau {
    /// Before the first score.
    ///
    /// # Errors
    ///
    /// When a number makes no sense: its key is named.
    pub fn new(config: &Config) -> Result<Self> {
        config.check()?;
        let memory = Memory { factor: 1.0, best: None, bad: 0, wait: 0 };
        Ok(Self { config: config.clone(), memory })
    }

    /// The factor of the base rate in force now.
    pub fn factor(&self) -> f64 {
        self.memory.factor
    }

    /// Takes the score of an evaluation; one that is not a number is no better than any other.
    pub fn report(&mut self, score: f64) {
        let memory = &mut self.memory;
        if memory.best.is_none_or(|best| self.config.is_better(score, best)) && !score.is_nan() {
            (memory.best, memory.bad) = (Some(score), 0);
        } else {
            memory.bad += 1;
        }
        if memory.wait > 0 {
            (memory.wait, memory.bad) = (memory.wait - 1, 0);
        }
        if memory.bad > self.config.patience {
            (memory.wait, memory.bad) = (self.config.cooldown, 0);
            memory.factor = (memory.factor * self.config.factor).max(self.config.min_factor);
        }
    }

    /// The memory as numbers: `factor`, `bad`, `wait`, and `best` when there was a score.
    pub fn state(&self) -> BTreeMap<String, f64> {
        let Memory { factor, best, bad, wait } = self.memory;
        [("factor", Some(factor)), ("best", best), ("bad", Some(bad as f64)), ("wait", Some(wait as f64))]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_string(), value?)))
            .collect()
    }

    /// Goes on from a state that [`Plateau::state`] gave.
    ///
    /// # Errors
    ///
    /// When a key is missing or unknown: nothing has changed then.
    pub fn restore(&mut self, state: &BTreeMap<String, f64>) -> Result<()> {
        let get = |key: &str| match state.get(key) {
            Some(value) => Ok(*value),
            None => bail!("the saved state of the plateau has no '{key}'"),
        };
        if let Some(key) = state.keys().find(|key| !["factor", "best", "bad", "wait"].contains(&key.as_str()))
        {
            bail!("the plateau has no '{key}', but its saved state has");
        }
        let best = state.get("best").copied();
        self.memory =
            Memory { factor: get("factor")?, best, bad: get("bad")? as usize, wait: get("wait")? as usize };
        Ok(())
    }
}

impl Config {
    fn is_better(&self, score: f64, best: f64) -> bool {
        match self.mode {
            Mode::Min => score < best * (1.0 - self.threshold),
            Mode::Max => score > best * (1.0 + self.threshold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config { mode: Mode::Max, factor: 0.5, patience: 1, threshold: 0.1, cooldown: 2, min_factor: 0.2 }
    }

    fn factors(plateau: &mut Plateau, scores: &[f64]) -> Vec<f64> {
        let report = |score: &f64| {
            plateau.report(*score);
            plateau.factor()
        };
        scores.iter().map(report).collect()
    }

    #[test]
    fn higher_scores_by_the_threshold_keep_the_rate() -> Result<()> {
        let mut plateau = Plateau::new(&config())?;
        assert_eq!(factors(&mut plateau, &[1.0, 1.05, 1.2, 1.3, 1.33]), [1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(factors(&mut plateau, &[1.3, 1.3]), [1.0, 0.5]);
        Ok(())
    }

    #[test]
    fn the_cooldown_forgives_and_the_floor_holds() -> Result<()> {
        let mut plateau = Plateau::new(&config())?;
        let got = factors(&mut plateau, &[1.0; 12]);
        // Bad scores 2 and 3 lower the rate, two are forgiven, two more lower it again …
        assert_eq!(got, [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2]);
        Ok(())
    }

    #[test]
    fn not_a_number_is_never_better() -> Result<()> {
        let mut plateau = Plateau::new(&Config { mode: Mode::Min, cooldown: 0, ..config() })?;
        assert_eq!(
            factors(&mut plateau, &[f64::NAN, f64::NAN, 3.0, f64::NAN, 4.0]),
            [1.0, 0.5, 0.5, 0.5, 0.25]
        );
        Ok(())
    }

    #[test]
    fn a_restored_plateau_goes_on_as_the_first() -> Result<()> {
        let scores = [0.1, 0.3, 0.2, 0.1, 0.35, 0.2, 0.2, 0.2, 0.2, 0.5, 0.1, 0.1, 0.1, 0.1];
        for cut in 0..scores.len() {
            let (mut first, mut second) = (Plateau::new(&config())?, Plateau::new(&config())?);
            factors(&mut first, &scores[..cut]);
            // Through text, as a checkpoint keeps it.
            let text: Vec<_> =
                first.state().into_iter().map(|(key, value)| (key, value.to_string())).collect();
            second.restore(&text.into_iter().map(|(key, value)| (key, value.parse().unwrap())).collect())?;
            assert_eq!(
                factors(&mut second, &scores[cut..]),
                factors(&mut first, &scores[cut..]),
                "cut at {cut}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_state_of_something_else_is_refused() -> Result<()> {
        let mut plateau = Plateau::new(&config())?;
        let error = plateau.restore(&BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("'factor'"), "{error}");
        let mut state = plateau.state();
        state.insert("speed".to_string(), 1.0);
        let error = plateau.restore(&state).unwrap_err().to_string();
        assert!(error.contains("'speed'"), "{error}");
        Ok(())
    }

    #[test]
    fn numbers_without_sense_are_named() {
        for (config, key) in [
            (Config { factor: 1.0, ..config() }, "schedule.plateau.factor is 1"),
            (Config { factor: 0.0, ..config() }, "schedule.plateau.factor is 0"),
            (Config { threshold: -1.0, ..config() }, "schedule.plateau.threshold is -1"),
            (Config { min_factor: 2.0, ..config() }, "schedule.plateau.min-factor is 2"),
        ] {
            let error = Plateau::new(&config).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
