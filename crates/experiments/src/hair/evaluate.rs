//! Scores of a checkpoint: tables, curves, and of every image its map and an overlay.

use std::path::Path;

use anyhow::Result;
use image::GrayImage;
use sconce_data::{Dataset, Sample, Split, map_tensor};
use sconce_losses::foreground;
use sconce_metrics::Confusion;
use sconce_runs::{ImageScores, Run, Which, palette};

use super::scores::{IMAGE_SCORES, ImageScore, Scores};
use super::segmenter::{Segmenter, probabilities};
use super::set::Hair;
use super::{CLASSES, Config, tables};
use crate::class_scores::{self, binary_matrix, class_table};
use crate::cli::EvalArguments;
use crate::curve::write_curve;
use crate::evaluation;
use crate::gallery::{Gallery, Shown, Wanted};
use crate::maps::{above, write_with_hits};
use crate::settings::Settings;

/// `eval figaro-pspnet`.
pub(crate) fn run(settings: &Settings, arguments: &EvalArguments) -> Result<()> {
    let config = Config::read(settings)?;
    let wanted = Wanted { first: arguments.pictures, worst: arguments.worst };
    evaluate(&config, settings.run()?, arguments.run.which().as_ref(), arguments.split.into(), wanted)
}

/// Scores a split, prints the tables, and writes them into the run's folder, with scores, map and overlay of every image.
pub(super) fn evaluate(
    config: &Config,
    run: &Run,
    which: Option<&Which>,
    split: Split,
    wanted: Wanted,
) -> Result<()> {
    let set = config.open(split)?;
    let segmenter = Segmenter::load(config, run, which)?;
    let folder = evaluation::folder(run, split, &segmenter.path, &[]);
    let scores = score_to_files(&segmenter, &set, config, &folder, wanted)?;
    let confusion = Confusion::from_counts(CLASSES, &binary_matrix(&scores.counts))?;
    let names = set.images.classes();
    let (classes, means) = (class_table(&confusion, names), tables::means(&scores, config.threshold));
    let (thresholds, groups) = (tables::thresholds(&scores), tables::groups(&scores, &set.groups));
    println!("{classes}\n{means}\n{thresholds}");
    if !groups.rows.is_empty() {
        println!("{groups}");
    }
    class_scores::save(&folder, &classes, &means, &confusion, names)?;
    tables::write(&folder, &thresholds, &groups)?;
    write_curve(&folder, &scores.thresholds)?;
    println!("{} images of {split} scored with {}", set.images.len(), segmenter.path.display());
    println!(
        "scores    {} (of every image: images.tsv; at every threshold: curve.tsv, .svg)",
        folder.display()
    );
    println!(
        "maps      {} (probabilities .npy, .png; .overlay.png: hits green, misses blue, false alarms red)",
        folder.join(MAPS).display()
    );
    Ok(())
}

/// Scores a whole set and writes, image after image, scores, map and overlay, and the pictures wanted.
fn score_to_files(
    segmenter: &Segmenter,
    set: &Hair,
    config: &Config,
    folder: &Path,
    wanted: Wanted,
) -> Result<Scores> {
    let mut gallery = Gallery::new(folder, wanted, palette(CLASSES));
    let mut images = ImageScores::create(folder, &IMAGE_SCORES, set.images.len(), CLASSES)?;
    let scores = score(segmenter, set, config, |scored| {
        let id = set.images.id(scored.index);
        images.push(&id, &scored.score.values(), &binary_matrix(&scored.score.counts))?;
        write_with_hits(&folder.join(MAPS).join(&id), scored.sample, scored.map, scored.predicted)?;
        gallery.show(Shown {
            index: scored.index,
            id: &id,
            score: scored.score.counts.f1(),
            image: &scored.sample.image,
            truth: &scored.sample.targets[0],
            predicted: scored.predicted,
        })
    })?;
    images.finish()?;
    gallery.finish()?;
    Ok(scores)
}

const MAPS: &str = "maps";

/// One image that was scored.
pub(super) struct Scored<'a> {
    /// Its place in the set.
    pub(super) index: usize,
    pub(super) sample: &'a Sample<1>,
    /// Probabilities.
    map: &'a [f32],
    /// 1 where they are above the threshold.
    pub(super) predicted: &'a GrayImage,
    /// Of this image alone.
    score: &'a ImageScore,
}

/// Scores a whole set, one image after the other at its own size; `see` gets every prediction.
pub(super) fn score(
    segmenter: &Segmenter,
    set: &Hair,
    config: &Config,
    mut see: impl FnMut(&Scored) -> Result<()>,
) -> Result<Scores> {
    let mut all = Scores::of_groups(set.groups.len());
    for index in 0..set.images.len() {
        let sample = &set.images.read(index)?;
        let logits = segmenter.logits(&sample.image)?;
        let labels = map_tensor([&sample.targets[0]], logits.device())?;
        let loss = f64::from(foreground(&logits, &labels, &config.loss)?.to_scalar::<f32>()?);
        let map = &probabilities(&logits)?;
        let predicted = &above(map, config.threshold, &sample.image);
        let score = &all.add(set.group(index), &sample.targets[0], map, predicted, loss)?;
        see(&Scored { index, sample, map, predicted, score })?;
    }
    Ok(all)
}
