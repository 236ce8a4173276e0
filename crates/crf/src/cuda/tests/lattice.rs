use std::collections::HashMap;

use proptest::prelude::*;
use sconce_kernels::Emulation;

use super::{close, emulation, features, noise};
use crate::cuda::array::Array;
use crate::cuda::filter::Filter;
use crate::cuda::lattice::Lattice;
use crate::features::Features;
use crate::lattice::{Axes, Packing};
use crate::layout::Layout;
use crate::simd::zeros;
use crate::{Error, Normalisation, normalisation};

const KINDS: [Normalisation; 4] =
    [Normalisation::None, Normalisation::Before, Normalisation::After, Normalisation::Symmetric];

/// Weights bit for bit, and the same vertices with the same neighbours, whose numbers alone differ.
fn compare_lattice(card: &Emulation, features: &Features) {
    let want = crate::lattice::Lattice::new(features).unwrap();
    let got = Lattice::new(card, features, &Packing::new(features).unwrap()).unwrap();
    let ((corners, weights), neighbours) = (want.numbers(), want.neighbours());
    assert!(got.weights.download(card).unwrap() == weights);
    let (mut numbers, mut back) = (HashMap::new(), HashMap::new());
    for (want, got) in corners.iter().zip(got.corners.download(card).unwrap()) {
        assert_eq!(*numbers.entry(*want).or_insert(got), got);
        assert_eq!(*back.entry(got).or_insert(*want), *want);
    }
    assert_eq!((numbers.len(), got.vertices), (neighbours[0].len(), numbers.len()));
    numbers.insert(got.vertices as u32, got.vertices as u32); // none
    let found = got.neighbours.download(card).unwrap();
    for (axis, pairs) in neighbours.iter().enumerate() {
        for (vertex, pair) in pairs.iter().enumerate() {
            let place = 2 * (axis * got.vertices + numbers[&(vertex as u32)] as usize);
            assert_eq!(found[place..place + 2], pair.map(|neighbour| numbers[&neighbour]));
        }
    }
}

/// Factors and filtered rows, of the matrix and its transpose.
fn compare_filter(card: &Emulation, features: &Features, kind: Normalisation, classes: usize) {
    let (pixels, layout) = (features.pixels(), Layout::new(classes));
    let want = normalisation::Filter::new(features, kind).unwrap();
    let got = Filter::new(card, features, kind).unwrap();
    close(&got.before.download(card).unwrap(), &want.before, 1e-5, "before");
    close(&got.after.download(card).unwrap(), &want.after, 1e-5, "after");
    let values = noise(7, pixels * classes);
    let mut rows = zeros(pixels * layout.row());
    let planes: Vec<f32> = (0..values.len()).map(|i| values[i % pixels * classes + i / pixels]).collect();
    layout.rows_from_planes(&planes, pixels, 0, (1.0, 0.0), &mut rows);
    let input = Array::upload(card, &values).unwrap();
    for (axes, want, [before, after]) in [
        (Axes::Ascending, want.apply(&rows, layout), [&got.before, &got.after]),
        (Axes::Descending, want.apply_transposed(&rows, layout), [&got.after, &got.before]),
    ] {
        let values = got.lattice.spread(card, (&input, before), classes, axes).unwrap();
        let (ones, filtered) = (vec![1.0; classes], Array::scratch(card, pixels * classes).unwrap());
        let ones = Array::upload(card, &ones).unwrap();
        got.lattice.slice(card, &values, (after, &ones), None, &filtered).unwrap();
        let want = want
            .chunks_exact(layout.row())
            .flat_map(|row| row.iter().flat_map(|lanes| lanes.0).take(classes).collect::<Vec<f32>>());
        close(&filtered.download(card).unwrap(), &want.collect::<Vec<f32>>(), 1e-4, "filtered");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lattices_have_the_same_vertices(
        pixels in 1usize..900, dimensions in 1usize..10, extent in 0.01f32..300.0, seed in 0u64..100,
    ) {
        let Some(card) = emulation() else { return Ok(()) };
        compare_lattice(&card, &features(seed, pixels, dimensions, extent));
    }

    #[test]
    fn filters_give_the_same_sums(
        pixels in 1usize..900, dimensions in 1usize..7, extent in 0.01f32..30.0, seed in 0u64..100,
        kind in 0usize..4, classes in 1usize..30,
    ) {
        let Some(card) = emulation() else { return Ok(()) };
        compare_filter(&card, &features(seed, pixels, dimensions, extent), KINDS[kind], classes);
    }
}

#[test]
fn keys_may_have_many_words() {
    let Some(card) = emulation() else { return };
    for (dimensions, extent) in [(31, 3.0), (20, 2000.0), (12, 1e4)] {
        let features = features(3, 60, dimensions, extent);
        assert!(Packing::new(&features).unwrap().bits().len() > 1);
        compare_lattice(&card, &features);
    }
}

#[test]
fn features_that_no_lattice_takes_are_refused() {
    let Some(card) = emulation() else { return };
    let refused = |features: &Features| Filter::new(&card, features, Normalisation::None).err().unwrap();
    assert_eq!(refused(&features(0, 4, 0, 1.0)), Error::Dimensions(0));
    assert_eq!(refused(&features(0, 4, 32, 1.0)), Error::Dimensions(32));
    assert!(matches!(refused(&features(0, 100, 2, 1e7)), Error::TooNarrow { .. }));
}
