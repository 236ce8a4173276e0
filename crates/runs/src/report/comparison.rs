//! Several runs beside each other: what they cost and what they score.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::content::{Content, Evaluation};
use super::curves::key;
use super::headline::costs;
use super::number::score;
use super::scores::{MEANS, Score};

/// Each run with its colour, and the cost of each.
pub(super) fn overview(runs: &[Content]) -> Markup {
    html! {
        div.wide { table {
            thead { tr { th { "run" } th { "steps" } th { "time per step" } th { "waiting for data" } th { "peak memory" } } }
            tbody { @for (place, run) in runs.iter().enumerate() { tr {
                @let costs = costs(run);
                @let value = |name: &str| costs.iter().find(|cost| cost.name.starts_with(name)).map_or("–", |cost| &cost.value);
                th scope="row" { (key(place)) (run.name) }
                @for name in ["steps", "time", "waiting", "peak"] { td { (value(name)) } }
            } } }
        } }
    }
}

/// Scores side by side for every evaluation that a run has, those that most runs have first; the highest of a row is bold.
pub(super) fn scores(runs: &[Content]) -> Markup {
    let mut having: BTreeMap<&str, usize> = BTreeMap::new();
    for evaluation in runs.iter().flat_map(|run| &run.evaluations) {
        *having.entry(&evaluation.name).or_default() += 1;
    }
    let mut names: Vec<&str> = having.keys().copied().collect();
    names.sort_by_key(|name| Reverse(having[name]));
    html! {
        section {
            h2 { "Scores" }
            @if names.is_empty() { p.note { "None of the runs has scores yet." } }
            @for name in names { (table(name, runs)) }
        }
    }
}

fn table(name: &str, runs: &[Content]) -> Markup {
    let evaluations: Vec<Option<&Evaluation>> =
        runs.iter().map(|run| run.evaluations.iter().find(|evaluation| evaluation.name == name)).collect();
    let mut classes: Vec<&String> = Vec::new();
    for class in evaluations.iter().flatten().flat_map(|evaluation| &evaluation.classes) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    let mean = |place: usize| {
        evaluations.iter().map(|e| e.map_or(Score::default(), |e| e.scores.means[place])).collect()
    };
    let class =
        |name: &String| evaluations.iter().map(|e| e.map_or(Score::default(), |e| f1(e, name))).collect();
    html! {
        h3 { span.tag { (name) } " in %" }
        div.wide { table.sides {
            thead { tr { th { "score" } @for (place, run) in runs.iter().enumerate() { th { (key(place)) (run.name) } } } }
            tbody {
                @for (place, name) in MEANS.iter().enumerate() { (row(name, mean(place))) }
            }
            tbody { @for name in classes { (row(&format!("F1 of {name}"), class(name))) } }
        } }
    }
}

fn f1(evaluation: &Evaluation, class: &String) -> Score {
    let place = evaluation.classes.iter().position(|name| name == class);
    place.map_or(Score::default(), |place| evaluation.scores.f1[place])
}

fn row(name: &str, scores: Vec<Score>) -> Markup {
    let values = || scores.iter().filter_map(|score| score.value);
    let highest = values().fold(f64::NEG_INFINITY, f64::max);
    let is_best = |score: &Score| score.value == Some(highest) && values().any(|value| value < highest);
    html! {
        tr {
            th scope="row" { (name) }
            @for one in &scores { td.best[is_best(one)] { (score(one)) } }
        }
    }
}
