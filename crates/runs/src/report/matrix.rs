//! The confusion matrix as a map of heat.

use maud::{Markup, html};

use super::content::Evaluation;
use super::number::grouped;

/// Rows are true classes, columns predictions; each row adds to 100 %.
pub(super) fn heat_map(evaluation: &Evaluation) -> Markup {
    let names = &evaluation.classes;
    html! {
        h3 { "Confusion" }
        p.note { "Of the pixels of each true class (rows), the share in % predicted as each class (columns)." }
        div.wide { table.heat {
            thead { tr {
                th.corner { "true ↓ predicted →" }
                @for name in names { th scope="col" { span { (name) } } }
            } }
            tbody { @for (truth, row) in names.iter().zip(evaluation.matrix.chunks(names.len().max(1))) {
                tr {
                    th scope="row" { (truth) }
                    @let total: u64 = row.iter().sum();
                    @for (predicted, count) in names.iter().zip(row) { (cell(truth, predicted, *count, total)) }
                }
            } }
        } }
    }
}

fn cell(truth: &str, predicted: &str, count: u64, total: u64) -> Markup {
    let share = count as f64 / total.max(1) as f64;
    let title = format!("{truth} as {predicted}: {} pixels, {:.2} %", grouped(count), 100.0 * share);
    let class = if truth == predicted { "right" } else { "wrong" };
    let class = if share > 0.55 { format!("{class} strong") } else { class.to_owned() };
    // The root lets small shares be seen.
    html! {
        td class=(class) title=(title) style=(format!("--v:{:.1}%", 100.0 * share.sqrt())) {
            @if share >= 0.005 { (format!("{:.0}", 100.0 * share)) }
        }
    }
}
