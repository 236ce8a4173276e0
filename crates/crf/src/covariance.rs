//! How fast a Gaussian falls off in each direction of its feature space.

use rayon::prelude::*;

use crate::error::{Error, check_length, check_positive};
use crate::features::Features;

/// Covariance of a Gaussian kernel, in the units of its [`Features`].
#[derive(Debug, Clone, PartialEq)]
pub enum Covariance {
    /// The same standard deviation in every dimension.
    Deviation(f32),
    /// A standard deviation per dimension: the diagonal of the covariance is their squares.
    Deviations(Vec<f32>),
    /// The full matrix, dimensions × dimensions, row by row; symmetric and positive definite.
    Matrix(Vec<f32>),
}

impl Covariance {
    /// Features in which this Gaussian is exp(-|Δ|² / 2).
    pub(crate) fn whiten(&self, features: &Features) -> Result<Features, Error> {
        let dimensions = features.dimensions();
        match self {
            Self::Deviation(deviation) => divided(features, &vec![*deviation; dimensions]),
            Self::Deviations(deviations) => {
                check_length("deviations", "feature dimensions", dimensions, deviations.len())?;
                divided(features, deviations)
            }
            Self::Matrix(matrix) => {
                check_length(
                    "covariance matrix",
                    "feature dimensions squared",
                    dimensions.pow(2),
                    matrix.len(),
                )?;
                Ok(solved(features, &cholesky(matrix, dimensions)?))
            }
        }
    }
}

/// Every plane divided by its deviation.
fn divided(features: &Features, deviations: &[f32]) -> Result<Features, Error> {
    for &deviation in deviations {
        check_positive("deviation", deviation)?;
    }
    let planes = features.planes().par_iter().zip(deviations);
    let planes = planes.map(|(plane, deviation)| plane.iter().map(|value| value / deviation).collect());
    Ok(Features::replaced(features.pixels(), planes.collect()))
}

/// L⁻¹ f for every pixel's features f, where the covariance is L Lᵀ: then |L⁻¹ Δ|² = Δᵀ (L Lᵀ)⁻¹ Δ.
fn solved(features: &Features, lower: &[Vec<f64>]) -> Features {
    let mut planes: Vec<Vec<f32>> = Vec::with_capacity(lower.len());
    for (row, plane) in lower.iter().zip(features.planes()) {
        let diagonal = row[planes.len()];
        let solved = (0..features.pixels()).into_par_iter().map(|pixel| {
            let known: f64 = planes.iter().zip(row).map(|(p, factor)| f64::from(p[pixel]) * factor).sum();
            ((f64::from(plane[pixel]) - known) / diagonal) as f32
        });
        let solved = solved.collect();
        planes.push(solved);
    }
    Features::replaced(features.pixels(), planes)
}

/// Rows of the lower triangle L with L Lᵀ = `matrix`.
fn cholesky(matrix: &[f32], size: usize) -> Result<Vec<Vec<f64>>, Error> {
    let mut lower: Vec<Vec<f64>> = Vec::with_capacity(size);
    for i in 0..size {
        let mut row = vec![0.0; size];
        for j in 0..=i {
            let value = f64::from(matrix[i * size + j]);
            // A small difference may be rounding of the caller's own computation.
            let skew = (value - f64::from(matrix[j * size + i])).abs();
            let other: &[f64] = if i == j { &row } else { &lower[j] };
            let rest = value - (0..j).map(|k| row[k] * other[k]).sum::<f64>();
            let entry = if i == j { rest.sqrt() } else { rest / lower[j][j] };
            let fine = entry.is_finite() && (i != j || entry > 0.0) && skew <= 1e-5 * value.abs();
            if !fine {
                return Err(Error::Covariance { row: i });
            }
            row[j] = entry;
        }
        lower.push(row);
    }
    Ok(lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    fn features() -> Features {
        let shape = Shape::image(3, 2);
        Features::positions(shape).unwrap().with(&[0.5, -1.0, 2.0, 4.0, 0.0, 1.0]).unwrap()
    }

    /// Squared distance of two pixels after whitening.
    fn distance(covariance: &Covariance, a: usize, b: usize) -> f32 {
        let whitened = covariance.whiten(&features()).unwrap();
        whitened.planes().iter().map(|plane| (plane[a] - plane[b]).powi(2)).sum()
    }

    #[test]
    fn a_diagonal_matrix_is_a_list_of_deviations() {
        let deviations = Covariance::Deviations(vec![2.0, 3.0, 0.5]);
        let matrix = Covariance::Matrix(vec![4.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.25]);
        for (a, b) in [(0, 1), (1, 5), (2, 3)] {
            assert!((distance(&deviations, a, b) - distance(&matrix, a, b)).abs() < 1e-4);
        }
    }

    #[test]
    fn a_full_matrix_measures_with_its_inverse() {
        // Inverse of [[2, 1, 0], [1, 2, 0], [0, 0, 1]]: [[2, -1], [-1, 2]] / 3 and 1.
        let matrix = Covariance::Matrix(vec![2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0]);
        // From pixel (0, 0) to (1, 1): Δ = (1, 1, -0.5).
        assert!((distance(&matrix, 0, 4) - (2.0 / 3.0 + 0.25)).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_covariance_is_refused() {
        for matrix in [
            vec![1.0, 2.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            vec![1.0, 0.5, 0.0, 0.1, 1.0, 0.0, 0.0, 0.0, 1.0],
            vec![f32::NAN; 9],
        ] {
            assert!(matches!(Covariance::Matrix(matrix).whiten(&features()), Err(Error::Covariance { .. })));
        }
        assert!(Covariance::Deviation(0.0).whiten(&features()).is_err());
        assert!(Covariance::Deviations(vec![1.0]).whiten(&features()).is_err());
    }
}
