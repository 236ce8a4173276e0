//! Launches of embed.cu.

use sconce_kernels::Argument::{Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;
use crate::features::Features;
use crate::lattice::{Key, MOST_WORDS, Packing, direction, scales};

/// The corners of every pixel's simplex, entry p * corners + r for pixel p and remainder r.
pub(super) struct Simplices<R: Runtime> {
    /// A plane for each word of a key.
    pub(super) keys: Array<R, u64>,
    /// Barycentric weights.
    pub(super) weights: Array<R, f32>,
    /// For every axis the words of what a step along it adds to a key.
    pub(super) directions: Array<R, u64>,
}

/// The simplices of whitened features.
pub(super) fn embed<R: Runtime>(runtime: &R, features: &Features, packing: &Packing) -> Result<Simplices<R>> {
    let (pixels, corners, words) = (features.pixels(), features.dimensions() + 1, packing.bits().len());
    let planes = Array::upload(runtime, &features.planes().concat())?;
    let scales = Array::upload(runtime, &scales(features.dimensions()))?;
    let shifts = Array::upload(runtime, &packing.shifts())?;
    let least = Array::upload(runtime, &packing.least())?;
    let steps = (0..corners).flat_map(|axis| {
        let step: Key<MOST_WORDS> = direction(packing, axis, corners);
        step.into_iter().take(words)
    });
    let directions = Array::upload(runtime, &steps.collect::<Vec<u64>>())?;
    let keys = Array::scratch(runtime, words * pixels * corners)?;
    let weights = Array::scratch(runtime, pixels * corners)?;
    let inputs =
        [planes.pointer(), scales.pointer(), shifts.pointer(), least.pointer(), directions.pointer()];
    let sizes = [Size(pixels), Unsigned(words as u32), Unsigned(corners as u32)];
    let arguments = [&inputs[..], &[keys.pointer(), weights.pointer()], &sizes].concat();
    // SAFETY: a thread reads its pixel's numbers of every plane and writes its corners' weights and words.
    unsafe { runtime.launch(kernel(corners), blocks(pixels), &arguments) }?;
    Ok(Simplices { keys, weights, directions })
}

/// The kernel for so many corners: 3 and 6 are images without and with colours, 4 and 7 volumes.
fn kernel(corners: usize) -> Kernel {
    let name = match corners {
        3 => "embed_3",
        4 => "embed_4",
        6 => "embed_6",
        7 => "embed_7",
        _ => "embed_any",
    };
    Kernel { file: "embed", name }
}
