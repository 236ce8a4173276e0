//! Curves over steps: the numbers here, the drawing in the page's script.

use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use super::content::Content;
use crate::Rows;

/// Colours of runs in the style sheet, `--run-0` and so on; more runs take them in turn.
const COLOURS: usize = 8;

/// Points of one curve at most; each is then the mean of several rows.
const POINTS: usize = 800;

/// A chart for every column of the logs, with a curve for each run.
pub(super) fn sections(runs: &[Content]) -> Markup {
    let groups = [
        ("Training", charts(runs, true, |run| run.steps.as_ref())),
        ("Scores of each epoch", charts(runs, false, |run| run.epochs.as_ref())),
        ("Cost of a step", charts(runs, true, |run| run.times.as_ref())),
    ];
    let all: Vec<&Value> = groups.iter().flat_map(|(_, charts)| charts).collect();
    // Within a script element only `<` could end it.
    let data = json!(all).to_string().replace('<', "\\u003c");
    html! {
        section.curves {
            h2 { "Curves" }
            @if all.is_empty() {
                p.note { "No step is logged yet." }
            } @else {
                (controls())
                @if runs.len() > 1 {
                    p.legend { @for (place, run) in runs.iter().enumerate() { span { (key(place)) (run.name) } } }
                }
                noscript { p.note { "The curves need scripts; their numbers are in log.tsv, epochs.tsv and times.tsv." } }
            }
            @for (name, charts) in &groups { @if !charts.is_empty() {
                h3 { (name) }
                // The script fills them in the order of the numbers.
                div.charts { @for _ in charts { figure.chart {} } }
            } }
            script type="application/json" id="charts" { (PreEscaped(data)) }
        }
    }
}

fn controls() -> Markup {
    html! {
        div.controls {
            label { "smoothing " input #smoothing type="range" min="0" max="0.98" step="0.02" value="0.6"; output #smoothed { "0.6" } }
            label { input #logarithmic type="checkbox"; " logarithmic" }
        }
    }
}

/// One chart per column, in the order of the first run that has it.
fn charts<'a>(
    runs: &'a [Content],
    smooth: bool,
    log: impl Fn(&'a Content) -> Option<&'a Rows>,
) -> Vec<Value> {
    let mut columns: Vec<&str> = Vec::new();
    for column in runs.iter().filter_map(&log).flat_map(|rows| &rows.columns) {
        if !["step", "epoch", "images"].contains(&column.as_str()) && !columns.contains(&column.as_str()) {
            columns.push(column);
        }
    }
    let charts = columns.into_iter().map(|column| {
        let curve = |(place, run): (usize, &'a Content)| {
            let points = log(run).map(|rows| rows.points(column)).unwrap_or_default();
            json!({ "run": place % COLOURS, "name": run.name, "points": thinned(&points, POINTS) })
        };
        let curves: Vec<Value> = runs.iter().enumerate().map(curve).collect();
        json!({ "title": title(column), "smooth": smooth && !STEADY.contains(&column), "curves": curves })
    });
    charts.filter(has_points).collect()
}

/// Columns without noise.
const STEADY: [&str; 2] = ["lr", "peak_mib"];

/// A column's name as a heading.
pub(crate) fn title(column: &str) -> String {
    let word = |word| match word {
        "lr" => "learning rate",
        "f1" => "F1",
        "iou" => "IoU",
        "jsi" => "JSI",
        "mib" => "MiB",
        other => other,
    };
    column.split('_').map(word).collect::<Vec<_>>().join(" ")
}

fn has_points(chart: &Value) -> bool {
    let empty = Vec::new();
    let curves = chart["curves"].as_array().unwrap_or(&empty);
    curves.iter().any(|curve| curve["points"].as_array().is_some_and(|points| !points.is_empty()))
}

/// At most `most` points, each the mean of equally many rows.
pub(crate) fn thinned(points: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    let mean = |rows: &[[f64; 2]]| {
        [0, 1].map(|part| rows.iter().map(|row| row[part]).sum::<f64>() / rows.len() as f64)
    };
    points.chunks(points.len().div_ceil(most).max(1)).map(mean).collect()
}

/// The mark of a run's curves.
pub(super) fn key(place: usize) -> Markup {
    html! { span.key style=(format!("background:var(--run-{})", place % COLOURS)) {} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_become_means() {
        let points: Vec<[f64; 2]> = (0..10).map(|step| [f64::from(step), f64::from(2 * step)]).collect();
        assert_eq!(thinned(&points, 10), points);
        assert_eq!(thinned(&points, 4), [[1.0, 2.0], [4.0, 8.0], [7.0, 14.0], [9.0, 18.0]]);
        assert_eq!(thinned(&[], 4), Vec::<[f64; 2]>::new());
    }
}
