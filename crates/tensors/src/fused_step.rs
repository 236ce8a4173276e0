//! Steps of an optimiser for all parameters on a GPU at once, and the norm of their gradients.

use candle_core::cuda_backend::cudarc::driver::DevicePtr;
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{Device, Result, Storage, Tensor, Var, bail};

use crate::cuda::card::{Card, pointer};
use crate::cuda::optimiser::{self, Slot};
pub use crate::cuda::optimiser::{Own, Rule};

const NAME: &str = "optimiser step";

/// A parameter, its gradient, and what the rule remembers of each of its scalars: as many tensors of the parameter's shape as the rule has
/// numbers. All are f32, contiguous and on one GPU.
#[derive(Debug, Clone)]
pub struct Update<'a> {
    /// What is trained.
    pub parameter: &'a Var,
    /// Of the loss.
    pub gradient: Tensor,
    /// None for SGD without momentum, one with it, two for Adam; changed by the step.
    pub memory: &'a [Tensor],
    /// What is this parameter's own in the rule.
    pub own: Own,
}

/// Moves all parameters and what is remembered of them, in one launch.
///
/// # Errors
///
/// Tensors that are not as [`Update`] says.
pub fn step(rule: Rule, updates: &[Update]) -> Result<()> {
    let Some(first) = updates.first() else { return Ok(()) };
    let needed = if matches!(rule, Rule::Adam { .. }) { 2..=2 } else { 0..=1 };
    let mut slots = Vec::with_capacity(updates.len());
    for Update { parameter, gradient, memory, own } in updates {
        if !needed.contains(&memory.len()) {
            bail!("{NAME}: {} remembered numbers a scalar for {rule:?}", memory.len());
        }
        let count = parameter.elem_count();
        let start = |tensor: &Tensor| match tensor.elem_count() == count {
            true => start_of(tensor, first.parameter.device()),
            false => bail!("{NAME}: {:?} beside the parameter {:?}", tensor.shape(), parameter.shape()),
        };
        let mut places = [0; 2];
        for (place, memory) in places.iter_mut().zip(*memory) {
            *place = start(memory)?;
        }
        let (values, gradient) = (start(parameter)?, start(gradient)?);
        slots.push(Slot { values, gradient, memory: places, count, own: *own });
    }
    let device = card_of(first.parameter.device())?;
    // SAFETY: all tensors of a slot have been seen to have `count` contiguous floats on this device, and outlive the call; the memory that
    // is theirs is freed in the stream's order, after the launch. Adam's two memories are there.
    unsafe { optimiser::step(&Card(device), rule, &slots) }
}

/// The sum of the squares of all elements of all tensors, which are f32, contiguous and on one GPU; accumulated in f64.
///
/// # Shapes
///
/// At least one tensor of any shape -> scalar, f64, on their GPU.
///
/// # Errors
///
/// Tensors that are not so.
pub fn sum_of_squares(tensors: &[Tensor]) -> Result<Tensor> {
    let Some(first) = tensors.first() else { bail!("{NAME}: no tensors to sum the squares of") };
    let slot = |tensor: &Tensor| {
        let gradient = start_of(tensor, first.device())?;
        Ok(Slot { values: 0, gradient, memory: [0; 2], count: tensor.elem_count(), own: Own::default() })
    };
    let slots = tensors.iter().map(slot).collect::<Result<Vec<_>>>()?;
    let device = card_of(first.device())?;
    let sum = device.alloc_zeros::<f64>(1)?;
    let place = sum.device_ptr(&device.cuda_stream()).0;
    // SAFETY: the tensors have been seen to have so many contiguous floats on this device; `sum` is one double.
    unsafe { optimiser::sum_of_squares(&Card(device), &slots, place) }?;
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(sum, device.clone()));
    Ok(Tensor::from_storage(storage, (), BackpropOp::none(), false))
}

fn card_of(device: &Device) -> Result<&CudaDevice> {
    match device {
        Device::Cuda(device) => Ok(device),
        other => bail!("{NAME}: {other:?} is no GPU"),
    }
}

/// Where the floats of a tensor on `device` begin.
fn start_of(tensor: &Tensor, device: &Device) -> Result<u64> {
    if !tensor.device().same_device(device) {
        bail!("{NAME}: tensors on {:?} and {:?}", tensor.device(), device);
    }
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => pointer::<f32>(storage, layout, NAME),
        _ => bail!("{NAME}: {:?} is not on a GPU", tensor.shape()),
    }
}
