use candle_core::{DType, Device, Result, Tensor};
use proptest::prelude::*;

use super::{at, at_mut, bytes, emulation, filled, floats};
use crate::checks::with_gradient;
use crate::cuda::pixel_classes::{self, Pixels, Targets};
use crate::cuda::{dropout, reduce, top_k};
use crate::testing::{assert_close, hashed_labels, hashed_signed, hashed_uniform};
use crate::{label_map, pixel_cross_entropy, softmax_channels, top_k_indices, weighted_sum};

const IGNORE: u8 = 255;

fn softmax(x: &Tensor) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let seed = hashed_signed("seed", x.shape(), 1.0);
    let (want, want_gradient) = with_gradient(x, &seed, softmax_channels)?;
    let (of, values, upstream) = (Pixels::new(x.dims(), "test")?, floats(x), floats(&seed));
    // SAFETY: all vectors have the floats of x.
    let y = filled(x.shape(), |y| unsafe { pixel_classes::softmax(card, of, [at(&values), y]) })?;
    assert_close(&y, &want, "softmax");
    let y = floats(&y);
    // SAFETY: as above.
    let dx = filled(x.shape(), |dx| unsafe {
        pixel_classes::softmax_gradient(card, of, [at(&y), at(&upstream), dx])
    })?;
    assert_close(&dx, &want_gradient, "gradient");
    Ok(())
}

fn cross_entropy(x: &Tensor, labels: &Tensor) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let classes = x.dim(1)?;
    let class_weights = floats(&hashed_uniform("weights", classes));
    let seed = hashed_signed("seed", labels.shape(), 1.0);
    let loss = |x: &Tensor| pixel_cross_entropy(x, labels, Some(&class_weights), IGNORE);
    let (want, want_gradient) = with_gradient(x, &seed, loss)?;
    let mut weights = [0.0; 256];
    weights[..classes].copy_from_slice(&class_weights);
    let (of, values, upstream, ids) =
        (Pixels::new(x.dims(), "test")?, floats(x), floats(&seed), bytes(labels));
    let targets = Targets { labels: at(&ids), weights: &weights, ignore: IGNORE };
    let mut log_sums = vec![f32::NAN; of.count()];
    let log_sums = at_mut(&mut log_sums);
    // SAFETY: all vectors have the sizes of their tensors.
    let losses = filled(labels.shape(), |losses| unsafe {
        pixel_classes::cross_entropy(card, of, targets, [at(&values), losses, log_sums])
    })?;
    assert_close(&losses, &want, "losses");
    // SAFETY: as above.
    let dx = filled(x.shape(), |dx| unsafe {
        let maps = [at(&values), at(&upstream), log_sums, dx];
        pixel_classes::cross_entropy_gradient(card, of, targets, maps)
    })?;
    assert_close(&dx, &want_gradient, "gradient");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn softmax_and_cross_entropy(c in 1usize..24, h in 1usize..20, w in 1usize..20, scale in 0.1f64..20.0) {
        let x = hashed_signed("x", (2, c, h, w), scale);
        softmax(&x)?;
        cross_entropy(&x, &hashed_labels("labels", (2, h, w), c))?;
    }

    #[test]
    fn highest_classes(c in 1usize..24, h in 1usize..20, w in 1usize..20) {
        let Some(card) = emulation() else { return Ok(()) };
        let x = hashed_signed("x", (2, c, h, w), 3.0).round()?; // with ties
        let (of, values, mut labels) = (Pixels::new(x.dims(), "test")?, floats(&x), vec![99u8; 2 * h * w]);
        // SAFETY: a float for each pixel and channel, a label for each pixel.
        unsafe { pixel_classes::label_map(card, of, [at(&values), at_mut(&mut labels)]) }?;
        prop_assert_eq!(labels, bytes(&label_map(&x)?));
    }

    #[test]
    fn largest_elements(rows in 1usize..4, columns in 1usize..600, k in 1usize..6) {
        let Some(card) = emulation() else { return Ok(()) };
        let k = k.min(columns);
        let x = hashed_signed("x", (1, rows, columns), 50.0).round()?; // with ties, and -0
        let mut values = floats(&x);
        values[columns / 2] = f32::NAN;
        let x = Tensor::from_slice(&values, (1, rows, columns), &Device::Cpu)?;
        let mut indices = vec![u32::MAX; rows * k];
        // SAFETY: the vectors have as many elements.
        unsafe { top_k::top_k(card, [at(&values), at_mut(&mut indices)], (rows, columns), k) }?;
        prop_assert_eq!(indices, top_k_indices(&x, k)?.flatten_all()?.to_vec1::<u32>()?);
    }

    #[test]
    fn sums(count in 1usize..20_000) {
        let Some(card) = emulation() else { return Ok(()) };
        let (x, w) = (hashed_signed("x", count, 1.0), hashed_signed("w", count, 1.0));
        let (values, weights) = (floats(&x), floats(&w));
        // SAFETY: the vectors have `count` floats.
        let sum = |weights| filled((), |sum| unsafe { reduce::sum(card, [at(&values), weights, sum], count) });
        assert_close(&sum(0)?, &crate::sum_all(&x)?, "sum");
        assert_close(&sum(at(&weights))?, &weighted_sum(&x, &w)?, "weighted sum");
    }
}

#[test]
fn a_wrong_label_gives_no_number() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (values, labels, weights) = ([0.5f32, -0.5, 1.0, 2.0], [2u8, 0], [1.0; 256]);
    let (of, mut log_sums) = (Pixels::new(&[1, 2, 1, 2], "test")?, [0f32; 2]);
    let targets = Targets { labels: at(&labels), weights: &weights, ignore: IGNORE };
    // SAFETY: two pixels of two classes.
    let losses = filled(2, |losses| unsafe {
        pixel_classes::cross_entropy(card, of, targets, [at(&values), losses, at_mut(&mut log_sums)])
    })?;
    let losses = floats(&losses);
    assert!(losses[0].is_nan() && losses[1].is_finite(), "{losses:?}");
    Ok(())
}

#[test]
fn dropout_drops_the_same_elements() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let x = hashed_signed("x", (2, 3, 7, 11), 1.0);
    let (values, count, p) = (floats(&x), x.elem_count(), 0.3f64);
    let choice = (77, (p * 2f64.powi(32)).round() as u64, (1.0 / (1.0 - p)) as f32);
    // SAFETY: both have `count` floats.
    let y = filled(x.shape(), |y| unsafe { dropout::drop_elements(card, [at(&values), y], count, choice) })?;
    assert_eq!(floats(&y), floats(&crate::dropout(&x, p, 77)?));
    let factors: Vec<f32> = (0..6).map(|plane| plane as f32).collect();
    // SAFETY: as above.
    let y = filled(x.shape(), |y| unsafe { dropout::scale_planes(card, [at(&values), y], &factors, 77) })?;
    let want = x.broadcast_mul(&Tensor::from_vec(factors, (2, 3, 1, 1), &Device::Cpu)?)?;
    assert_eq!(floats(&y), floats(&want));
    assert_eq!(y.dtype(), DType::F32);
    Ok(())
}
