//! The CRF on a card of NVIDIA.

use sconce_kernels::{CudaDevice, Kernels, OnCard};

use super::DeviceCrf;
use crate::{Error, Shape};

/// A card as the runtime of this crate's kernels.
#[derive(Debug, Clone)]
pub struct Card(CudaDevice);

impl Card {
    /// The card of this number, counted from 0; an error if none answers.
    pub fn open(ordinal: usize) -> Result<Self, Error> {
        Ok(Self(sconce_kernels::open(ordinal)?))
    }
}

impl OnCard for Card {
    const KERNELS: Kernels =
        Kernels { package: env!("CARGO_PKG_NAME"), ptx: include!(concat!(env!("OUT_DIR"), "/kernels.rs")) };

    fn device(&self) -> &CudaDevice {
        &self.0
    }
}

/// A [`DenseCrf`](crate::DenseCrf) on a GPU.
pub type CudaCrf = DeviceCrf<Card>;

impl CudaCrf {
    /// As [`DenseCrf::new`](crate::DenseCrf::new), on this card.
    pub fn new(shape: Shape, classes: usize, device: &CudaDevice) -> Result<Self, Error> {
        Self::with_runtime(shape, classes, Card(device.clone()))
    }
}
