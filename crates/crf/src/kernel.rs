//! The Gaussians of which a CRF's pairwise energies are made.

use crate::covariance::Covariance;
use crate::normalisation::Normalisation;

/// exp(-Δᵀ Σ⁻¹ Δ / 2) of the difference Δ of two pixels' features.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    /// Σ, in the units of the features.
    pub covariance: Covariance,
    /// Symmetric unless set otherwise.
    pub normalisation: Normalisation,
}

impl Gaussian {
    /// The same standard deviation in every dimension.
    pub fn new(deviation: f32) -> Self {
        Covariance::Deviation(deviation).into()
    }

    /// The same Gaussian with another normalisation.
    pub fn normalised(self, normalisation: Normalisation) -> Self {
        Self { normalisation, ..self }
    }
}

impl From<Covariance> for Gaussian {
    fn from(covariance: Covariance) -> Self {
        Self { covariance, normalisation: Normalisation::default() }
    }
}

/// A Gaussian of position and colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bilateral {
    /// Standard deviation of positions, in pixels.
    pub position: f32,
    /// Standard deviation of each colour, in units of 0..=255.
    pub colour: f32,
    /// Symmetric unless set otherwise.
    pub normalisation: Normalisation,
}

impl Bilateral {
    /// Standard deviations of positions, in pixels, and of colours, in units of 0..=255.
    pub fn new(position: f32, colour: f32) -> Self {
        Self { position, colour, normalisation: Normalisation::default() }
    }

    /// The same Gaussian with another normalisation.
    pub fn normalised(self, normalisation: Normalisation) -> Self {
        Self { normalisation, ..self }
    }

    /// The Gaussian over `axes` coordinates and three colours.
    pub(crate) fn gaussian(&self, axes: usize) -> Gaussian {
        let mut deviations = vec![self.position; axes];
        deviations.extend([self.colour; 3]);
        Gaussian { covariance: Covariance::Deviations(deviations), normalisation: self.normalisation }
    }
}
