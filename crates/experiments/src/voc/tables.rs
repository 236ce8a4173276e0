//! Tables of an evaluation: each way to label the pictures against the truth, and apart from that how far two ways agree.

use sconce_metrics::Confusion;
use sconce_runs::Table;

use super::evaluate::Scores;
use super::refine::NAMES;
use crate::class_scores::percent;

/// IoU of each class by each way to label, and the class's share of the true pixels.
pub(super) fn classes(scores: &Scores, names: &[String]) -> Table {
    let ways = scores.ways.iter().zip(NAMES).map(|(_, name)| format!("{name}, IoU %"));
    let header = ["class".to_owned(), "pixels %".to_owned()].into_iter().chain(ways);
    let mut table = Table::new(header);
    let ious: Vec<Vec<Option<f64>>> = scores.ways.iter().map(Confusion::iou).collect();
    for (class, name) in names.iter().enumerate() {
        let share = scores.ways.first().map(|confusion| share(confusion, class));
        let cells = std::iter::once(share).chain(ious.iter().map(|iou| iou[class])).map(percent);
        table.push(std::iter::once(name.clone()).chain(cells));
    }
    table
}

/// Of the true pixels, those of a class.
fn share(confusion: &Confusion, class: usize) -> f64 {
    let n = confusion.classes();
    let truth: u64 = confusion.counts()[class * n..(class + 1) * n].iter().sum();
    truth as f64 / confusion.pixels().max(1) as f64
}

/// What each way to label scores against the truth, in the order of [`values`].
const SCORES: [&str; 5] =
    ["pixel accuracy %", "mean IoU %", "frequency-weighted IoU %", "boundary IoU %", "mean F1 %"];

/// The scores of each way to label against the truth, a row for each. Void pixels do not count.
pub(super) fn ways(scores: &Scores) -> Table {
    let mut table = Table::new(std::iter::once("against the truth").chain(SCORES));
    for (way, name) in NAMES.iter().enumerate().take(scores.ways.len()) {
        table.push(std::iter::once((*name).to_owned()).chain(values(scores, way)));
    }
    table
}

/// The same one below the other, so that every number has a name: those of the network alone plainly, the others with theirs behind.
pub(super) fn means(scores: &Scores) -> Table {
    let mut table = Table::new(["score", "value"]);
    for (way, name) in NAMES.iter().enumerate().take(scores.ways.len()) {
        for (score, value) in SCORES.iter().zip(values(scores, way)) {
            let score = if way == 0 { (*score).to_owned() } else { format!("{score}, {name}") };
            table.push([score, value]);
        }
    }
    table
}

fn values(scores: &Scores, way: usize) -> [String; 5] {
    let (confusion, borders) = (&scores.ways[way], &scores.borders[way]);
    let values = [
        confusion.pixel_accuracy(),
        confusion.mean_iou(),
        confusion.frequency_weighted_iou(),
        borders.mean_iou(),
        confusion.mean_f1(),
    ];
    values.map(|value| percent(Some(value)))
}

/// How far the network's own labels are those of the CRF, over all pixels: no truth comes into it, so it is no accuracy.
pub(super) fn agreement(agreement: &Confusion) -> Table {
    let mut table = Table::new(["agreement raw↔CRF, without the truth", "%"]);
    table.push(["pixels with the same class".to_owned(), percent(Some(agreement.pixel_accuracy()))]);
    table.push(["mean IoU of the two".to_owned(), percent(Some(agreement.mean_iou()))]);
    table
}
