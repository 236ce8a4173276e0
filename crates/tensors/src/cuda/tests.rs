//! Every kernel, with the code that launches it, against the operation's CPU form.

mod batch_norm;
mod confusion;
mod optimiser;
mod pixel_sums;
mod pixels;
mod planes;
mod projection;
mod rectifier;

use std::sync::OnceLock;

use candle_core::{Device, Result, Tensor};
use sconce_kernels::Emulation;

/// This crate's kernels on the processor, if there is a C++ compiler.
pub(crate) fn emulation() -> Option<&'static Emulation> {
    static EMULATION: OnceLock<Option<Emulation>> = OnceLock::new();
    EMULATION.get_or_init(|| Emulation::new(env!("CARGO_MANIFEST_DIR"))).as_ref()
}

/// The floats of a tensor, as a card would hold them.
fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("floats")
}

/// The same of bytes.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("bytes")
}

/// Where the values of a vector begin.
fn at<T>(values: &[T]) -> u64 {
    values.as_ptr() as u64
}

/// The same of values that a kernel changes.
fn at_mut<T>(values: &mut [T]) -> u64 {
    values.as_mut_ptr() as u64
}

/// A tensor of so many floats that `fill` writes, given where they begin.
fn filled(shape: impl Into<candle_core::Shape>, fill: impl FnOnce(u64) -> Result<()>) -> Result<Tensor> {
    let shape = shape.into();
    let mut values = vec![f32::NAN; shape.elem_count()];
    fill(values.as_mut_ptr() as u64)?;
    Tensor::from_vec(values, shape, &Device::Cpu)
}
