//! Softmax of rows of classes.

use crate::layout::{Layout, with_groups};
use crate::simd::{Lanes, exp, vectorised};

/// Replaces every row by its softmax; padding lanes must be -∞ and become 0.
pub(crate) fn softmax(rows: &mut [Lanes], layout: Layout) {
    with_groups!(layout, softmax_rows, rows, layout.blocks);
}

vectorised! {
    fn softmax_rows[G: usize](rows: &mut [Lanes], blocks: usize) {
        let (blocks_of_rows, _) = rows.as_chunks_mut::<G>();
        for row in blocks_of_rows.chunks_exact_mut(blocks) {
            let mut most = Lanes::splat(f32::NEG_INFINITY);
            for block in &*row {
                for lanes in block {
                    most = most.zip(*lanes, larger);
                }
            }
            let most = most.fold(larger);
            for block in row {
                for lanes in block {
                    *lanes = lanes.map(|logit| logit - most);
                }
            }
        }
        // In a loop of its own, so that one row's exponentials need not wait for another's sum.
        for lanes in blocks_of_rows.as_flattened_mut() {
            *lanes = lanes.map(exp);
        }
        for row in blocks_of_rows.chunks_exact_mut(blocks) {
            let mut sum = Lanes::ZERO;
            for block in &*row {
                for lanes in block {
                    sum = sum.zip(*lanes, |a, b| a + b);
                }
            }
            let factor = 1.0 / sum.fold(|a, b| a + b);
            for block in row {
                for lanes in block {
                    *lanes = lanes.map(|value| value * factor);
                }
            }
        }
    }
}

/// The larger of two numbers, one instruction where `f32::max` needs several for NaN.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_equal_f64() {
        for classes in [1, 2, 8, 21, 40, 70, 256] {
            let layout = Layout::new(classes);
            let logits: Vec<f32> = (0..classes).map(|c| ((c * 37 % 101) as f32 - 50.0) * 0.3).collect();
            let mut rows = layout.padded(&logits, f32::NEG_INFINITY);
            rows.extend(layout.padded(&vec![-3e38; classes], f32::NEG_INFINITY));
            softmax(&mut rows, layout);
            let most = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
            let sum: f64 = logits.iter().map(|&l| (f64::from(l) - most).exp()).sum();
            let flat: Vec<f32> = rows.iter().flat_map(|lanes| lanes.0).collect();
            for (&got, &logit) in flat.iter().zip(&logits) {
                // The difference of two logits rounds by up to 2e-6 here.
                let want = (f64::from(logit) - most).exp() / sum;
                assert!((f64::from(got) - want).abs() <= 3e-6 * want, "{got} {want}");
            }
            let (first, second) = flat.split_at(layout.row() * 8);
            assert!(first[classes..].iter().chain(&second[classes..]).all(|&p| p == 0.0));
            assert!(second[..classes].iter().all(|&p| (p * classes as f32 - 1.0).abs() < 1e-6));
        }
    }
}
