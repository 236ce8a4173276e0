//! Scores of a checkpoint: tables, curves, and of every image its map and an overlay.

use std::path::Path;

use anyhow::Result;
use image::GrayImage;
use sconce_data::{Dataset, Sample, Split};
use sconce_metrics::Confusion;
use sconce_runs::{ImageScores, Run, Which, palette};

use super::detector::Detector;
use super::scores::{IMAGE_SCORES, ImageScore, Scores};
use super::{CLASSES, Config, Wrinkles, tables};
use crate::class_scores::{self, binary_matrix, class_table};
use crate::cli::EvalArguments;
use crate::curve::write_curve;
use crate::evaluation;
use crate::gallery::{Gallery, Shown, Wanted};
use crate::maps::{above, write_with_hits};
use crate::settings::Settings;

/// `eval wrinkle`.
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
    let detector = Detector::load(config, run, which)?;
    let folder = evaluation::folder(run, split, detector.path(), &[]);
    let scores = score_to_files(&detector, &set, config.threshold, &folder, wanted)?;
    let confusion = Confusion::from_counts(CLASSES, &binary_matrix(&scores.counts))?;
    let (classes, means) = (class_table(&confusion, set.classes()), tables::means(&scores));
    println!("{classes}\n{means}");
    class_scores::save(&folder, &classes, &means, &confusion, set.classes())?;
    write_curve(&folder, &scores.thresholds)?;
    let beside = tables::beside(config, run, which, split, &scores)?;
    println!("{beside}");
    beside.write_tsv(&folder.join("beside.tsv"))?;
    println!("{} images of {split} scored with {}", set.len(), detector.path().display());
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
    detector: &Detector,
    set: &Wrinkles,
    threshold: f32,
    folder: &Path,
    wanted: Wanted,
) -> Result<Scores> {
    let mut gallery = Gallery::new(folder, wanted, palette(CLASSES));
    let mut images = ImageScores::create(folder, &IMAGE_SCORES, set.len(), CLASSES)?;
    let scores = score(detector, set, threshold, |scored| {
        let id = set.id(scored.index);
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
    pub(super) map: &'a [f32],
    /// 1 where they are above the threshold.
    pub(super) predicted: &'a GrayImage,
    /// Of this image alone.
    pub(super) score: &'a ImageScore,
}

/// Scores a whole set, at the size of each sample; `see` gets every prediction.
pub(super) fn score(
    detector: &Detector,
    set: &Wrinkles,
    threshold: f32,
    mut see: impl FnMut(&Scored) -> Result<()>,
) -> Result<Scores> {
    let mut all = Scores::default();
    for index in 0..set.len() {
        let sample = &set.read(index)?;
        let map = &detector.probabilities(&set.id(index), &sample.image)?;
        let predicted = &above(map, threshold, &sample.image);
        let score = &all.add(&sample.targets[0], map, predicted)?;
        see(&Scored { index, sample, map, predicted, score })?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wrinkle::detector::Single;

    /// A tiny network that nobody trained, and its config with so many held-out pictures.
    fn untrained(images: usize) -> (Config, Detector) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/wrinkle-small.toml");
        let changes = ["data.wrinkles.size=64", "model.base-width=1", &format!("data.wrinkles.val={images}")];
        let settings = Settings::of_config(path, &changes.map(String::from)).unwrap();
        let config = Config::read(&settings).unwrap();
        let parameters = sconce_tensors::Parameters::new(1, &candle_core::Device::Cpu);
        let network = sconce_models::Unet::new(&config.model, parameters.builder()).unwrap();
        let detector = Detector::Whole(Box::new(Single::new(&config, network, Default::default())));
        (config, detector)
    }

    #[test]
    fn memory_does_not_grow_with_the_number_of_images() {
        let most = |images: usize| {
            let folder = tempfile::tempdir().unwrap();
            let (config, detector) = untrained(images);
            let set = config.open(Split::Val).unwrap();
            let work = || {
                score_to_files(
                    &detector,
                    &set,
                    config.threshold,
                    folder.path(),
                    Wanted { first: 2, worst: 2 },
                )
                .unwrap();
            };
            allocation_counter::measure(work).bytes_max
        };
        most(3); // what is made once and kept
        let (few, many) = (most(5), most(50));
        assert!(many < few + few / 10, "{many} bytes for 50 images, {few} for 5");
    }
}
