//! The driver's pool, from which a card's tensors come.

use std::ffi::c_void;

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::sys;
use candle_core::cuda_backend::cudarc::driver::sys::CUmemPool_attribute as Attribute;
use candle_core::{Error, Result};

/// Lets the pool keep what is freed; by itself it gives all of it back whenever the card is waited for, to ask for it again at once.
pub(crate) fn keep_freed(card: &CudaDevice) -> Result<()> {
    let Some(pool) = pool(card)? else { return Ok(()) };
    let mut all = u64::MAX;
    // SAFETY: the attribute is a u64, which is read.
    let code = unsafe {
        sys::cuMemPoolSetAttribute(
            pool,
            Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut all).cast::<c_void>(),
        )
    };
    code.result().map_err(Error::wrap)
}

/// The most bytes that were in use at one time.
pub(crate) fn peak(card: &CudaDevice) -> Result<Option<u64>> {
    let Some(pool) = pool(card)? else { return Ok(None) };
    let mut bytes = 0_u64;
    // SAFETY: the attribute is a u64, which is written.
    let code = unsafe {
        sys::cuMemPoolGetAttribute(
            pool,
            Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH,
            (&raw mut bytes).cast::<c_void>(),
        )
    };
    code.result().map_err(Error::wrap)?;
    Ok(Some(bytes))
}

/// None where the driver has no pools; tensors have memory of their own there.
fn pool(card: &CudaDevice) -> Result<Option<sys::CUmemoryPool>> {
    let mut pool = std::ptr::null_mut();
    let device = card.cuda_stream().context().cu_device();
    // SAFETY: the pool is written. It lives as long as the device's driver.
    match unsafe { sys::cuDeviceGetDefaultMemPool(&raw mut pool, device) } {
        sys::CUresult::CUDA_ERROR_NOT_SUPPORTED => Ok(None),
        code => code.result().map(|()| Some(pool)).map_err(Error::wrap),
    }
}
