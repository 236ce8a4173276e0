//! Every kernel, with the code that launches it, against the CRF on the processor.

mod lattice;
mod mean_field;
mod order;
mod rows;

use std::sync::OnceLock;

use sconce_kernels::Emulation;

use super::array::Array;
use crate::{Features, Shape};

/// This crate's kernels on the processor, if there is a C++ compiler.
fn emulation() -> Option<Emulation> {
    static EMULATION: OnceLock<Option<Emulation>> = OnceLock::new();
    *EMULATION.get_or_init(|| Emulation::new(env!("CARGO_MANIFEST_DIR")))
}

/// Numbers in 0..1 that depend on the seed alone.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mix = |i: usize| {
        let z = (seed * 100_000 + i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z >> 40) as f32 / (1 << 24) as f32
    };
    (0..count).map(mix).collect()
}

/// Features of some pixels in some dimensions, in standard deviations; many pixels are alike.
fn features(seed: u64, pixels: usize, dimensions: usize, extent: f32) -> Features {
    let none = Features::none(Shape::image(pixels, 1)).unwrap();
    (0..dimensions as u64).fold(none, |features, dimension| {
        let coarse = noise(seed * 64 + dimension, pixels).into_iter();
        let plane: Vec<f32> =
            coarse.map(|value| if value < 0.5 { 0.25 * extent } else { value * extent }).collect();
        features.with(&plane).unwrap()
    })
}

fn close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (place, (got, want)) in got.iter().zip(want).enumerate() {
        let fine = (got - want).abs() <= tolerance * (1.0 + want.abs());
        assert!(fine, "{what}: {got} instead of {want} at {place}");
    }
}

#[test]
fn arrays_hold_what_was_uploaded() {
    let Some(card) = emulation() else { return };
    let array = Array::upload(&card, &[3u32, 1, 4]).unwrap();
    assert_eq!(array.download(&card).unwrap(), [3, 1, 4]);
    assert_eq!(array.last(&card).unwrap(), Some(4));
}
