//! Kernels on a card of NVIDIA.

use std::ops::Range;

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, LaunchConfig, PushKernelArg};
use candle_core::{Error, Result, bail};

pub use candle_core::cuda_backend::CudaDevice;

use crate::runtime::{Argument, Kernel, Runtime, THREADS, Value};

/// The card of this number, counted from 0.
pub fn open(ordinal: usize) -> Result<CudaDevice> {
    BackendDevice::new(ordinal)
}

/// A crate's kernels as `compile.rs` made them.
#[derive(Debug, Clone, Copy)]
pub struct Kernels {
    /// The crate's name: two crates may have files of the same name.
    pub package: &'static str,
    /// PTX by file: `include!(concat!(env!("OUT_DIR"), "/kernels.rs"))`
    pub ptx: &'static [(&'static str, &'static str)],
}

/// A card with a crate's kernels, which is a [`Runtime`].
pub trait OnCard {
    /// What it can launch.
    const KERNELS: Kernels;

    /// The card.
    fn device(&self) -> &CudaDevice;
}

impl<T: OnCard> Runtime for T {
    type Memory = CudaSlice<u8>;

    fn scratch(&self, bytes: usize) -> Result<(Self::Memory, u64)> {
        let device = self.device();
        // SAFETY: bytes may have any value.
        let memory = unsafe { device.alloc::<u8>(bytes.max(1)) }?;
        let start = memory.device_ptr(&device.cuda_stream()).0;
        Ok((memory, start))
    }

    fn upload<V: Value>(&self, values: &[V]) -> Result<(Self::Memory, u64)> {
        let device = self.device();
        let memory = device.clone_htod(V::bytes(values))?;
        let start = memory.device_ptr(&device.cuda_stream()).0;
        Ok((memory, start))
    }

    fn download<V: Value>(&self, memory: &Self::Memory, places: Range<usize>) -> Result<Vec<V>> {
        let size = size_of::<V>();
        let Some(part) = memory.try_slice(places.start * size..places.end * size) else {
            bail!("the values {places:?} are more than the memory holds")
        };
        Ok(V::values(&self.device().clone_dtoh(&part)?))
    }

    unsafe fn launch(&self, kernel: Kernel, blocks: usize, arguments: &[Argument]) -> Result<()> {
        let Kernels { package, ptx } = T::KERNELS;
        let Some((_, ptx)) = ptx.iter().find(|(file, _)| *file == kernel.file) else {
            bail!("{kernel:?} is not part of this program")
        };
        let Ok(grid) = u32::try_from(blocks) else { bail!("{}: {blocks} blocks are too many", kernel.name) };
        let module = format!("{package}::{}", kernel.file);
        let function = self.device().get_or_load_custom_func(kernel.name, &module, ptx)?;
        let mut builder = function.builder();
        for argument in arguments {
            match argument {
                Argument::Pointer(value) => builder.arg(value),
                Argument::Size(value) => builder.arg(value),
                Argument::Int(value) => builder.arg(value),
                Argument::Unsigned(value) => builder.arg(value),
                Argument::Float(value) => builder.arg(value),
                Argument::Double(value) => builder.arg(value),
            };
        }
        let shape =
            LaunchConfig { grid_dim: (grid, 1, 1), block_dim: (THREADS as u32, 1, 1), shared_mem_bytes: 0 };
        // SAFETY: by contract the arguments are the kernel's.
        unsafe { builder.launch(shape) }.map_err(Error::wrap)?;
        Ok(())
    }
}
