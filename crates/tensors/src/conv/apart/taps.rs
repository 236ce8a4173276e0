//! Weights in order of their taps: a matrix (outputs of all groups, inputs) for each.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::conv::parts::{self, Parts};
use crate::filled::filled;
use crate::simd::vectorised;

/// Pairs of channels that are moved at once.
const PAIRS: usize = 4096;

/// Weights, (outputs, inputs, taps), as a matrix for each of some taps.
pub(super) struct Matrices {
    values: Vec<f32>,
    /// Of each tap, where its matrix begins.
    starts: Vec<Option<usize>>,
}

impl Matrices {
    pub(super) fn of(weight: &[f32], taps: usize, wanted: &[usize]) -> Self {
        let pairs = weight.len() / taps;
        let split = |matrices: Parts| {
            weight.par_chunks(PAIRS * taps).enumerate().for_each(|(number, weight)| {
                for (place, tap) in wanted.iter().enumerate() {
                    // SAFETY: no other task has these pairs of channels.
                    let matrix =
                        unsafe { matrices.uninit(place * pairs + number * PAIRS, weight.len() / taps) };
                    gather(&weight[*tap..], taps, matrix);
                }
            });
        };
        // SAFETY: each chunk writes its pairs in the matrices of all wanted taps.
        let values = unsafe { parts::filled(wanted.len() * pairs, split) };
        Self { values, starts: starts(taps, wanted, pairs) }
    }

    /// The matrix of a wanted tap.
    pub(super) fn tap(&self, tap: usize) -> &[f32] {
        self.starts[tap].map_or(&[], |start| &self.values[start..])
    }
}

/// Where the matrix of each tap begins, if those of the taps in `order` stand one behind the other.
fn starts(taps: usize, order: &[usize], pairs: usize) -> Vec<Option<usize>> {
    let mut starts = vec![None; taps];
    order.iter().enumerate().for_each(|(place, &tap)| starts[tap] = Some(place * pairs));
    starts
}

/// The weights, (outputs, inputs, taps), whose matrices of `pairs` floats for the taps in `order` stand one behind the
/// other; zero for other taps.
pub(super) fn join_taps(matrices: &[f32], order: &[usize], taps: usize, pairs: usize) -> Vec<f32> {
    let starts = starts(taps, order, pairs);
    let join = |weight: &mut [MaybeUninit<f32>]| {
        weight.par_chunks_mut(PAIRS * taps).enumerate().for_each(|(number, weight)| {
            for (tap, start) in starts.iter().enumerate() {
                let matrix = start.map(|start| &matrices[start + number * PAIRS..]);
                scatter(matrix, taps, &mut weight[tap..]);
            }
        });
    };
    // SAFETY: each chunk gets the values of all taps.
    unsafe { filled(pairs * taps, join) }
}

vectorised! {
    fn gather(weight: &[f32], taps: usize, matrix: &mut [MaybeUninit<f32>]) {
        for (value, weight) in matrix.iter_mut().zip(weight.iter().step_by(taps)) {
            value.write(*weight);
        }
    }
}

vectorised! {
    fn scatter(matrix: Option<&[f32]>, taps: usize, weight: &mut [MaybeUninit<f32>]) {
        let weights = weight.iter_mut().step_by(taps);
        match matrix {
            Some(matrix) => weights.zip(matrix).for_each(|(weight, value)| { weight.write(*value); }),
            None => weights.for_each(|weight| { weight.write(0.0); }),
        }
    }
}
