//! Training through mean field: what a loss of its probabilities says of the unary and of the kernels' weights.
//!
//! The iterations are run again and their probabilities kept; then each is walked back: through its softmax, its
//! compatibilities and, since a lattice's transpose is the lattice with its axes in the opposite order, through its filters
//! (Krähenbühl and Koltun 2013). Lattices and normalisations depend on the features alone and are constants here.

use rayon::prelude::*;

use crate::compatibility::Compatibility;
use crate::dense_crf::{DenseCrf, Kernel};
use crate::layout::Layout;
use crate::mean_field::State;
use crate::simd::{LANES, Lanes, zeros};
use crate::unary::Unary;

/// Derivatives of a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// With respect to the unary's logits (negative energies): (classes, pixels). The derivative with respect to
    /// energies is its negative.
    pub logits: Vec<f32>,
    /// With respect to the numbers of every kernel's [`Compatibility`], in the order in which the kernels were added: one
    /// for Potts, one per class, or a matrix row by row.
    pub compatibilities: Vec<Vec<f32>>,
}

/// Pixels whose sums are kept apart, so that they do not depend on the number of threads.
const PART: usize = 1 << 12;

pub(crate) fn backward(crf: &DenseCrf, unary: &Unary, iterations: usize, outer: &[f32]) -> Gradient {
    let (layout, pixels) = (crf.layout, crf.shape.pixels());
    let kept = forward(crf, unary, iterations);
    let mut logits = zeros(pixels * layout.row());
    let mut weights: Vec<Vec<f64>> = crf.kernels.iter().map(|k| vec![0.0; k.compatibility.len()]).collect();
    let mut gradient = zeros(pixels * layout.row());
    layout.rows_from_planes(outer, pixels, 0, (1.0, 0.0), &mut gradient);
    for (iteration, q) in kept.iter().enumerate().rev() {
        through_softmax(&mut gradient, q, layout);
        add(&mut logits, &gradient);
        let Some(earlier) = iteration.checked_sub(1).map(|index| &kept[index]) else { break };
        let mut before = zeros(gradient.len());
        for (kernel, weights) in crf.kernels.iter().zip(&mut weights) {
            add_to_weights(kernel, &gradient, earlier, layout, weights);
            add(&mut before, &through_kernel(kernel, &gradient, layout));
        }
        gradient = before;
    }
    let mut flat = vec![0.0; outer.len()];
    layout.planes_from_rows(&logits, &mut flat.chunks_mut(pixels).collect::<Vec<_>>(), 0);
    let compatibilities = weights.iter().map(|sums| sums.iter().map(|sum| *sum as f32).collect()).collect();
    Gradient { logits: flat, compatibilities }
}

/// The probabilities before the first iteration and after each.
fn forward(crf: &DenseCrf, unary: &Unary, iterations: usize) -> Vec<Vec<Lanes>> {
    let mut state = State::new(crf, unary, true);
    state.pass(true, None, iterations > 0);
    let mut kept = vec![state.probabilities.clone()];
    for iteration in 1..=iterations {
        state.exchange();
        state.pass(false, None, iteration < iterations);
        kept.push(state.probabilities.clone());
    }
    kept
}

/// From the gradient of probabilities to that of their scores: q (g - Σ q g).
fn through_softmax(gradient: &mut [Lanes], q: &[Lanes], layout: Layout) {
    let rows = gradient.par_chunks_exact_mut(layout.row()).zip(q.par_chunks_exact(layout.row()));
    rows.for_each(|(gradient, q)| {
        let products = gradient.iter().zip(q).map(|(g, q)| g.zip(*q, |g, q| g * q).fold(|a, b| a + b));
        let mean: f32 = products.sum();
        for (g, q) in gradient.iter_mut().zip(q) {
            *g = g.zip(*q, |g, q| q * (g - mean));
        }
    });
}

/// From the gradient of scores to that of the probabilities that the messages were made of.
fn through_kernel(kernel: &Kernel, gradient: &[Lanes], layout: Layout) -> Vec<Lanes> {
    let mut scaled = gradient.to_vec();
    scaled.par_chunks_exact_mut(layout.row()).for_each(|row| {
        for (lanes, factor) in row.iter_mut().zip(&kernel.class_factors) {
            *lanes = lanes.zip(*factor, |g, f| g * f);
        }
    });
    kernel.compatibility.mix_transposed(&mut scaled, layout);
    kernel.filter.apply_transposed(&scaled, layout)
}

/// Adds what one iteration says of a kernel's numbers: products of the gradient and the messages.
fn add_to_weights(kernel: &Kernel, gradient: &[Lanes], q: &[Lanes], layout: Layout, weights: &mut [f64]) {
    let messages = kernel.filter.apply(q, layout);
    let size = PART * layout.row();
    let parts = gradient.par_chunks(size).zip(messages.par_chunks(size)).map(|(gradient, messages)| {
        let mut sums = vec![0.0; kernel.compatibility.len()];
        for (g, m) in gradient.chunks_exact(layout.row()).zip(messages.chunks_exact(layout.row())) {
            add_products(&kernel.compatibility, g, m, layout.classes, &mut sums);
        }
        sums
    });
    for part in parts.collect::<Vec<_>>() {
        weights.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

/// One pixel's products.
fn add_products(
    kind: &Compatibility,
    gradient: &[Lanes],
    message: &[Lanes],
    classes: usize,
    sums: &mut [f64],
) {
    let at = |row: &[Lanes], class: usize| f64::from(row[class / LANES].0[class % LANES]);
    for class in 0..classes {
        let g = at(gradient, class);
        match kind {
            Compatibility::Potts(_) => sums[0] += g * at(message, class),
            Compatibility::PerClass(_) => sums[class] += g * at(message, class),
            Compatibility::Matrix(_) => {
                let costs = &mut sums[class * classes..(class + 1) * classes];
                costs.iter_mut().enumerate().for_each(|(other, sum)| *sum -= g * at(message, other));
            }
        }
    }
}

fn add(sums: &mut [Lanes], terms: &[Lanes]) {
    sums.par_iter_mut().with_min_len(PART).zip(terms).for_each(|(sum, term)| {
        *sum = sum.zip(*term, |a, b| a + b);
    });
}
