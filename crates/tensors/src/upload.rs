//! Tensors on their way from main memory to a device, without anybody waiting.

#[cfg(feature = "cuda")]
use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

#[cfg(feature = "cuda")]
use crate::cuda::locked::{Locked, Pool};

/// The way to one device, for any number of threads.
///
/// A GPU copies from page-locked memory by itself: whoever prepares a batch writes it there, and whoever trains only tells the GPU to
/// fetch it, behind the work that it has already been given. Elsewhere tensors are passed on as they are.
#[derive(Debug, Clone)]
pub struct Uploads {
    device: Device,
    #[cfg(feature = "cuda")]
    pool: Arc<Pool>,
}

/// A tensor that is ready to be copied.
#[derive(Debug)]
pub struct Upload(Source);

#[derive(Debug)]
enum Source {
    /// To be copied as candle does, if it is not there already.
    Tensor(Tensor, Device),
    #[cfg(feature = "cuda")]
    Locked(Locked),
}

impl Uploads {
    /// The way to a device.
    pub fn new(device: &Device) -> Self {
        Self {
            device: device.clone(),
            #[cfg(feature = "cuda")]
            pool: Arc::default(),
        }
    }

    /// Makes a tensor of main memory ready, on any thread; it may wait for earlier copies to end.
    ///
    /// # Errors
    ///
    /// If the GPU's driver gives no page-locked memory.
    pub fn prepare(&self, tensor: Tensor) -> Result<Upload> {
        #[cfg(feature = "cuda")]
        if let Device::Cuda(card) = &self.device
            && let Some(locked) = Locked::new(&self.pool, card, &tensor)?
        {
            return Ok(Upload(Source::Locked(locked)));
        }
        Ok(Upload(Source::Tensor(tensor, self.device.clone())))
    }
}

impl Upload {
    /// The tensor on its device; work given to the device after it finds the values there. To be called by the thread that gives the work.
    ///
    /// # Errors
    ///
    /// If the device has no memory left, or fails.
    pub fn start(self) -> Result<Tensor> {
        match self.0 {
            Source::Tensor(tensor, device) => tensor.to_device(&device),
            #[cfg(feature = "cuda")]
            Source::Locked(locked) => locked.start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{devices, hashed_uniform};

    #[test]
    fn values_arrive_in_any_order_and_again() -> Result<()> {
        for device in devices() {
            let uploads = Uploads::new(&device);
            let tensors: Vec<Tensor> =
                (0..4).map(|name| hashed_uniform(&name.to_string(), (2, 3, 5))).collect();
            for _ in 0..3 {
                let ready = tensors.iter().map(|tensor| uploads.prepare(tensor.clone()));
                let ready = ready.collect::<Result<Vec<_>>>()?;
                for (upload, tensor) in ready.into_iter().zip(&tensors).rev() {
                    let there = upload.start()?;
                    assert!(there.device().same_device(&device));
                    assert_eq!(there.to_vec3::<f32>()?, tensor.to_vec3::<f32>()?);
                }
            }
            let labels = Tensor::new(&[[7u8, 255]], &Device::Cpu)?;
            assert_eq!(uploads.prepare(labels)?.start()?.to_vec2::<u8>()?, [[7, 255]]);
        }
        Ok(())
    }
}
