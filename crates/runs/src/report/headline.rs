//! The few numbers at the top: scores, length and cost of a run.

use maud::{Markup, html};

use super::content::Content;
use super::number::{grouped, memory, percent, time};
use super::scores::MEANS;

/// A row of tiles; a word instead of scores where there are none.
pub(super) fn tiles(run: &Content) -> Markup {
    let evaluation = run.evaluations.first();
    html! {
        div.tiles {
            @if let Some(evaluation) = evaluation {
                @for (name, score) in MEANS.iter().zip(&evaluation.scores.means) {
                    (tile(name, &format!("{} %", percent(score.value)), &score.interval.map_or(String::new(), |interval| {
                        format!("{} – {}", percent(Some(interval.low)), percent(Some(interval.high)))
                    })))
                }
            }
            @for cost in costs(run) {
                (tile(cost.name, &cost.value, &cost.note))
            }
        }
        @match evaluation {
            None => p.note { "No scores yet: they come with the end of the training, or with " code { "cargo xtask eval" } "." },
            Some(evaluation) => p.note {
                "Scores of " span.tag { (evaluation.name) }
                @if let Some(images) = &evaluation.images {
                    ", " (grouped(images.ids.len() as u64)) " images; ranges are 95 % confidence intervals, a bootstrap over the images"
                }
                "."
            },
        }
    }
}

pub(super) struct Cost {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

/// Steps, time and memory, as far as the run has written them.
pub(super) fn costs(run: &Content) -> Vec<Cost> {
    let mut costs = Vec::new();
    if let Some(steps) = &run.steps {
        let epochs = run.epochs.as_ref().map_or(0, |epochs| epochs.rows.len());
        let note = format!("{epochs} epochs scored");
        costs.push(Cost { name: "steps", value: grouped(steps.rows.len() as u64), note });
    }
    let column = |name| run.times.as_ref().and_then(|times| times.numbers(name)).unwrap_or_default();
    let (mut seconds, waiting) = (column("seconds"), column("waiting_seconds"));
    let total: f64 = seconds.iter().sum();
    if total > 0.0 {
        let images: f64 = column("images").iter().sum();
        seconds.sort_by(f64::total_cmp);
        let median = time(seconds[seconds.len() / 2]);
        costs.push(Cost {
            name: "time per step, median",
            value: median,
            note: format!("{} in all", time(total)),
        });
        let share = 100.0 * waiting.iter().sum::<f64>() / total;
        let note = format!("{:.1} images a second", images / total);
        costs.push(Cost { name: "waiting for data", value: format!("{share:.1} %"), note });
    }
    let peak = column("peak_mib").into_iter().fold(0.0, f64::max);
    if peak > 0.0 {
        costs.push(Cost { name: "peak memory", value: memory(peak), note: String::new() });
    }
    costs
}

fn tile(name: &str, value: &str, note: &str) -> Markup {
    html! {
        div.tile { span.name { (name) } span.value { (value) } span.interval { (note) } }
    }
}
