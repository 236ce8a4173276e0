//! What mean field found.

/// Approximate marginal probabilities, and how the iterations went.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    pub(crate) probabilities: Vec<f32>,
    pub(crate) pixels: usize,
    pub(crate) iterations: usize,
    pub(crate) divergences: Vec<f64>,
}

impl Posterior {
    /// Probabilities, which sum to 1 at every pixel.
    ///
    /// # Shapes
    ///
    /// (classes, pixels): one plane per class, pixels with x fastest, then y, then z.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// As [`Posterior::probabilities`], without a copy.
    pub fn into_probabilities(self) -> Vec<f32> {
        self.probabilities
    }

    /// The most probable class of every pixel; of equal ones the first.
    pub fn labels(&self) -> Vec<u8> {
        let mut planes = self.probabilities.chunks_exact(self.pixels);
        let mut most = planes.next().map(<[f32]>::to_vec).unwrap_or_default();
        let mut labels = vec![0; self.pixels];
        for (class, plane) in planes.enumerate() {
            for ((label, most), &probability) in labels.iter_mut().zip(&mut most).zip(plane) {
                if probability > *most {
                    (*label, *most) = (class as u8 + 1, probability);
                }
            }
        }
        labels
    }

    /// How many iterations were made.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Kullback-Leibler divergence to the CRF's distribution, less the logarithm of its partition function, before the
    /// first iteration and after each; empty unless asked for.
    pub fn divergences(&self) -> &[f64] {
        &self.divergences
    }
}
