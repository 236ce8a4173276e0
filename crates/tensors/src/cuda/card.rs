//! Kernels on a card of NVIDIA.

use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage};
use candle_core::{Error, Layout, Result, Shape, bail};

use super::channel_sum;
use super::channels::Channels;
use super::runtime::{Argument, Kernel, Runtime, THREADS, Value};

/// PTX of the kernels, by file.
const PTX: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

/// A card as a runtime.
pub(crate) struct Card<'a>(pub(crate) &'a CudaDevice);

impl Runtime for Card<'_> {
    type Memory = CudaSlice<u8>;

    fn scratch(&self, bytes: usize) -> Result<(Self::Memory, u64)> {
        // SAFETY: bytes may have any value.
        let memory = unsafe { self.0.alloc::<u8>(bytes.max(1)) }?;
        let start = memory.device_ptr(&self.0.cuda_stream()).0;
        Ok((memory, start))
    }

    fn upload<T: Value>(&self, values: &[T]) -> Result<(Self::Memory, u64)> {
        let memory = self.0.clone_htod(&T::bytes(values))?;
        let start = memory.device_ptr(&self.0.cuda_stream()).0;
        Ok((memory, start))
    }

    unsafe fn launch(&self, kernel: Kernel, blocks: usize, arguments: &[Argument]) -> Result<()> {
        let Some((_, ptx)) = PTX.iter().find(|(file, _)| *file == kernel.file) else {
            bail!("{kernel:?} is not part of this program")
        };
        let Ok(grid) = u32::try_from(blocks) else { bail!("{}: {blocks} blocks are too many", kernel.name) };
        let function =
            self.0.get_or_load_custom_func(kernel.name, &format!("sconce::{}", kernel.file), ptx)?;
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

/// Where the elements of a contiguous tensor begin; `op` names the operation in the error.
pub(crate) fn pointer<T: CudaDType + DeviceRepr>(
    storage: &CudaStorage,
    layout: &Layout,
    op: &str,
) -> Result<u64> {
    let Some((start, _)) = layout.contiguous_offsets() else {
        bail!("{op}: the tensor {:?} must be contiguous", layout.shape())
    };
    let first = storage.as_cuda_slice::<T>()?.device_ptr(&storage.device.cuda_stream()).0;
    Ok(first + (start * size_of::<T>()) as u64)
}

/// A new tensor of `len` elements, of which `fill` writes every one, given where they begin.
///
/// # Safety
///
/// `fill` launches kernels that write every element and nothing beyond.
pub(crate) unsafe fn filled<T: CudaDType + DeviceRepr>(
    device: &CudaDevice,
    len: usize,
    fill: impl FnOnce(&Card, u64) -> Result<()>,
) -> Result<CudaStorage> {
    // SAFETY: by contract every element is written before anything launched later can read it.
    let mut slice = unsafe { device.alloc::<T>(len.max(1)) }?;
    let start = slice.device_ptr_mut(&device.cuda_stream()).0;
    fill(&Card(device), start)?;
    Ok(CudaStorage::wrap_cuda_slice(slice, device.clone()))
}

/// The number of elements of tensors that must have as many; `op` names the operation in the error.
pub(crate) fn same_count<const N: usize>(layouts: [&Layout; N], op: &str) -> Result<usize> {
    let count = layouts[0].shape().elem_count();
    match layouts.iter().find(|layout| layout.shape().elem_count() != count) {
        Some(other) => bail!("{op}: the shapes {:?} and {:?} differ", layouts[0].shape(), other.shape()),
        None => Ok(count),
    }
}

/// The map `y` with the channel's bias added to every value, if there is one.
pub(crate) fn with_bias(
    y: CudaStorage,
    shape: &Shape,
    bias: Option<(&CudaStorage, &Layout)>,
    op: &str,
) -> Result<CudaStorage> {
    let Some((bias, layout)) = bias else { return Ok(y) };
    let of = Channels::new(shape, op)?;
    let start = y.as_cuda_slice::<f32>()?.device_ptr(&y.device.cuda_stream()).0;
    let bias = pointer::<f32>(bias, layout, op)?;
    // SAFETY: the geometry has been checked: the map has the floats of its shape, the bias one for each channel. Nothing else holds `y`.
    unsafe { channel_sum::add_bias(&Card(&y.device), of, start, bias) }?;
    Ok(y)
}
