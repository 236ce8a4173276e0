use proptest::prelude::*;

use super::{close, emulation, noise};
use crate::cuda::array::Array;
use crate::cuda::compatibility::Costs;
use crate::cuda::layout::{planes_from_rows, rows_from_planes};
use crate::cuda::softmax::softmax;
use crate::layout::Layout;
use crate::simd::{Lanes, zeros};
use crate::{Compatibility, softmax as on_processor};

/// The classes' numbers of padded rows.
fn without_padding(rows: &[Lanes], layout: Layout) -> Vec<f32> {
    let rows = rows.chunks_exact(layout.row());
    rows.flat_map(|row| row.iter().flat_map(|lanes| lanes.0).take(layout.classes)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn rows_are_planes_turned_over(pixels in 1usize..600, classes in 1usize..40) {
        let Some(card) = emulation() else { return Ok(()) };
        let (planes, layout) = (noise(1, pixels * classes), Layout::new(classes));
        let mut want = zeros(pixels * layout.row());
        layout.rows_from_planes(&planes, pixels, 0, (-2.0, 0.0), &mut want);
        let rows = rows_from_planes(&card, &planes, classes, -2.0).unwrap();
        prop_assert_eq!(rows.download(&card).unwrap(), without_padding(&want, layout));
        let back: Vec<f32> = planes.iter().map(|value| value * -2.0).collect();
        prop_assert_eq!(planes_from_rows(&card, &rows, classes).unwrap(), back);
    }

    #[test]
    fn softmaxes(pixels in 1usize..600, classes in 1usize..40, scale in 0.1f32..100.0) {
        let Some(card) = emulation() else { return Ok(()) };
        let (planes, layout) = (noise(2, pixels * classes), Layout::new(classes));
        let mut want = zeros(pixels * layout.row());
        layout.rows_from_planes(&planes, pixels, 0, (scale, f32::NEG_INFINITY), &mut want);
        on_processor::softmax(&mut want, layout);
        let scores = rows_from_planes(&card, &planes, classes, scale).unwrap();
        let probabilities = Array::scratch(&card, pixels * classes).unwrap();
        softmax(&card, &scores, &probabilities, classes).unwrap();
        let got = probabilities.download(&card).unwrap();
        close(&got, &without_padding(&want, layout), 1e-6, "softmax");
    }

    #[test]
    fn matrices_mix_classes(count in 1usize..300, classes in 1usize..30) {
        let Some(card) = emulation() else { return Ok(()) };
        let (planes, layout) = (noise(3, count * classes), Layout::new(classes));
        let kind = Compatibility::Matrix(noise(4, classes * classes));
        let costs = Costs::new(&card, kind.clone(), classes).unwrap();
        let rows = || rows_from_planes(&card, &planes, classes, 1.0).unwrap();
        let mut want = zeros(count * layout.row());
        layout.rows_from_planes(&planes, count, 0, (1.0, 0.0), &mut want);
        let mut transposed = want.clone();
        kind.mix(&mut want, layout);
        kind.mix_transposed(&mut transposed, layout);
        let got = costs.mix(&card, rows()).unwrap().download(&card).unwrap();
        close(&got, &without_padding(&want, layout), 1e-6, "mixed");
        let got = costs.mix_transposed(&card, &rows()).unwrap().download(&card).unwrap();
        close(&got, &without_padding(&transposed, layout), 1e-6, "mixed by the transpose");
    }
}
