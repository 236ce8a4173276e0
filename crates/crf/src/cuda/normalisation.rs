//! Launches of normalisation.cu.

use sconce_kernels::Argument::{Float, Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;
use crate::Normalisation;

/// What pixels are multiplied by before and after the sums, the latter times `scale`, given the sums of their weights.
pub(super) fn normalisation<R: Runtime>(
    runtime: &R,
    kind: Normalisation,
    sums: &Array<R, f32>,
    scale: f32,
) -> Result<(Array<R, f32>, Array<R, f32>)> {
    let pixels = sums.len();
    let (before, after) = (Array::scratch(runtime, pixels)?, Array::scratch(runtime, pixels)?);
    let halves = match kind {
        Normalisation::None => [0, 0],
        Normalisation::Before => [2, 0],
        Normalisation::After => [0, 2],
        Normalisation::Symmetric => [1, 1],
    };
    let pointers = [sums.pointer(), before.pointer(), after.pointer()];
    let numbers = [Size(pixels), Unsigned(halves[0]), Unsigned(halves[1]), Float(scale)];
    let arguments = [&pointers[..], &numbers].concat();
    // SAFETY: a thread touches its pixel's place of all three.
    unsafe {
        let kernel = Kernel { file: "normalisation", name: "normalisation" };
        runtime.launch(kernel, blocks(pixels), &arguments)?;
    }
    Ok((before, after))
}
