//! Launches of binary_cross_entropy.cu.

use candle_core::Result;

use super::reduce;
use super::runtime::Argument::{Float, Pointer, Size, Unsigned};
use super::runtime::{Kernel, Runtime, blocks};

/// What labels of 0 and 1 weigh, and the label that does not count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) background: f32,
    pub(crate) foreground: f32,
    pub(crate) ignore: u8,
}

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "binary_cross_entropy", name }
}

/// Writes the sum of the losses and the number of pixels that count to `sums`.
///
/// # Safety
///
/// `logits` points to `count` floats, `labels` to as many bytes, `sums` to two floats.
pub(crate) unsafe fn sums(
    runtime: &impl Runtime,
    of: Weights,
    [logits, labels, sums]: [u64; 3],
    count: usize,
) -> Result<()> {
    let parts = reduce::parts(count);
    let of_parts = |found| {
        let arguments = [
            Pointer(logits),
            Pointer(labels),
            Pointer(found),
            Size(count),
            Float(of.background),
            Float(of.foreground),
            Unsigned(of.ignore.into()),
        ];
        // SAFETY: a block writes its part of both sums, and its threads read elements below `count`.
        unsafe { runtime.launch(kernel("binary_cross_entropy"), parts, &arguments) }
    };
    // SAFETY: the kernel writes every part.
    unsafe { reduce::sums(runtime, (2, parts), sums, of_parts) }
}

/// Writes the gradient for the logits to `dx`, given that for the sums.
///
/// # Safety
///
/// `logits` and `dx` point to `count` floats, `labels` to as many bytes, `upstream` to two floats.
pub(crate) unsafe fn gradient(
    runtime: &impl Runtime,
    of: Weights,
    [logits, labels, upstream, dx]: [u64; 4],
    count: usize,
) -> Result<()> {
    let arguments = [
        Pointer(logits),
        Pointer(labels),
        Pointer(upstream),
        Pointer(dx),
        Size(count),
        Float(of.background),
        Float(of.foreground),
        Unsigned(of.ignore.into()),
    ];
    // SAFETY: a thread touches its own pixel, if it is below `count`.
    unsafe { runtime.launch(kernel("binary_cross_entropy_gradient"), blocks(count), &arguments) }
}
