//! Kernels on a card of NVIDIA.

use candle_core::cuda_backend::cudarc::driver::{DevicePtr, DevicePtrMut, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage};
use candle_core::{Layout, Result, Shape, bail};
use sconce_kernels::{Kernels, OnCard};

use super::channel_sum;
use super::channels::Channels;

/// A card as the runtime of this crate's kernels.
pub(crate) struct Card<'a>(pub(crate) &'a CudaDevice);

impl OnCard for Card<'_> {
    const KERNELS: Kernels =
        Kernels { package: env!("CARGO_PKG_NAME"), ptx: include!(concat!(env!("OUT_DIR"), "/kernels.rs")) };

    fn device(&self) -> &CudaDevice {
        self.0
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
