//! A block's input as a variable that holds the same values, without a copy of them.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, Var};

/// An input of a block's second run: its values with no graph behind them.
pub(super) enum Leaf<'a> {
    /// Gradients end there anyway, or none is asked for.
    End(Tensor),
    /// A variable with a copy of the input's values, as always on a GPU.
    Variable(Var),
    /// One with the input's memory, which returns to it in the end.
    Lent { owner: &'a Tensor, variable: Var },
}

impl<'a> Leaf<'a> {
    pub(super) fn of_all(inputs: &[&'a Tensor]) -> Result<Vec<Self>> {
        let memory: Vec<_> = inputs.iter().map(|input| memory(input)).collect();
        let alone = |address| memory.iter().filter(|&&other| other == address).count() == 1;
        inputs.iter().zip(&memory).map(|(input, &address)| Self::of(input, alone(address))).collect()
    }

    /// `alone`: no other input has the same memory.
    fn of(input: &'a Tensor, alone: bool) -> Result<Self> {
        if input.is_variable() {
            return Ok(Self::End(input.clone()));
        }
        if !input.track_op() {
            return Ok(Self::End(input.detach()));
        }
        if !alone || !owns_its_memory(input) {
            return Ok(Self::Variable(Var::from_tensor(&input.force_contiguous()?)?));
        }
        let values = exchange(input, Vec::new())?;
        Ok(Self::Lent { owner: input, variable: Var::from_vec(values, input.shape(), input.device())? })
    }

    pub(super) fn tensor(&self) -> Tensor {
        match self {
            Self::End(tensor) => tensor.clone(),
            Self::Variable(variable) | Self::Lent { variable, .. } => variable.as_tensor().clone(),
        }
    }
}

impl Drop for Leaf<'_> {
    fn drop(&mut self) {
        if let Self::Lent { owner, variable } = self
            && let Ok(values) = exchange(variable, Vec::new())
        {
            // It cannot fail either: both are f32 in main memory.
            let _ = exchange(owner, values);
        }
    }
}

/// The address of the tensor's memory.
fn memory(tensor: &Tensor) -> Option<*const f32> {
    match &*tensor.storage_and_layout().0 {
        Storage::Cpu(CpuStorage::F32(values)) => Some(values.as_ptr()),
        _ => None,
    }
}

/// Whether the tensor is the whole of its memory.
fn owns_its_memory(tensor: &Tensor) -> bool {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else { return false };
    layout.contiguous_offsets() == Some((0, values.len()))
}

/// Puts other values in the place of the tensor's.
fn exchange(tensor: &Tensor, values: Vec<f32>) -> Result<Vec<f32>> {
    let exchange = Exchange(Mutex::new(values));
    tensor.inplace_op1(&exchange)?;
    Ok(exchange.0.into_inner().unwrap_or_else(PoisonError::into_inner))
}

struct Exchange(Mutex<Vec<f32>>);

impl InplaceOp1 for Exchange {
    fn name(&self) -> &'static str {
        "exchange of values"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<()> {
        let CpuStorage::F32(values) = storage else { candle_core::bail!("{}: only of f32", self.name()) };
        std::mem::swap(values, &mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}
