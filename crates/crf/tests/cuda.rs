//! On the first GPU, if one answers: the processor's results within rounding, and the same bits every time.

#![cfg(feature = "cuda")]

use sconce_crf::{
    Bilateral, Card, Compatibility, CudaCrf, DenseCrf, Error, Gaussian, MeanField, Normalisation, Shape,
    Unary,
};

const CLASSES: usize = 7;

fn card() -> Option<Card> {
    let opened = Card::open(0);
    if let Err(error) = &opened {
        println!("skipped: {error}");
    }
    opened.ok()
}

/// Numbers in 0..1 that depend on the seed alone.
fn noise(seed: usize, count: usize) -> Vec<f32> {
    let mix = |i: usize| {
        let z = ((seed * count + i) as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / (1 << 24) as f32
    };
    (0..count).map(mix).collect()
}

/// Kernels of both forms, whose methods have the same names.
macro_rules! filled {
    ($crf:expr, $kind:expr) => {{
        let crf = $crf?;
        let rgb = noise(1, crf.shape().pixels() / 4 * 3).repeat(4);
        let rgb: Vec<u8> = rgb.iter().map(|value| (value * 255.0) as u8).collect();
        let costs = Compatibility::Matrix(noise(2, CLASSES * CLASSES));
        crf.gaussian(&Gaussian::new(3.0).normalised($kind), costs)?.bilateral(
            &rgb,
            &Bilateral::new(60.0, 13.0).normalised($kind),
            Compatibility::Potts(0.5),
        )?
    }};
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_processors_results() -> Result<(), Error> {
    let Some(card) = card() else { return Ok(()) };
    for shape in [Shape::image(300, 200), Shape::volume(40, 30, 12)] {
        let unary = Unary::from_logits(noise(3, CLASSES * shape.pixels()))?;
        let outer = noise(4, CLASSES * shape.pixels());
        for kind in [Normalisation::Symmetric, Normalisation::Before, Normalisation::After] {
            let ours = filled!(CudaCrf::with_runtime(shape, CLASSES, card.clone()), kind);
            let want = filled!(DenseCrf::new(shape, CLASSES), kind);
            let settings = MeanField { divergence: true, ..MeanField::iterations(5) };
            let (got, want_posterior) =
                (ours.infer_with(&unary, &settings)?, want.infer_with(&unary, &settings)?);
            let difference = largest_difference(got.probabilities(), want_posterior.probabilities());
            assert!(difference < 1e-3, "{shape:?} {kind:?}: probabilities differ by {difference}");
            for (got, want) in got.divergences().iter().zip(want_posterior.divergences()) {
                assert!((got - want).abs() < 1e-4 * want.abs(), "{shape:?} {kind:?}: {got}, not {want}");
            }
            let (got, want) = (ours.gradient(&unary, 2, &outer)?, want.gradient(&unary, 2, &outer)?);
            let difference = largest_difference(&got.logits, &want.logits);
            assert!(difference < 1e-3, "{shape:?} {kind:?}: gradients differ by {difference}");
        }
    }
    Ok(())
}

#[test]
fn the_same_bits_every_time() -> Result<(), Error> {
    let Some(card) = card() else { return Ok(()) };
    let shape = Shape::image(500, 375);
    let unary = Unary::from_logits(noise(3, CLASSES * shape.pixels()))?;
    let once = || {
        let crf = filled!(CudaCrf::with_runtime(shape, CLASSES, card.clone()), Normalisation::Symmetric);
        crf.infer(&unary, 5)
    };
    assert!(once()? == once()?);
    Ok(())
}
