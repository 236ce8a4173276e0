//! The sum of every pixel's weights, by which kernels are normalised: a filter of ones, without room for classes.

use rayon::prelude::*;

use super::{CHUNK, Lattice};

impl Lattice {
    /// What filtering a one at every pixel gives.
    pub(crate) fn sums(&self) -> Vec<f32> {
        let mut values = self.splat_ones();
        let mut spare = vec![0.0; values.len()];
        for neighbours in &self.neighbours {
            for ((blurred, own), near) in spare.iter_mut().zip(&values).zip(neighbours) {
                *blurred = own + 0.5 * (values[near[0] as usize] + values[near[1] as usize]);
            }
            std::mem::swap(&mut values, &mut spare);
        }
        let mut sums = vec![0.0; self.pixels];
        let size = CHUNK * self.corners_of_pixel;
        let pixels = self.corners.par_chunks(size).zip(self.weights.par_chunks(size));
        sums.par_chunks_mut(CHUNK).zip(pixels).enumerate().for_each(|(chunk, (sums, (corners, weights)))| {
            let vertex_of = self.vertex_of(chunk);
            let corners = corners.chunks_exact(self.corners_of_pixel);
            let pixels = corners.zip(weights.chunks_exact(self.corners_of_pixel));
            for (sum, (corners, weights)) in sums.iter_mut().zip(pixels) {
                let values = corners.iter().map(|&corner| values[vertex_of[corner as usize] as usize]);
                *sum = values.zip(weights).map(|(value, weight)| value * weight).sum::<f32>() * self.scale();
            }
        });
        sums
    }

    /// The sum of weights at every vertex, and a zero after the last.
    fn splat_ones(&self) -> Vec<f32> {
        let size = CHUNK * self.corners_of_pixel;
        let pixels = self.corners.par_chunks(size).zip(self.weights.par_chunks(size)).enumerate();
        let scattered: Vec<Vec<f32>> = pixels
            .map(|(chunk, (corners, weights))| {
                let mut rows = vec![0.0; self.vertex_of(chunk).len()];
                corners.iter().zip(weights).for_each(|(&corner, weight)| rows[corner as usize] += weight);
                rows
            })
            .collect();
        let mut values = vec![0.0; self.vertices + 1];
        for (value, vertex) in scattered.iter().flatten().zip(&self.vertex_of) {
            values[*vertex as usize] += value;
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use crate::features::Features;
    use crate::lattice::{Axes, Lattice};
    use crate::layout::Layout;
    use crate::simd::Lanes;
    use crate::{Covariance, Shape};

    #[test]
    fn sums_are_the_filter_of_ones() {
        let shape = Shape::image(200, 100);
        let plane: Vec<f32> = (0..shape.pixels()).map(|i| (i * 7919 % 97) as f32 / 20.0).collect();
        let features = Features::positions(shape).unwrap().with(&plane).unwrap();
        let lattice = Lattice::new(&Covariance::Deviation(2.0).whiten(&features).unwrap()).unwrap();
        let (before, after) = (vec![1.0; shape.pixels()], vec![lattice.scale(); shape.pixels()]);
        let ones = vec![Lanes::splat(1.0); shape.pixels()];
        let filtered = lattice.filter(&ones, Layout::new(1), (&before, &after), Axes::Ascending);
        for (sum, row) in lattice.sums().iter().zip(filtered) {
            assert!((sum - row.0[0]).abs() < 1e-5 * sum, "{sum} instead of {}", row.0[0]);
        }
    }
}
