//! What a device is called, and what memory it holds.

use candle_core::{Device, Result, bail};

/// `cpu`, or number and name of a GPU, such as `cuda:0 NVIDIA H100`.
///
/// # Errors
///
/// A driver that does not answer, or a device that is neither.
pub fn device_name(device: &Device) -> Result<String> {
    match device {
        Device::Cpu => Ok("cpu".to_owned()),
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => {
            let stream = card.cuda_stream();
            let context = stream.context();
            Ok(format!("cuda:{} {}", context.ordinal(), context.name().map_err(candle_core::Error::wrap)?))
        }
        other => bail!("{other:?} is neither the CPU nor a GPU of NVIDIA"),
    }
}

/// Lets a GPU's driver keep the memory of freed tensors for new ones; of the processor, see
/// [`keep_freed_memory`](crate::keep_freed_memory).
///
/// # Errors
///
/// A driver that refuses.
pub fn keep_freed_memory_of(device: &Device) -> Result<()> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => crate::cuda::memory::keep_freed(card),
        _ => Ok(()),
    }
}

/// The most bytes that tensors of this process have held on a GPU at one time; none for the processor, and where the driver does not tell.
///
/// # Errors
///
/// A driver that does not answer.
pub fn peak_memory_of(device: &Device) -> Result<Option<u64>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => crate::cuda::memory::peak(card),
        _ => Ok(None),
    }
}
