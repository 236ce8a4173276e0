//! Launches of reduce.cu.

use candle_core::Result;

use super::runtime::Argument::{Pointer, Size};
use super::runtime::{Kernel, Runtime, THREADS};

/// Summands of a thread: SUMMANDS in reduce.cu.
const SUMMANDS: usize = 16;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "reduce", name }
}

/// Writes the sum of all elements of `x`, times those of `weights` unless that is 0, to `sum`.
///
/// # Safety
///
/// `x` and, if not 0, `weights` point to `count` floats, `sum` to one.
pub(crate) unsafe fn sum(runtime: &impl Runtime, [x, weights, sum]: [u64; 3], count: usize) -> Result<()> {
    let parts = count.div_ceil(THREADS * SUMMANDS).max(1);
    let (_memory, found) = runtime.scratch(parts * size_of::<f64>())?;
    let arguments = [Pointer(x), Pointer(weights), Pointer(found), Size(count)];
    // SAFETY: a block writes its double, and its threads read elements below `count`.
    unsafe { runtime.launch(kernel("sum_parts"), parts, &arguments) }?;
    // SAFETY: the one block reads all parts and writes the sum.
    unsafe { runtime.launch(kernel("sum"), 1, &[Pointer(found), Pointer(sum), Size(parts)]) }
}
