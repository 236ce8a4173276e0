use candle_core::{Result, Tensor};
use proptest::prelude::*;

use super::{at, bytes, emulation, filled, floats};
use crate::binary_cross_entropy_sums;
use crate::checks::with_gradient;
use crate::cuda::binary_cross_entropy::{self, Weights};
use crate::testing::{assert_close, hashed_labels, hashed_signed};

fn binary(x: &Tensor, labels: &Tensor) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (seed, weights) = (hashed_signed("seed", 2, 1.0), [0.5, 7.0]);
    let (want, want_gradient) =
        with_gradient(x, &seed, |x| binary_cross_entropy_sums(x, labels, weights, 255))?;
    let of = Weights { background: weights[0], foreground: weights[1], ignore: 255 };
    let (values, labels, upstream, count) = (floats(x), bytes(labels), floats(&seed), x.elem_count());
    // SAFETY: a float and a label for each pixel, and two sums.
    let sums = filled(2, |sums| unsafe {
        binary_cross_entropy::sums(card, of, [at(&values), at(&labels), sums], count)
    })?;
    assert_close(&sums, &want, "sums");
    // SAFETY: as above.
    let dx = filled(x.shape(), |dx| unsafe {
        let at = [at(&values), at(&labels), at(&upstream), dx];
        binary_cross_entropy::gradient(card, of, at, count)
    })?;
    assert_close(&dx, &want_gradient, "gradient");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn binary_cross_entropy_and_its_gradient(n in 1usize..4, h in 1usize..60, w in 1usize..60, scale in 0.1f64..200.0) {
        binary(&hashed_signed("x", (n, 1, h, w), scale), &hashed_labels("labels", (n, h, w), 2))?;
    }
}

#[test]
fn a_wrong_label_gives_no_number() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (x, labels) = ([0.5f32, -1.0, 2.0], [0u8, 2, 255]);
    let of = Weights { background: 1.0, foreground: 1.0, ignore: 255 };
    // SAFETY: three pixels, two sums.
    let sums = filled(2, |sums| unsafe {
        binary_cross_entropy::sums(card, of, [at(&x), at(&labels), sums], labels.len())
    })?;
    let sums = floats(&sums);
    assert!(sums[0].is_nan() && sums[1] == 2.0, "{sums:?}");
    Ok(())
}
