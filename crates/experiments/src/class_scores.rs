//! Tables of a confusion matrix, as files and for the terminal.

use std::path::Path;

use anyhow::Result;
use sconce_metrics::{Binary, Confusion};
use sconce_runs::Table;

/// F1, IoU, precision, recall of each class, and its share of the true pixels.
pub(crate) fn class_table(confusion: &Confusion, names: &[String]) -> Table {
    let mut table = Table::new(["class", "F1 %", "IoU %", "precision %", "recall %", "pixels %"]);
    let (f1, iou) = (confusion.f1(), confusion.iou());
    let (precision, recall) = (confusion.precision(), confusion.recall());
    let n = names.len();
    for (class, name) in names.iter().enumerate() {
        let truth: u64 = confusion.counts()[class * n..(class + 1) * n].iter().sum();
        let share = truth as f64 / confusion.pixels().max(1) as f64;
        let cells = [f1[class], iou[class], precision[class], recall[class], Some(share)].map(percent);
        table.push(std::iter::once(name.clone()).chain(cells));
    }
    table
}

/// 0.8123 as 81.23; a class that occurs neither in truth nor in prediction has no score.
pub(crate) fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.2}", 100.0 * value))
}

/// Truth × prediction of a foreground, background first.
pub(crate) fn binary_matrix(counts: &Binary) -> [u64; 4] {
    [counts.true_negatives, counts.false_positives, counts.false_negatives, counts.true_positives]
}

/// Writes classes.tsv, means.tsv and confusion.tsv.
pub(crate) fn save(
    folder: &Path,
    classes: &Table,
    means: &Table,
    confusion: &Confusion,
    names: &[String],
) -> Result<()> {
    classes.write_tsv(&folder.join("classes.tsv"))?;
    means.write_tsv(&folder.join("means.tsv"))?;
    let header = std::iter::once("truth \\ prediction".to_owned()).chain(names.iter().cloned());
    let mut matrix = Table::new(header);
    for (name, row) in names.iter().zip(confusion.counts().chunks(names.len())) {
        matrix.push(std::iter::once(name.clone()).chain(row.iter().map(u64::to_string)));
    }
    Ok(matrix.write_tsv(&folder.join("confusion.tsv"))?)
}
