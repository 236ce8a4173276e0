//! Tables of an evaluation: means, the scores at every threshold, and what else was measured on the same images.

use std::path::Path;

use anyhow::Result;
use sconce_data::{Dataset, Split, VOID, ridge_strength};
use sconce_metrics::{Binary, Tolerant};
use sconce_runs::{Run, Table, Which};

use super::detector::Detector;
use super::evaluate::score;
use super::scores::{RADIUS, Scores};
use super::{Config, partitioned};
use crate::class_scores::percent;
use crate::maps::above;
use crate::settings::Settings;

/// The scores over all pixels and images.
pub(super) fn means(scores: &Scores) -> Table {
    let Scores { counts, tolerant, thresholds, .. } = scores;
    let mut table = Table::new(["score", "%"]);
    let mut push = |name: &str, value: Option<f64>| table.push([name.to_owned(), percent(value)]);
    push("F1, all pixels", counts.f1());
    push("F1, mean of the images", scores.image_f1());
    push("precision", counts.precision());
    push("recall", counts.recall());
    push("JSI", counts.jaccard());
    push("accuracy", counts.accuracy());
    push(&format!("F1 within {RADIUS} pixels"), tolerant.f1());
    push(&format!("precision within {RADIUS} pixels"), tolerant.precision());
    push(&format!("recall within {RADIUS} pixels"), tolerant.recall());
    push("average precision", thresholds.average_precision());
    if let Some(best) = thresholds.best() {
        push(&format!("F1 at the best threshold, {:.3}", best.threshold), best.f1);
    }
    table
}

/// What was measured on the same images: the parts, each in its own crops, the whole-face model, and a filter that knows no more than
/// that wrinkles are dark lines.
pub(super) fn beside(
    config: &Config,
    run: &Run,
    which: Option<&Which>,
    split: Split,
    scores: &Scores,
) -> Result<Table> {
    let header = ["on the same images", "F1 %", "precision %", "recall %", "JSI %", "F1 within 2 pixels %"];
    let mut table = Table::new(header);
    let merged = if config.parts.is_some() { "parts merged" } else { "network" };
    push(&mut table, merged, &scores.counts, &scores.tolerant);
    for part in config.parts.iter().flatten() {
        let own = config.of_part(part);
        let detector = Detector::load(&own, &Run::open(&partitioned::folder(run, &part.name))?, which)?;
        let scores = score(&detector, &own.open(split)?, config.threshold, |_| Ok(()))?;
        push(&mut table, &format!("  {}, in its crop", part.name), &scores.counts, &scores.tolerant);
    }
    if let Some((name, detector)) = whole_face(config, run)? {
        let scores = score(&detector, &config.open(split)?, config.threshold, |_| Ok(()))?;
        push(&mut table, &name, &scores.counts, &scores.tolerant);
    }
    let (threshold, counts, tolerant) = ridge(config, split)?;
    push(&mut table, &format!("dark lines, filtered at {threshold:.2}"), &counts, &tolerant);
    Ok(table)
}

fn push(table: &mut Table, name: &str, counts: &Binary, tolerant: &Tolerant) {
    let scores = [counts.f1(), counts.precision(), counts.recall(), counts.jaccard(), tolerant.f1()];
    table.push(std::iter::once(name.to_owned()).chain(scores.map(percent)));
}

/// The newest run of the experiment that the config names, if there is one beside this run that has learned anything.
fn whole_face(config: &Config, run: &Run) -> Result<Option<(String, Detector)>> {
    let runs = run.folder().parent().and_then(Path::parent);
    let (Some(name), Some(runs)) = (&config.whole_face, runs) else { return Ok(None) };
    let whole = match Run::latest(runs, name) {
        Ok(whole) if whole.checkpoints().can_resume() => whole,
        Ok(_) | Err(sconce_runs::Error::NoRun { .. }) => {
            let runs = runs.display();
            println!("there is no run of {name} in {runs} to compare with: cargo xtask train {name}\n");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let mut settings = Settings::to_repeat(&whole);
    settings.device = config.device.clone();
    let config = Config::read(&settings)?;
    Ok(Some((whole.name(), Detector::load(&config, &whole, None)?)))
}

/// Deviations in pixels at which dark lines are sought.
const SCALES: [f32; 3] = [1.0, 1.5, 2.5];

/// Of the filter at the constant threshold that suits this split best, chosen with its truth, which a network is not given.
fn ridge(config: &Config, split: Split) -> Result<(f32, Binary, Tolerant)> {
    let thresholds: Vec<f32> = (1..20).map(|step| step as f32 / 20.0).collect();
    let mut counted = vec![(Binary::default(), Tolerant::new(RADIUS)); thresholds.len()];
    let set = config.open(split)?;
    for index in 0..set.len() {
        let sample = set.read(index)?;
        let strength = ridge_strength(&sample.image, &SCALES)?;
        let (truth, size) = (sample.targets[0].as_raw(), sample.image.dimensions());
        for (threshold, (counts, tolerant)) in thresholds.iter().zip(&mut counted) {
            let found = above(&strength, *threshold, &sample.image);
            counts.add(truth, found.as_raw(), VOID)?;
            tolerant.add(truth, found.as_raw(), (size.0 as usize, size.1 as usize), VOID)?;
        }
    }
    let best = (0..thresholds.len()).max_by(|&a, &b| {
        let f1 = |at: usize| counted[at].1.f1().unwrap_or_default();
        f1(a).total_cmp(&f1(b))
    });
    let best = best.unwrap_or_default();
    Ok((thresholds[best], counted[best].0, counted[best].1))
}
