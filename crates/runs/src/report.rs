//! One page that shows a run, or several beside each other: a single HTML file that loads nothing from anywhere.

mod bootstrap;
mod classes;
mod comparison;
mod config;
mod content;
mod curves;
mod headline;
mod matrix;
mod number;
mod pictures;
mod scores;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{Error, Run, write_atomically};
use content::Content;
pub(crate) use curves::{thinned, title};

/// Writes the report of `runs` to `path`: curves, scores with confidence intervals, confusions, pictures, config, cost; for
/// several runs also their scores side by side and what differs in their configs.
///
/// What a run does not have yet, such as scores, is left out with a word about it.
///
/// # Errors
///
/// A file of a run that cannot be read or is damaged, or the page cannot be written.
pub fn write_report(path: &Path, runs: &[Run]) -> Result<(), Error> {
    let contents: Vec<Content> = runs.iter().map(Content::read).collect::<Result<_, _>>()?;
    let text = page(&contents)?.into_string();
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}

fn page(runs: &[Content]) -> Result<Markup, Error> {
    let title = match runs {
        [run] => run.name.clone(),
        _ => format!("{} runs compared", runs.len()),
    };
    let body = match runs {
        [run] => single(run)?,
        _ => several(runs)?,
    };
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(NOTHING_FROM_OUTSIDE);
                title { (title) }
                style { (PreEscaped(include_str!("report/style.css"))) }
            }
            body {
                main {
                    header { p.kind { "sconce run" (if runs.len() == 1 { "" } else { "s" }) } h1 { (title) } }
                    (body)
                }
                script { (PreEscaped(include_str!("report/script.js"))) }
            }
        }
    })
}

/// A browser that honours it refuses to load anything.
const NOTHING_FROM_OUTSIDE: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

fn single(run: &Content) -> Result<Markup, Error> {
    Ok(html! {
        (headline::tiles(run))
        (curves::sections(std::slice::from_ref(run)))
        (evaluations(run)?)
        section { h2 { "Config" } (config::whole(run)) }
    })
}

fn several(runs: &[Content]) -> Result<Markup, Error> {
    Ok(html! {
        (comparison::overview(runs))
        (comparison::scores(runs))
        (curves::sections(runs))
        (config::differences(runs))
        section {
            h2 { "Each run" }
            @for run in runs {
                details.run {
                    summary { (run.name) }
                    (headline::tiles(run))
                    (evaluations(run)?)
                    h3 { "Config" }
                    (config::whole(run))
                }
            }
        }
    })
}

/// Every evaluation of a run, the first one open.
fn evaluations(run: &Content) -> Result<Markup, Error> {
    Ok(html! {
        @for (place, evaluation) in run.evaluations.iter().enumerate() {
            details.evaluation open[place == 0] {
                summary { "Scores " span.tag { (evaluation.name) } }
                (classes::table(evaluation))
                (matrix::heat_map(evaluation))
                (pictures::figures("Worst images", &evaluation.worst)?)
                (pictures::figures("Best images", &evaluation.best)?)
            }
        }
    })
}
