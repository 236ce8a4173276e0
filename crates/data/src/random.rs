//! Seeded streams of random numbers, one for each purpose, epoch and sample.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for: streams of one seed that serve different purposes are unrelated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// Order of an epoch.
    Order = 1,
    /// Changes to one sample.
    Augment = 2,
    /// Split of a folder into parts.
    Split = 3,
    /// Split of a folder with regard to its classes.
    Stratify = 4,
}

/// The stream of a seed, purpose, epoch and sample index: the same on every machine and thread.
pub(crate) fn stream(seed: u64, purpose: Purpose, epoch: usize, index: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(epoch as u64).to_le_bytes());
    key[16..24].copy_from_slice(&(purpose as u64).to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index as u64);
    rng
}

/// A draw from the standard normal distribution (Box and Muller 1958).
pub(crate) fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_in_every_part_of_their_key() {
        let first = |seed, purpose, epoch, index| stream(seed, purpose, epoch, index).random::<u64>();
        let base = first(1, Purpose::Order, 2, 3);
        assert_eq!(base, first(1, Purpose::Order, 2, 3));
        for other in [
            first(2, Purpose::Order, 2, 3),
            first(1, Purpose::Augment, 2, 3),
            first(1, Purpose::Order, 3, 3),
            first(1, Purpose::Order, 2, 4),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn normal_draws_have_mean_0_and_deviation_1() {
        let mut rng = stream(5, Purpose::Augment, 0, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
