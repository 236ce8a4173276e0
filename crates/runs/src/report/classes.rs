//! The table of an evaluation's classes.

use maud::{Markup, html};

use super::bootstrap::RESAMPLES;
use super::content::Evaluation;
use super::number::{grouped, percent, score};
use super::scores::Score;
use crate::{Colour, palette};

/// F1 with a bar, IoU, precision, recall and the share of the true pixels of each class.
pub(super) fn table(evaluation: &Evaluation) -> Markup {
    let scores = &evaluation.scores;
    let colours = palette(evaluation.classes.len());
    let pixels: u64 = scores.counts.iter().map(|class| class.truth).sum();
    html! {
        h3 { "Classes" }
        div.wide { table.classes {
            thead { tr { th { "class" } th colspan="2" { "F1 %" } th { "IoU %" } th { "precision %" } th { "recall %" } th { "pixels %" } } }
            tbody { @for (place, name) in evaluation.classes.iter().enumerate() {
                @let counts = &scores.counts[place];
                tr {
                    th scope="row" { (swatch(colours[place])) (name) }
                    td { (score(&scores.f1[place])) }
                    td.chart-cell { (bar(&scores.f1[place])) }
                    td { (score(&scores.iou[place])) }
                    td { (percent(counts.precision())) }
                    td { (percent(counts.recall())) }
                    td title=(format!("{} pixels", grouped(counts.truth))) {
                        (percent(Some(counts.truth as f64 / pixels.max(1) as f64)))
                    }
                }
            } }
        } }
        @if evaluation.images.is_some() {
            p.note { "Small figures and whiskers: 95 % confidence intervals from " (RESAMPLES) " bootstrap samples of the images." }
        }
    }
}

/// The class's colour in all pictures.
pub(super) fn swatch([red, green, blue]: Colour) -> Markup {
    html! { span.swatch style=(format!("background:rgb({red},{green},{blue})")) {} }
}

/// A bar of the score's length with a whisker of its interval.
fn bar(score: &Score) -> Markup {
    let share = |value: f64| format!("{:.2}%", 100.0 * value);
    html! {
        @if let Some(value) = score.value {
            div.bar {
                span.fill style=(format!("width:{}", share(value))) {}
                @if let Some(interval) = score.interval {
                    @let (left, width) = (share(interval.low), share(interval.high - interval.low));
                    span.whisker style=(format!("left:{left};width:{width}")) {}
                }
            }
        }
    }
}
