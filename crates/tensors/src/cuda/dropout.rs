//! Launches of dropout.cu.

use candle_core::Result;

use super::runtime::Argument::{Float, Pointer, Size};
use super::runtime::{Kernel, Runtime, blocks};

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "dropout", name }
}

/// Writes 0 or `kept * x` to `y`, by the place of each element; `dropped` of 2^32 numbers drop it.
///
/// # Safety
///
/// `x` and `y` point to `count` floats.
pub(crate) unsafe fn drop_elements(
    runtime: &impl Runtime,
    [x, y]: [u64; 2],
    count: usize,
    (seed, dropped, kept): (u64, u64, f32),
) -> Result<()> {
    // size_t has 64 bits wherever CUDA runs.
    let choice = [Size(seed as usize), Size(dropped as usize), Float(kept)];
    let arguments = [&[Pointer(x), Pointer(y), Size(count)][..], &choice].concat();
    // SAFETY: a thread touches its own element, if it is below `count`.
    unsafe { runtime.launch(kernel("drop_elements"), blocks(count), &arguments) }
}

/// Writes every plane of `x` times its factor to `y`.
///
/// # Safety
///
/// `x` and `y` point to as many planes of `pixels` floats as there are factors.
pub(crate) unsafe fn scale_planes(
    runtime: &impl Runtime,
    [x, y]: [u64; 2],
    factors: &[f32],
    pixels: usize,
) -> Result<()> {
    let count = factors.len() * pixels;
    let (_factors, factors) = runtime.upload(factors)?;
    let arguments = [Pointer(x), Pointer(y), Pointer(factors), Size(pixels), Size(count)];
    // SAFETY: a thread touches its own element, if it is below `count`, and the factor of its plane.
    unsafe { runtime.launch(kernel("scale_planes"), blocks(count), &arguments) }
}
