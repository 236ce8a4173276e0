//! Tables of an evaluation: means, the scores at eleven thresholds, and those of each group.

use std::path::Path;

use anyhow::Result;
use sconce_metrics::Binary;
use sconce_runs::Table;

use super::scores::Scores;
use crate::class_scores::percent;

/// The scores over all pixels, as they are published: the loss, then shares in percent.
pub(super) fn means(scores: &Scores, threshold: f32) -> Table {
    let Scores { counts, thresholds, .. } = scores;
    let mut table = Table::new(["score", "value"]);
    let mut push = |name: &str, value: String| table.push([name.to_owned(), value]);
    push("loss", decimal(scores.loss()));
    push("pixel accuracy %", percent(counts.accuracy()));
    push("IoU %", percent(counts.jaccard()));
    push("F1 %", percent(counts.f1()));
    push("precision %", percent(counts.precision()));
    push("recall %", percent(counts.recall()));
    push("IoU, mean of the images %", percent(scores.image_iou()));
    push("average precision %", percent(thresholds.average_precision()));
    push("threshold", format!("{threshold}"));
    if let Some(best) = thresholds.best() {
        push("best threshold", format!("{:.3}", best.threshold));
        push("IoU at the best threshold %", percent(best.jaccard));
    }
    table
}

/// The scores at the thresholds 0.0, 0.1 … 1.0: pixels strictly above one are hair.
pub(super) fn thresholds(scores: &Scores) -> Table {
    let header = ["threshold", "pixel accuracy %", "IoU %", "F1 %", "precision %", "recall %"];
    let mut table = Table::new(header);
    for tenth in 0..=10u8 {
        let threshold = f32::from(tenth) / 10.0;
        if let Some(counts) = scores.thresholds.at(threshold) {
            table.push(std::iter::once(format!("{threshold:.1}")).chain(shares(&counts)));
        }
    }
    table
}

/// The scores of each group that has images.
pub(super) fn groups(scores: &Scores, names: &[String]) -> Table {
    let header = ["group", "images", "loss", "pixel accuracy %", "IoU %", "F1 %", "precision %", "recall %"];
    let mut table = Table::new(header);
    for (name, group) in names.iter().zip(&scores.groups).filter(|(_, group)| group.loss.count > 0) {
        let first = [name.clone(), group.loss.count.to_string(), decimal(group.loss.value())];
        table.push(first.into_iter().chain(shares(&group.counts)));
    }
    table
}

/// Accuracy, IoU, F1, precision and recall.
fn shares(counts: &Binary) -> [String; 5] {
    [counts.accuracy(), counts.jaccard(), counts.f1(), counts.precision(), counts.recall()].map(percent)
}

fn decimal(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.4}"))
}

/// Writes thresholds.tsv, and groups.tsv where there are groups.
pub(super) fn write(folder: &Path, thresholds: &Table, groups: &Table) -> Result<()> {
    thresholds.write_tsv(&folder.join("thresholds.tsv"))?;
    if !groups.rows.is_empty() {
        groups.write_tsv(&folder.join("groups.tsv"))?;
    }
    Ok(())
}
