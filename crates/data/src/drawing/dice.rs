//! The one source of chance: a ChaCha stream per sample.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Draws for one sample of a procedural set, or for one texture of it.
///
/// The draws use the generator's raw words only, so they are the same with every version of `rand`.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of sample `index` in the set of `seed`.
    pub(crate) fn of_sample(seed: u64, index: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        Self(rng)
    }

    /// A stream of its own for a texture, so that its length does not shift what follows.
    pub(crate) fn of_texture(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A seed for [`Dice::of_texture`].
    pub(crate) fn seed(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Uniform in `low..high`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.0.next_u32() >> 8) as f32 / (1 << 24) as f32)
    }

    /// About normal: the sum of four uniform draws, never beyond 3.5 deviations.
    pub(crate) fn normal(&mut self, mean: f32, deviation: f32) -> f32 {
        let sum: f32 = (0..4).map(|_| self.range(-0.5, 0.5)).sum();
        mean + deviation * sum * 3.0_f32.sqrt()
    }

    /// True with this probability, 0..=1.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.range(0.0, 1.0) < probability
    }

    /// -1 or 1.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// Uniform in `0..count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.range(0.0, count as f32) as usize).min(count - 1)
    }

    /// One of a few, all as likely.
    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_and_index() {
        let draw = |seed, index| Dice::of_sample(seed, index).seed();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn normal_has_its_mean_and_deviation() {
        let mut dice = Dice::of_texture(1);
        let draws: Vec<f64> = (0..20_000).map(|_| f64::from(dice.normal(2.0, 3.0))).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!((mean - 2.0).abs() < 0.1 && (variance.sqrt() - 3.0).abs() < 0.1, "{mean} {variance}");
    }
}
