//! Products of transformed inputs with transformed weights.

use std::ops::Range;

use crate::conv::lanes::Lanes;
use crate::conv::packing::BLOCK;
use crate::conv::parts::Write;
use crate::fetch::fetch_line;

/// Vectors of a product that share the weights in registers.
const PANEL: usize = 3;

/// Vectors in as few and as equal runs of up to [`PANEL`] as possible.
pub(super) fn panels(vectors: usize) -> impl Iterator<Item = Range<usize>> {
    let count = vectors.div_ceil(PANEL);
    (0..count).map(move |panel| panel * vectors / count..(panel + 1) * vectors / count)
}

/// The product of a panel of vectors, whose channels lie `stride` floats apart, with a block of weights: for each vector
/// [`BLOCK`] of them, `apart` such blocks apart. Asks the memory for the weights that come `next`.
///
/// # Safety
///
/// The processor must have the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn panel_product<L: Lanes>(
    vectors: usize,
    (inputs, stride): (&[f32], usize),
    weights: &[f32],
    next: &[f32],
    (products, apart): (&mut [f32], usize),
    write: Write,
) {
    // SAFETY: by contract.
    unsafe {
        match vectors {
            1 => block_product::<L, 1>((inputs, stride), weights, next, (products, apart), write),
            2 => block_product::<L, 2>((inputs, stride), weights, next, (products, apart), write),
            _ => block_product::<L, PANEL>((inputs, stride), weights, next, (products, apart), write),
        }
    }
}

#[inline(always)]
unsafe fn block_product<L: Lanes, const V: usize>(
    inputs: (&[f32], usize),
    weights: &[f32],
    next: &[f32],
    (products, apart): (&mut [f32], usize),
    write: Write,
) {
    // SAFETY: by contract.
    unsafe {
        if L::RESULTS == BLOCK {
            product::<L, V, BLOCK>(inputs, weights, next, (products, apart), 0, write);
        } else {
            const HALF: usize = BLOCK / 2;
            product::<L, V, HALF>(inputs, weights, next, (products, apart), 0, write);
            product::<L, V, HALF>(inputs, weights, next, (products, apart), HALF, write);
        }
    }
}

#[inline(always)]
unsafe fn product<L: Lanes, const V: usize, const R: usize>(
    (inputs, stride): (&[f32], usize),
    weights: &[f32],
    next: &[f32],
    (products, apart): (&mut [f32], usize),
    first: usize,
    write: Write,
) {
    let channels = weights.len() / BLOCK;
    assert!(inputs.len() >= channels.saturating_sub(1) * stride + V * L::WIDTH && first + R <= BLOCK);
    assert!(products.len() >= ((V - 1) * apart + 1) * BLOCK * L::WIDTH);
    // SAFETY: inside the slices by the assertions.
    unsafe {
        let mut totals = [[L::splat(0.0); V]; R];
        let (mut x, mut w) = (inputs.as_ptr(), weights.as_ptr().add(first));
        let mut next = next.as_ptr();
        for _ in 0..channels {
            fetch_line(next);
            next = next.wrapping_add(BLOCK);
            let mut xs = [L::splat(0.0); V];
            for (v, value) in xs.iter_mut().enumerate() {
                *value = L::load(x.add(v * L::WIDTH));
            }
            for (r, totals) in totals.iter_mut().enumerate() {
                let weight = L::splat(*w.add(r));
                for v in 0..V {
                    totals[v] = weight.mul_add(xs[v], totals[v]);
                }
            }
            x = x.wrapping_add(stride);
            w = w.wrapping_add(BLOCK);
        }
        for (r, totals) in totals.into_iter().enumerate() {
            for (v, total) in totals.into_iter().enumerate() {
                let to = products.as_mut_ptr().add((v * apart * BLOCK + first + r) * L::WIDTH);
                let total = if write == Write::Add { total.add(L::load(to)) } else { total };
                total.store(to);
            }
        }
    }
}
