//! Launches of reduce.cu.

use candle_core::Result;

use super::runtime::Argument::{Pointer, Size};
use super::runtime::{Kernel, Runtime, THREADS};

/// Summands of a thread: SUMMANDS in sums.cuh.
const SUMMANDS: usize = 16;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "reduce", name }
}

/// Blocks that sum `count` summands, and parts of their sum.
pub(crate) fn parts(count: usize) -> usize {
    count.div_ceil(THREADS * SUMMANDS).max(1)
}

/// Writes the sum of all elements of `x`, times those of `weights` unless that is 0, to `sum`.
///
/// # Safety
///
/// `x` and, if not 0, `weights` point to `count` floats, `sum` to one.
pub(crate) unsafe fn sum(runtime: &impl Runtime, [x, weights, sum]: [u64; 3], count: usize) -> Result<()> {
    let of_parts = |found| {
        let arguments = [Pointer(x), Pointer(weights), Pointer(found), Size(count)];
        // SAFETY: a block writes its double, and its threads read elements below `count`.
        unsafe { runtime.launch(kernel("sum_parts"), parts(count), &arguments) }
    };
    // SAFETY: the kernel writes every part.
    unsafe { sums(runtime, (1, parts(count)), sum, of_parts) }
}

/// Writes sums of so many parts to `sums`; `of_parts` writes the parts, those of one sum after those of the one before it, given where
/// they begin.
///
/// # Safety
///
/// `of_parts` launches a kernel that writes all parts, which are doubles; `sums` points to a float for each sum.
pub(crate) unsafe fn sums(
    runtime: &impl Runtime,
    (count, parts): (usize, usize),
    sums: u64,
    of_parts: impl FnOnce(u64) -> Result<()>,
) -> Result<()> {
    let (_memory, found) = runtime.scratch(count * parts * size_of::<f64>())?;
    of_parts(found)?;
    // SAFETY: a block reads all parts of its sum and writes it.
    unsafe { runtime.launch(kernel("sum"), count, &[Pointer(found), Pointer(sums), Size(parts)]) }
}
