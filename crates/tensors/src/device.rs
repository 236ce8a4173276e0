//! What a device is called.

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
