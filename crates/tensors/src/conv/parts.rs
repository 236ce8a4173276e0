//! Memory that is filled in parts by parallel tasks, and scratch memory of the tasks.

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::filled::zeros;

/// Floats that are worth a task.
const PARALLEL: usize = 1 << 14;

/// A vector of `len` floats, each written by `fill`, without the cost of setting it to zero first.
///
/// # Safety
///
/// `fill` must write every element.
pub(super) unsafe fn filled(len: usize, fill: impl FnOnce(Parts)) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::with_capacity(len);
    fill(Parts { start: values.as_mut_ptr(), len });
    // SAFETY: the capacity is at least `len`, and by contract `fill` has written all elements.
    unsafe { values.set_len(len) };
    values
}

/// As `filled`, but set to zero before `fill`, which may then leave elements out or add to them.
pub(super) fn zeroed(len: usize, fill: impl FnOnce(Parts)) -> Vec<f32> {
    let mut values = zeros(len);
    fill(Parts { start: values.as_mut_ptr(), len });
    values
}

/// The sum of `slices` vectors of `len` floats, one behind the other, to which `add` adds; summed in their order.
pub(super) fn sum_slices(slices: usize, len: usize, add: impl FnOnce(Parts)) -> Vec<f32> {
    sum(zeroed(slices * len, add), len)
}

/// As `sum_slices`, of floats that `fill` writes.
///
/// # Safety
///
/// `fill` must write every element.
pub(super) unsafe fn sum_written(slices: usize, len: usize, fill: impl FnOnce(Parts)) -> Vec<f32> {
    // SAFETY: by contract.
    sum(unsafe { filled(slices * len, fill) }, len)
}

fn sum(mut values: Vec<f32>, len: usize) -> Vec<f32> {
    let (sum, rest) = values.split_at_mut(len);
    for slice in rest.chunks_exact(len) {
        sum.par_iter_mut().with_min_len(PARALLEL).zip(slice).for_each(|(sum, value)| *sum += *value);
    }
    values.truncate(len);
    values.shrink_to_fit();
    values
}

/// The memory of a vector that several tasks write at the same time, each its own elements.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    start: *mut f32,
    len: usize,
}

// SAFETY: a plain address; that tasks do not write the same elements is the contract of its methods.
unsafe impl Send for Parts {}
// SAFETY: as above.
unsafe impl Sync for Parts {}

impl Parts {
    /// The address of the element at `offset`.
    pub(super) fn at(&self, offset: usize) -> *mut f32 {
        assert!(offset <= self.len);
        self.start.wrapping_add(offset)
    }

    /// The elements from `offset` on, to be written.
    ///
    /// # Safety
    ///
    /// No other task may use these elements while the slice lives.
    #[expect(clippy::mut_from_ref, reason = "tasks share the memory and borrow disjoint parts of it")]
    pub(super) unsafe fn uninit(&self, offset: usize, len: usize) -> &mut [MaybeUninit<f32>] {
        assert!(offset + len <= self.len);
        // SAFETY: inside the allocation by the assertion, not aliased by contract; any bytes are valid.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset).cast(), len) }
    }

    /// The elements from `offset` on.
    ///
    /// # Safety
    ///
    /// No other task may use these elements while the slice lives, and they must have been written before they
    /// are read.
    #[expect(clippy::mut_from_ref, reason = "tasks share the memory and borrow disjoint parts of it")]
    pub(super) unsafe fn slice(&self, offset: usize, len: usize) -> &mut [f32] {
        assert!(offset + len <= self.len);
        // SAFETY: inside the allocation by the assertion, not aliased by contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), len) }
    }
}

/// What happens to the values that stand where a product is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Replace,
    Add,
}

/// Calls `work` with `len` floats of this thread's scratch memory, which hold arbitrary values and begin with a cache line.
pub(super) fn with_scratch<T>(len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    thread_local! {
        static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    }
    const LINE: usize = 64;
    let mut scratch = SCRATCH.take();
    let size = len + LINE / size_of::<f32>();
    if scratch.len() < size {
        scratch.resize(size, 0.0);
    }
    let start = scratch.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
    let result = work(&mut scratch[start..start + len]);
    SCRATCH.set(scratch);
    result
}
