//! Page-locked memory, from which a card copies by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DeviceRepr, PinnedHostSlice, ValidAsZeroBits};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{DType, Error, Result, Shape, Storage, Tensor, WithDType, bail};

use crate::host;

const NAME: &str = "upload";

/// Memory that is not in use, by its length. A piece is used again once the copy that began from it has ended.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    floats: Free<f32>,
    bytes: Free<u8>,
}

type Free<T> = Mutex<HashMap<usize, Vec<PinnedHostSlice<T>>>>;

/// A tensor's values in page-locked memory.
#[derive(Debug)]
pub(crate) struct Locked {
    memory: Memory,
    shape: Shape,
    card: CudaDevice,
    pool: Arc<Pool>,
}

#[derive(Debug)]
enum Memory {
    Floats(PinnedHostSlice<f32>),
    Bytes(PinnedHostSlice<u8>),
}

impl Locked {
    /// None for a tensor that is not in main memory, or of another type than f32 and u8.
    pub(crate) fn new(pool: &Arc<Pool>, card: &CudaDevice, tensor: &Tensor) -> Result<Option<Self>> {
        let memory = match tensor.dtype() {
            _ if !tensor.device().is_cpu() || tensor.elem_count() == 0 => return Ok(None),
            DType::F32 => Memory::Floats(fill(&pool.floats, card, tensor)?),
            DType::U8 => Memory::Bytes(fill(&pool.bytes, card, tensor)?),
            _ => return Ok(None),
        };
        let (shape, card, pool) = (tensor.shape().clone(), card.clone(), Arc::clone(pool));
        Ok(Some(Self { memory, shape, card, pool }))
    }

    /// Tells the card to copy, behind the work that it has been given.
    pub(crate) fn start(self) -> Result<Tensor> {
        let Self { memory, shape, card, pool } = self;
        let storage = match memory {
            Memory::Floats(values) => copy(&pool.floats, &card, values)?,
            Memory::Bytes(values) => copy(&pool.bytes, &card, values)?,
        };
        Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
    }
}

/// The values of a tensor in a free piece of memory, or in a new one.
fn fill<T: WithDType + DeviceRepr + ValidAsZeroBits>(
    free: &Free<T>,
    card: &CudaDevice,
    tensor: &Tensor,
) -> Result<PinnedHostSlice<T>> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("{NAME}: the tensor must be in main memory") };
    let values = host::slice::<T>(storage, layout, NAME)?;
    let found = lock(free).get_mut(&values.len()).and_then(Vec::pop);
    let new = || {
        // SAFETY: page-locked memory may hold any bytes, and so may these types; all are written below.
        unsafe { card.cuda_stream().context().alloc_pinned::<T>(values.len()) }.map_err(Error::wrap)
    };
    let mut memory = found.map_or_else(new, Ok)?;
    // This waits for the last copy from it.
    memory.as_mut_slice().map_err(Error::wrap)?.copy_from_slice(values);
    Ok(memory)
}

/// Begins a copy, and gives the memory back: it knows of the copy.
fn copy<T: CudaDType + DeviceRepr>(
    free: &Free<T>,
    card: &CudaDevice,
    memory: PinnedHostSlice<T>,
) -> Result<CudaStorage> {
    let copied: CudaSlice<T> = card.cuda_stream().clone_htod(&memory).map_err(Error::wrap)?;
    lock(free).entry(memory.len()).or_default().insert(0, memory);
    Ok(CudaStorage::wrap_cuda_slice(copied, card.clone()))
}

fn lock<T>(free: &Free<T>) -> std::sync::MutexGuard<'_, HashMap<usize, Vec<PinnedHostSlice<T>>>> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}
