//! How far mean field's probabilities are from the CRF's distribution.

use crate::layout::Layout;
use crate::simd::Lanes;

/// Some pixels' part of the divergence, which is lacking the logarithm of the partition function.
///
/// Σ q ln q + U q + (P q) q / 2 with the pairwise energies P q, half since every pair of pixels occurs twice in the sum
/// (Krähenbühl and Koltun 2011, supplement; pydensecrf leaves the half out). `scores` are -U - P q, `logits` -U.
pub(crate) fn of_rows(q: &[Lanes], logits: &[Lanes], scores: &[Lanes], layout: Layout) -> f64 {
    let size = layout.row();
    let rows = q.chunks_exact(size).zip(logits.chunks_exact(size)).zip(scores.chunks_exact(size));
    rows.map(|((q, logits), scores)| {
        let numbers = flat(q).zip(flat(logits)).zip(flat(scores)).take(layout.classes);
        let part = |((q, logit), score): ((f64, f64), f64)| {
            let entropy = if q > 0.0 { q * q.ln() } else { 0.0 };
            entropy - q * 0.5 * (logit + score)
        };
        numbers.map(part).sum::<f64>()
    })
    .sum()
}

fn flat(row: &[Lanes]) -> impl Iterator<Item = f64> {
    row.iter().flat_map(|lanes| lanes.0).map(f64::from)
}
