//! The gradient of a convolution for its weights.

use rayon::prelude::*;

use super::Geometry;
use super::columns;
use super::depthwise;
use super::matrix::{Matrix, Write, product};
use super::parts::{with_scratch, zeroed};

/// Floats in a block of columns: 1 MiB, which stays in the second-level cache.
const BLOCK: usize = 1 << 18;

/// The gradient for the weights, given the one for the output: summed over images and pixels in a fixed order.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    if geometry.is_depthwise() {
        return depthwise::weight_gradient(geometry, x, dy);
    }
    let (outputs, all_terms) = (geometry.outputs, geometry.terms());
    let step = 256.min(all_terms);
    let blocks = all_terms.div_ceil(step);
    zeroed(geometry.groups * outputs * all_terms, |dw| {
        (0..geometry.groups * blocks).into_par_iter().for_each(|task| {
            let (group, start) = (task / blocks, task % blocks * step);
            let terms = start..(start + step).min(all_terms);
            let target = dw.at(geometry.group_weights(group).start + start);
            for image in 0..geometry.batch {
                let x = &x[geometry.group_inputs(image, group)];
                let dy = &dy[geometry.group_outputs(image, group)];
                // SAFETY: each task has its own terms of its group, for all outputs.
                unsafe { add_image(geometry, x, dy, terms.clone(), target) };
            }
        });
    })
}

/// Adds one image's part to the gradient for some terms.
///
/// # Safety
///
/// No other task may use the columns `terms` of the weight matrix, of which `target` is the first value.
unsafe fn add_image(
    geometry: &Geometry,
    x: &[f32],
    dy: &[f32],
    terms: std::ops::Range<usize>,
    target: *mut f32,
) {
    let (pixels, outputs, all_terms) = (geometry.output_pixels(), geometry.outputs, geometry.terms());
    let dy = |start: usize, len: usize| Matrix::new(&dy[start..], outputs, len, pixels);
    if geometry.is_pointwise() {
        let x = Matrix::new(&x[terms.start * pixels..], terms.len(), pixels, pixels).transposed();
        // SAFETY: by contract.
        unsafe { product(target, all_terms, Write::Add, dy(0, pixels), x) };
        return;
    }
    let step = (BLOCK / terms.len()).min(pixels);
    with_scratch(terms.len() * step, |scratch| {
        for start in (0..pixels).step_by(step) {
            let tile = start..(start + step).min(pixels);
            let scratch = &mut scratch[..terms.len() * tile.len()];
            columns::gather(geometry, x, terms.clone(), tile.clone(), scratch);
            let x = Matrix::new(scratch, terms.len(), tile.len(), tile.len()).transposed();
            // SAFETY: by contract.
            unsafe { product(target, all_terms, Write::Add, dy(start, tile.len()), x) };
        }
    });
}
