//! Mean field on a device: softmax, messages, softmax again.

use sconce_kernels::{Result, Runtime};

use super::array::Array;
use super::crf::{DeviceCrf, Kernel};
use super::divergence::{divergence, largest_change};
use super::layout::{planes_from_rows, rows_from_planes};
use super::softmax::softmax;
use crate::lattice::Axes;
use crate::{MeanField, Posterior, Unary};

/// The probabilities after the iterations.
pub(super) fn infer<R: Runtime>(
    crf: &DeviceCrf<R>,
    unary: &Unary,
    settings: &MeanField,
) -> Result<Posterior> {
    let mut state = State::new(crf, unary)?;
    let mut divergences = Vec::new();
    let mut iterations = 0;
    while iterations < settings.iterations {
        iterations += 1;
        state.exchange()?;
        if settings.divergence {
            divergences.push(state.divergence()?);
        }
        let change = state.update(settings.tolerance.is_some())?;
        if settings.tolerance.zip(change).is_some_and(|(tolerance, change)| change <= tolerance) {
            break;
        }
    }
    if settings.divergence {
        state.exchange()?;
        divergences.push(state.divergence()?);
    }
    let probabilities = planes_from_rows(&crf.runtime, &state.probabilities, crf.classes)?;
    Ok(Posterior { probabilities, pixels: crf.shape.pixels(), iterations, divergences })
}

/// Everything that one inference changes: rows of pixels.
pub(super) struct State<'a, R: Runtime> {
    crf: &'a DeviceCrf<R>,
    /// Negative energies.
    logits: Array<R, f32>,
    /// Logits and messages; as long, but never written, without kernels.
    scores: Array<R, f32>,
    pub(super) probabilities: Array<R, f32>,
    spare: Array<R, f32>,
}

impl<'a, R: Runtime> State<'a, R> {
    /// Whose probabilities are the softmax of the unary.
    pub(super) fn new(crf: &'a DeviceCrf<R>, unary: &Unary) -> Result<Self> {
        let (runtime, size) = (&crf.runtime, crf.classes * crf.shape.pixels());
        let (values, sign) = unary.values();
        let logits = rows_from_planes(runtime, values, crf.classes, sign)?;
        let room = || Array::scratch(runtime, size);
        let state = Self { crf, logits, scores: room()?, probabilities: room()?, spare: room()? };
        softmax(runtime, &state.logits, &state.probabilities, crf.classes)?;
        Ok(state)
    }

    /// Makes scores of the logits and the messages of the last probabilities.
    pub(super) fn exchange(&mut self) -> Result<()> {
        let mut base = Some(&self.logits);
        for kernel in &self.crf.kernels {
            let values = kernel.messages(&self.crf.runtime, &self.probabilities)?;
            let values = kernel.costs.mix(&self.crf.runtime, values)?;
            let factors = (&kernel.filter.after, &kernel.costs.class_factors);
            let base = base.take().unwrap_or(&self.scores);
            kernel.filter.lattice.slice(&self.crf.runtime, &values, factors, Some(base), &self.scores)?;
        }
        Ok(())
    }

    fn scores(&self) -> &Array<R, f32> {
        if self.crf.kernels.is_empty() { &self.logits } else { &self.scores }
    }

    /// Makes probabilities of the scores; tells how much the largest change was, if told to.
    pub(super) fn update(&mut self, tells: bool) -> Result<Option<f32>> {
        let runtime = &self.crf.runtime;
        softmax(runtime, self.scores(), &self.spare, self.crf.classes)?;
        let change = tells.then(|| largest_change(runtime, &self.probabilities, &self.spare)).transpose()?;
        std::mem::swap(&mut self.probabilities, &mut self.spare);
        Ok(change)
    }

    /// Replaces the last probabilities by memory for others, and returns them.
    pub(super) fn take(&mut self) -> Result<Array<R, f32>> {
        let room = Array::scratch(&self.crf.runtime, self.probabilities.len())?;
        Ok(std::mem::replace(&mut self.probabilities, room))
    }

    /// Of the probabilities of which the scores were made.
    fn divergence(&self) -> Result<f64> {
        divergence(&self.crf.runtime, &self.probabilities, &self.logits, self.scores())
    }
}

impl<R: Runtime> Kernel<R> {
    /// What pixels of these probabilities tell the vertices.
    pub(super) fn messages(&self, runtime: &R, probabilities: &Array<R, f32>) -> Result<Array<R, f32>> {
        let (filter, classes) = (&self.filter, self.costs.class_factors.len());
        filter.lattice.spread(runtime, (probabilities, &filter.before), classes, Axes::Ascending)
    }
}
