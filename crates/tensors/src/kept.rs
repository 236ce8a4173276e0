//! What a forward pass keeps for its backward pass beside tensors, where the operation ran.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, bail};

/// Filled by the forward pass, shared with the backward pass.
pub(crate) type Kept<T> = Arc<OnceLock<Values<T>>>;

/// In main memory, or on a GPU.
pub(crate) enum Values<T> {
    Host(Vec<T>),
    #[cfg(feature = "cuda")]
    Card(candle_core::CudaStorage),
}

/// Those in main memory; `op` names the operation in the error.
pub(crate) fn on_host<'a, T>(kept: &'a Kept<T>, op: &str) -> Result<&'a [T]> {
    match kept.get() {
        Some(Values::Host(values)) => Ok(values),
        _ => bail!("{op}: no forward pass came before on this device"),
    }
}

/// Where those on a GPU begin; `op` names the operation in the error.
#[cfg(feature = "cuda")]
pub(crate) fn on_card<T>(kept: &Kept<T>, op: &str) -> Result<u64>
where
    T: candle_core::cuda_backend::CudaDType + candle_core::cuda_backend::cudarc::driver::DeviceRepr,
{
    let Some(Values::Card(storage)) = kept.get() else {
        bail!("{op}: no forward pass came before on this device")
    };
    let count = storage.as_cuda_slice::<T>()?.len();
    crate::cuda::card::pointer::<T>(storage, &candle_core::Layout::contiguous(count), op)
}
