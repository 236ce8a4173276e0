use candle_core::{Result, Tensor};
use proptest::prelude::*;

use super::{at, bytes, emulation, filled, floats};
use crate::checks::with_gradient;
use crate::cuda::binary_cross_entropy::{self, Weights};
use crate::cuda::overlap;
use crate::cuda::pixel_classes::Pixels;
use crate::testing::{assert_close, hashed_labels, hashed_signed};
use crate::{OverlapConfig, Probabilities, binary_cross_entropy_sums, overlap_sums};

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

fn overlapping(x: &Tensor, labels: &Tensor, of: OverlapConfig) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let seed = hashed_signed("seed", 3, 1.0);
    let (want, want_gradient) = with_gradient(x, &seed, |x| overlap_sums(x, labels, of))?;
    let (values, labels, upstream) = (floats(x), bytes(labels), floats(&seed));
    let pixels = Pixels::new(x.dims(), "test")?;
    // SAFETY: a float for each pixel and channel, a label for each pixel, and three sums.
    let sums =
        filled(3, |sums| unsafe { overlap::sums(card, pixels, &of, [at(&values), at(&labels), sums]) })?;
    assert_close(&sums, &want, "sums");
    // SAFETY: as above.
    let dx = filled(x.shape(), |dx| unsafe {
        overlap::gradient(card, pixels, &of, [at(&values), at(&labels), at(&upstream), dx])
    })?;
    assert_close(&dx, &want_gradient, "gradient");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn overlap_and_its_gradient(
        (n, c, h, w) in (1usize..3, 1usize..24, 1usize..40, 1usize..60),
        (scale, first) in (0.1f64..20.0, 0u8..2),
        (softmax, ignored_count) in (any::<bool>(), any::<bool>()),
    ) {
        let probabilities = if softmax { Probabilities::Softmax } else { Probabilities::Sigmoid };
        let of = OverlapConfig { probabilities, first, ignore: 255, ignored_count };
        overlapping(&hashed_signed("x", (n, c, h, w), scale), &hashed_labels("labels", (n, h, w), c), of)?;
    }

    #[test]
    fn binary_cross_entropy_and_its_gradient(n in 1usize..4, h in 1usize..60, w in 1usize..60, scale in 0.1f64..200.0) {
        binary(&hashed_signed("x", (n, 1, h, w), scale), &hashed_labels("labels", (n, h, w), 2))?;
    }
}

#[test]
fn a_wrong_label_gives_no_number() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (x, labels) = ([0.5f32, -1.0, 2.0], [0u8, 2, 255]);
    let of =
        OverlapConfig { probabilities: Probabilities::Sigmoid, first: 1, ignore: 255, ignored_count: false };
    let pixels = Pixels::new(&[1, 1, 1, 3], "test")?;
    // SAFETY: three pixels, three sums.
    let sums = filled(3, |sums| unsafe { overlap::sums(card, pixels, &of, [at(&x), at(&labels), sums]) })?;
    assert!(floats(&sums)[0].is_nan());
    let of = Weights { background: 1.0, foreground: 1.0, ignore: 255 };
    // SAFETY: three pixels, two sums.
    let sums = filled(2, |sums| unsafe {
        binary_cross_entropy::sums(card, of, [at(&x), at(&labels), sums], labels.len())
    })?;
    let sums = floats(&sums);
    assert!(sums[0].is_nan() && sums[1] == 2.0, "{sums:?}");
    Ok(())
}
