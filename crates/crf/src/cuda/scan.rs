//! Launches of scan.cu.

use sconce_kernels::Argument::Size;
use sconce_kernels::{Kernel, Result, Runtime, THREADS, blocks};

use super::array::Array;

/// Values of a block: THREADS times SCANNED in scan.cu.
const TILE: usize = THREADS * 16;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "scan", name }
}

/// Replaces every value by the sum of all before it, modulo 2^32.
pub(super) fn scan<R: Runtime>(runtime: &R, values: &Array<R, u32>) -> Result<()> {
    let (count, parts) = (values.len(), values.len().div_ceil(TILE));
    let totals = Array::<R, u32>::scratch(runtime, parts)?;
    let arguments = [values.pointer(), totals.pointer(), Size(count)];
    // SAFETY: block b touches its values and writes total b.
    unsafe { runtime.launch(kernel("scan_blocks"), parts, &arguments) }?;
    if parts < 2 {
        return Ok(());
    }
    scan(runtime, &totals)?;
    // SAFETY: a thread touches its value, if there is one, and reads its block's total.
    unsafe { runtime.launch(kernel("add_totals"), blocks(count), &arguments) }
}
