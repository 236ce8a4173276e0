//! Tensors out of storages, at any offset and with any strides.

use candle_core::{DType, Tensor};

use super::state_dict::Place;
use crate::weights;

/// The tensor at `place` of a storage, in f32. The error says how the two do not fit.
pub(super) fn tensor(storage: &[u8], dtype: DType, place: &Place) -> Result<Tensor, String> {
    let Place { offset, shape, strides, .. } = place;
    let width = dtype.size_in_bytes();
    let elements = weights::count(shape).ok_or("its shape is beyond all files")?;
    let end = if elements == 0 { Some(0) } else { end(*offset, shape, strides) };
    let available = storage.len() / width;
    if end.is_none_or(|end| end > available) || elements > available {
        return Err(format!(
            "its shape {shape:?} with strides {strides:?} from element {offset} needs more than the {available} elements of its storage"
        ));
    }
    if elements == 0 {
        return weights::tensor(&[], dtype, shape);
    }
    if is_contiguous(shape, strides) {
        let start = offset * width;
        return weights::tensor(&storage[start..start + elements * width], dtype, shape);
    }
    let mut bytes = Vec::with_capacity(elements * width);
    each_element(*offset, shape, strides, |at| bytes.extend_from_slice(&storage[at * width..][..width]));
    weights::tensor(&bytes, dtype, shape)
}

/// Just behind the last element.
fn end(offset: usize, shape: &[usize], strides: &[usize]) -> Option<usize> {
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |at, (&size, &stride)| at.checked_add((size - 1).checked_mul(stride)?));
    last?.checked_add(1)
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == expected;
        expected *= size;
        fits
    })
}

/// Calls with the place of every element, the last dimension changing fastest.
fn each_element(offset: usize, shape: &[usize], strides: &[usize], mut visit: impl FnMut(usize)) {
    let mut index = vec![0; shape.len()];
    let mut at = offset;
    loop {
        visit(at);
        let mut dimension = shape.len();
        loop {
            let Some(next) = dimension.checked_sub(1) else { return };
            dimension = next;
            index[dimension] += 1;
            at += strides[dimension];
            if index[dimension] < shape[dimension] {
                break;
            }
            at -= index[dimension] * strides[dimension];
            index[dimension] = 0;
        }
    }
}
