//! The scores of a foreground at every threshold, as a table and as a picture.

use std::path::Path;

use anyhow::Result;
use sconce_metrics::Thresholds;
use sconce_runs::{Table, plot_shares};

/// Writes curve.tsv, a row for every threshold, and precision over recall as curve.svg and curve.png.
pub(crate) fn write_curve(folder: &Path, thresholds: &Thresholds) -> Result<()> {
    let mut table = Table::new(["threshold", "precision", "recall", "f1", "jsi", "accuracy"]);
    let curve = thresholds.curve();
    for point in &curve {
        let scores = [point.precision, point.recall, point.f1, point.jaccard, point.accuracy];
        let cells = scores.map(|score| score.map_or(String::new(), |score| format!("{score:.6}")));
        table.push(std::iter::once(format!("{:.3}", point.threshold)).chain(cells));
    }
    table.write_tsv(&folder.join("curve.tsv"))?;
    let points = curve.iter().rev().filter_map(|point| Some([point.recall?, point.precision?])).collect();
    plot_shares(folder, "curve", ["recall", "precision"], &[("network".to_owned(), points)])?;
    Ok(())
}
