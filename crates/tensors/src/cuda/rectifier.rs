//! Launches of rectifier.cu.

use candle_core::Result;

use super::runtime::Argument::{Float, Int, Pointer, Size};
use super::runtime::{Kernel, Runtime, blocks};

/// A curve as the kernels know it: which one, and its slope below zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CurveCode(pub(crate) i32, pub(crate) f32);

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "rectifier", name }
}

/// Writes the curve's values at `x` to `y`.
///
/// # Safety
///
/// `x` and `y` point to `count` floats.
pub(crate) unsafe fn values(
    runtime: &impl Runtime,
    curve: CurveCode,
    x: u64,
    y: u64,
    count: usize,
) -> Result<()> {
    let arguments = [Pointer(x), Pointer(y), Size(count), Int(curve.0), Float(curve.1)];
    // SAFETY: a thread touches its own element, if it is below `count`.
    unsafe { runtime.launch(kernel("rectifier"), blocks(count), &arguments) }
}

/// Writes the gradients for `x` to `dx`.
///
/// # Safety
///
/// `x`, `upstream` and `dx` point to `count` floats.
pub(crate) unsafe fn gradients(
    runtime: &impl Runtime,
    curve: CurveCode,
    [x, upstream, dx]: [u64; 3],
    count: usize,
) -> Result<()> {
    let arguments = [Pointer(x), Pointer(upstream), Pointer(dx), Size(count), Int(curve.0), Float(curve.1)];
    // SAFETY: a thread touches its own element, if it is below `count`.
    unsafe { runtime.launch(kernel("rectifier_gradient"), blocks(count), &arguments) }
}

/// Writes what is positive of `a + b` to `y`.
///
/// # Safety
///
/// `a`, `b` and `y` point to `count` floats.
pub(crate) unsafe fn add_relu(runtime: &impl Runtime, [a, b, y]: [u64; 3], count: usize) -> Result<()> {
    let arguments = [Pointer(a), Pointer(b), Pointer(y), Size(count)];
    // SAFETY: a thread touches its own element, if it is below `count`.
    unsafe { runtime.launch(kernel("add_relu"), blocks(count), &arguments) }
}
