//! Vectors that are written once, without being set to zero before.

use std::mem::MaybeUninit;

/// A vector of `len` floats, written by `fill`.
///
/// # Safety
///
/// `fill` must write every element.
pub(crate) unsafe fn filled(len: usize, fill: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    fill(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and by contract `fill` has written all elements.
    unsafe { values.set_len(len) };
    values
}

/// Zeros that are about to be written to. (Those of `vec!` are for reading: with [`crate::Allocator`], each page has to be made first.)
pub(crate) fn zeros<T: Clone + Default>(len: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    values.resize(len, T::default());
    values
}

/// Values as places that are written anew.
///
/// # Safety
///
/// Nothing may be left there but floats.
pub(crate) unsafe fn places(values: &mut [f32]) -> &mut [MaybeUninit<f32>] {
    // SAFETY: the two have the same layout, and by contract the places hold floats when the borrow ends.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) }
}
