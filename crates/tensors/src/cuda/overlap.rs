//! Launches of overlap.cu.

use candle_core::Result;

use super::pixel_classes::Pixels;
use super::reduce;
use super::runtime::Argument::{self, Int, Pointer, Unsigned};
use super::runtime::{Kernel, Runtime, blocks};
use crate::overlap::{OverlapConfig, Probabilities};

/// What the kernels call it, for so many channels: softmax, first, classes, ignore, ignored_count.
fn arguments(of: &OverlapConfig, channels: u32) -> [Argument; 5] {
    let first = u32::from(of.first);
    let softmax = Int((of.probabilities == Probabilities::Softmax).into());
    [
        softmax,
        Unsigned(first),
        Unsigned(first + channels),
        Unsigned(of.ignore.into()),
        Int(of.ignored_count.into()),
    ]
}

/// Writes the three sums to `sums`.
///
/// # Safety
///
/// `logits` points to floats for every pixel and channel, `labels` to a byte for every pixel, `sums` to three floats.
pub(crate) unsafe fn sums(
    runtime: &impl Runtime,
    pixels: Pixels,
    of: &OverlapConfig,
    [logits, labels, sums]: [u64; 3],
) -> Result<()> {
    let parts = reduce::parts(pixels.count());
    let of_parts = |found| {
        let maps = [Pointer(logits), Pointer(labels), Pointer(found)];
        let arguments = [&maps[..], &pixels.arguments(), &arguments(of, pixels.channels())].concat();
        // SAFETY: a block writes its part of the three sums, and its threads read pixels below the number of them.
        unsafe { runtime.launch(Kernel { file: "overlap", name: "overlap" }, parts, &arguments) }
    };
    // SAFETY: the kernel writes every part.
    unsafe { reduce::sums(runtime, (3, parts), sums, of_parts) }
}

/// Writes the gradient for the logits to `dx`, given that for the sums.
///
/// # Safety
///
/// `logits` and `dx` point to floats for every pixel and channel, `labels` to a byte for every pixel, `upstream` to three floats.
pub(crate) unsafe fn gradient(
    runtime: &impl Runtime,
    pixels: Pixels,
    of: &OverlapConfig,
    [logits, labels, upstream, dx]: [u64; 4],
) -> Result<()> {
    let maps = [Pointer(logits), Pointer(labels), Pointer(upstream), Pointer(dx)];
    let arguments = [&maps[..], &pixels.arguments(), &arguments(of, pixels.channels())].concat();
    let kernel = Kernel { file: "overlap", name: "overlap_gradient" };
    // SAFETY: a thread touches its own pixel, if there is one.
    unsafe { runtime.launch(kernel, blocks(pixels.count()), &arguments) }
}
