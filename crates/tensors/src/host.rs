//! Slices of contiguous tensors in main memory, for the CPU side of custom operations.

use candle_core::{CpuStorage, DType, Layout, Result, Tensor, WithDType, bail};

/// The elements of a contiguous tensor of type `T`; `op` names the operation in the error.
pub(crate) fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout, op: &str) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("{op}: the tensor {:?} must be contiguous", layout.shape()),
    }
}

/// The four sizes of `x`, which must be f32, of rank 4 and without an empty axis.
pub(crate) fn dims4(x: &Tensor, op: &str) -> Result<(usize, usize, usize, usize)> {
    check_f32(x, op)?;
    match *x.dims() {
        [n, c, h, w] if n * c * h * w > 0 => Ok((n, c, h, w)),
        _ => bail!("{op}: expected (N, C, H, W) without an empty axis, got {:?}", x.shape()),
    }
}

/// An error unless `x` holds f32.
pub(crate) fn check_f32(x: &Tensor, op: &str) -> Result<()> {
    match x.dtype() {
        DType::F32 => Ok(()),
        other => bail!("{op}: expected f32, got {other:?} of shape {:?}", x.shape()),
    }
}

/// Fewest items per job such that a job touches about 16 Ki elements; `work` is the elements one item touches.
pub(crate) fn items_per_job(work: usize) -> usize {
    (16 * 1024 / work.max(1)).max(1)
}
