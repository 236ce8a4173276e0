//! Launches of top_k.cu.

use candle_core::{Result, bail};

use super::runtime::Argument::{Pointer, Unsigned};
use super::runtime::{Kernel, Runtime};

/// Writes the indices of the `k` largest of every row's elements to `indices`.
///
/// # Safety
///
/// `x` points to `rows` times `columns` floats, `indices` to `rows` times `k` `u32`s; `k` is `columns` at most.
pub(crate) unsafe fn top_k(
    runtime: &impl Runtime,
    [x, indices]: [u64; 2],
    (rows, columns): (usize, usize),
    k: usize,
) -> Result<()> {
    let (Ok(columns), Ok(k)) = (u32::try_from(columns), u32::try_from(k)) else {
        bail!("top_k_indices: rows of {columns} elements are too long")
    };
    let arguments = [Pointer(x), Pointer(indices), Unsigned(columns), Unsigned(k)];
    // SAFETY: a block reads its row and writes its row of indices.
    unsafe { runtime.launch(Kernel { file: "top_k", name: "top_k" }, rows, &arguments) }
}
