//! Training through mean field on a device: the iterations are run again and kept, then each is walked back, as on the processor.

use sconce_kernels::{Result, Runtime};

use super::array::Array;
use super::crf::{DeviceCrf, Kernel};
use super::layout::{planes_from_rows, rows_from_planes};
use super::mean_field::State;
use super::softmax::through_softmax;
use crate::lattice::Axes;
use crate::{Gradient, Unary};

pub(super) fn backward<R: Runtime>(
    crf: &DeviceCrf<R>,
    unary: &Unary,
    iterations: usize,
    outer: &[f32],
) -> Result<Gradient> {
    let (runtime, classes) = (&crf.runtime, crf.classes);
    let kept = forward(crf, unary, iterations)?;
    let logits = Array::upload(runtime, &vec![0.0; outer.len()])?;
    let mut weights: Vec<Vec<f64>> = crf.kernels.iter().map(|k| vec![0.0; k.costs.kind.len()]).collect();
    let mut gradient = rows_from_planes(runtime, outer, classes, 1.0)?;
    for (iteration, q) in kept.iter().enumerate().rev() {
        through_softmax(runtime, q, &gradient, &logits, classes)?;
        let earlier = iteration.checked_sub(1).map(|index| &kept[index]);
        let Some(earlier) = earlier.filter(|_| !crf.kernels.is_empty()) else { break };
        let (before, mut base) = (Array::scratch(runtime, outer.len())?, None);
        for (kernel, weights) in crf.kernels.iter().zip(&mut weights) {
            let products = kernel.products(runtime, &gradient, earlier)?;
            weights.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
            kernel.through(runtime, &gradient, base, &before)?;
            base = Some(&before);
        }
        gradient = before;
    }
    let compatibilities = weights.iter().map(|sums| sums.iter().map(|sum| *sum as f32).collect()).collect();
    Ok(Gradient { logits: planes_from_rows(runtime, &logits, classes)?, compatibilities })
}

/// The probabilities before the first iteration and after each.
fn forward<R: Runtime>(crf: &DeviceCrf<R>, unary: &Unary, iterations: usize) -> Result<Vec<Array<R, f32>>> {
    let mut state = State::new(crf, unary)?;
    let mut kept = Vec::new();
    for _ in 0..iterations {
        state.exchange()?;
        kept.push(state.take()?);
        state.update(false)?;
    }
    kept.push(state.take()?);
    Ok(kept)
}

impl<R: Runtime> Kernel<R> {
    /// What one iteration says of the kernel's numbers.
    fn products(&self, runtime: &R, gradient: &Array<R, f32>, q: &Array<R, f32>) -> Result<Vec<f64>> {
        let values = self.messages(runtime, q)?;
        let ones = Array::upload(runtime, &vec![1.0; self.costs.class_factors.len()])?;
        let messages = Array::scratch(runtime, gradient.len())?;
        self.filter.lattice.slice(runtime, &values, (&self.filter.after, &ones), None, &messages)?;
        self.costs.products(runtime, gradient, &messages)
    }

    /// From the gradient of scores to that of the probabilities that the messages were made of, which is added to `base` in `sums`.
    fn through(
        &self,
        runtime: &R,
        gradient: &Array<R, f32>,
        base: Option<&Array<R, f32>>,
        sums: &Array<R, f32>,
    ) -> Result<()> {
        let (filter, classes) = (&self.filter, self.costs.class_factors.len());
        let mixed = self.costs.mix_transposed(runtime, gradient)?;
        let values = filter.lattice.spread(runtime, (&mixed, &filter.after), classes, Axes::Descending)?;
        let ones = Array::upload(runtime, &vec![1.0; classes])?;
        filter.lattice.slice(runtime, &values, (&filter.before, &ones), base, sums)
    }
}
