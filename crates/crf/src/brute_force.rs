//! The sums that a lattice approximates, term by term: the truth for tests, in time quadratic in the pixels.

use rayon::prelude::*;

use crate::error::{Error, check_length};
use crate::features::Features;
use crate::kernel::Gaussian;
use crate::normalisation::Normalisation;

/// Filters planes of values with a Gaussian of features, exactly, in f64.
///
/// # Shapes
///
/// `values` and the result are (planes, pixels), any number of planes.
pub fn filter_exactly(features: &Features, gaussian: &Gaussian, values: &[f64]) -> Result<Vec<f64>, Error> {
    let pixels = features.pixels();
    check_length("values", "planes × width × height × depth", values.len() / pixels * pixels, values.len())?;
    let whitened = gaussian.covariance.whiten(features)?;
    let weights: Vec<Vec<f64>> =
        (0..pixels).into_par_iter().map(|pixel| weights_of(&whitened, pixel)).collect();
    let sums: Vec<f64> = weights.iter().map(|row| row.iter().sum()).collect();
    let (before, after): (Factor, Factor) = match gaussian.normalisation {
        Normalisation::None => (|_| 1.0, |_| 1.0),
        Normalisation::Before => (|n| 1.0 / n, |_| 1.0),
        Normalisation::After => (|_| 1.0, |n| 1.0 / n),
        Normalisation::Symmetric => (|n| 1.0 / n.sqrt(), |n| 1.0 / n.sqrt()),
    };
    let filtered = values.par_chunks(pixels).flat_map_iter(|plane| {
        let scaled: Vec<f64> = plane.iter().zip(&sums).map(|(value, n)| value * before(*n)).collect();
        let sum = |row: &Vec<f64>| row.iter().zip(&scaled).map(|(weight, value)| weight * value).sum::<f64>();
        let sums: Vec<f64> = weights.iter().zip(&sums).map(|(row, n)| sum(row) * after(*n)).collect();
        sums
    });
    Ok(filtered.collect())
}

/// What a pixel's sum of weights makes a factor of its values.
type Factor = fn(f64) -> f64;

/// The weight of every pixel for one of them.
fn weights_of(whitened: &Features, pixel: usize) -> Vec<f64> {
    let mut distances = vec![0.0; whitened.pixels()];
    for plane in whitened.planes() {
        let own = f64::from(plane[pixel]);
        for (distance, value) in distances.iter_mut().zip(plane) {
            *distance += (f64::from(*value) - own).powi(2);
        }
    }
    distances.iter().map(|distance| (-0.5 * distance).exp()).collect()
}
