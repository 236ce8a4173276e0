//! Launches of divergence.cu.

use sconce_kernels::Argument::Size;
use sconce_kernels::{Kernel, Result, Runtime, THREADS};

use super::array::Array;

/// Probabilities of a block: THREADS times MEASURED in divergence.cu.
const TILE: usize = THREADS * 16;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "divergence", name }
}

/// Divergence of probabilities, of which the logarithm of the partition function is lacking; all are as long.
pub(super) fn divergence<R: Runtime>(
    runtime: &R,
    probabilities: &Array<R, f32>,
    logits: &Array<R, f32>,
    scores: &Array<R, f32>,
) -> Result<f64> {
    debug_assert!(probabilities.len() == logits.len() && logits.len() == scores.len());
    let count = probabilities.len();
    let sums = Array::<R, f64>::scratch(runtime, count.div_ceil(TILE))?;
    let pointers = [probabilities, logits, scores].map(Array::pointer);
    let arguments = [&pointers[..], &[sums.pointer(), Size(count)]].concat();
    // SAFETY: a block reads its places below `count` and writes its sum.
    unsafe { runtime.launch(kernel("divergence"), sums.len(), &arguments) }?;
    Ok(sums.download(runtime)?.iter().sum())
}

/// The largest change of a probability; both are as long.
pub(super) fn largest_change<R: Runtime>(
    runtime: &R,
    before: &Array<R, f32>,
    after: &Array<R, f32>,
) -> Result<f32> {
    debug_assert_eq!(before.len(), after.len());
    let changes = Array::<R, f32>::scratch(runtime, before.len().div_ceil(TILE))?;
    let arguments = [before.pointer(), after.pointer(), changes.pointer(), Size(before.len())];
    // SAFETY: as above.
    unsafe { runtime.launch(kernel("largest_change"), changes.len(), &arguments) }?;
    Ok(changes.download(runtime)?.into_iter().fold(0.0, f32::max))
}
