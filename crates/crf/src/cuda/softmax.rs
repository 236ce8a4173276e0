//! Launches of softmax.cu.

use sconce_kernels::Argument::{Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "softmax", name }
}

/// Writes the softmax of every row to `probabilities`, which is as long.
pub(super) fn softmax<R: Runtime>(
    runtime: &R,
    scores: &Array<R, f32>,
    probabilities: &Array<R, f32>,
    classes: usize,
) -> Result<()> {
    debug_assert_eq!(scores.len(), probabilities.len());
    let pixels = scores.len() / classes;
    let arguments = [scores.pointer(), probabilities.pointer(), Size(pixels), Unsigned(classes as u32)];
    // SAFETY: a thread touches its pixel's rows.
    unsafe { runtime.launch(kernel("softmax"), blocks(pixels), &arguments) }
}

/// Makes the gradient of probabilities that of their scores, and adds it to `total`; all are as long.
pub(super) fn through_softmax<R: Runtime>(
    runtime: &R,
    probabilities: &Array<R, f32>,
    gradient: &Array<R, f32>,
    total: &Array<R, f32>,
    classes: usize,
) -> Result<()> {
    debug_assert!(probabilities.len() == gradient.len() && gradient.len() == total.len());
    let pixels = gradient.len() / classes;
    let pointers = [probabilities, gradient, total].map(Array::pointer);
    let arguments = [&pointers[..], &[Size(pixels), Unsigned(classes as u32)]].concat();
    // SAFETY: a thread touches its pixel's rows.
    unsafe { runtime.launch(kernel("through_softmax"), blocks(pixels), &arguments) }
}
