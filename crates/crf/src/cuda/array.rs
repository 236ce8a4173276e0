//! Numbers in a device's memory.

use std::marker::PhantomData;

use sconce_kernels::{Argument, Result, Runtime, Value};

/// So many numbers of one type.
pub(super) struct Array<R: Runtime, T> {
    memory: R::Memory,
    start: u64,
    len: usize,
    of: PhantomData<T>,
}

impl<R: Runtime, T: Value> Array<R, T> {
    /// Numbers that are anything.
    pub(super) fn scratch(runtime: &R, len: usize) -> Result<Self> {
        let (memory, start) = runtime.scratch(len * size_of::<T>())?;
        Ok(Self { memory, start, len, of: PhantomData })
    }

    /// These numbers.
    pub(super) fn upload(runtime: &R, values: &[T]) -> Result<Self> {
        let (memory, start) = runtime.upload(values)?;
        Ok(Self { memory, start, len: values.len(), of: PhantomData })
    }

    /// All of them, once everything launched has ended.
    pub(super) fn download(&self, runtime: &R) -> Result<Vec<T>> {
        runtime.download(&self.memory, 0..self.len)
    }

    /// The last one.
    pub(super) fn last(&self, runtime: &R) -> Result<Option<T>> {
        Ok(runtime.download(&self.memory, self.len.saturating_sub(1)..self.len)?.pop())
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Where they begin.
    pub(super) fn pointer(&self) -> Argument {
        Argument::Pointer(self.start)
    }

    /// Where those from `place` on begin.
    pub(super) fn pointer_to(&self, place: usize) -> Argument {
        debug_assert!(place <= self.len);
        Argument::Pointer(self.start + (place * size_of::<T>()) as u64)
    }
}
