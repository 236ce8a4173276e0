//! Scores of a checkpoint: tables, confusion matrix and overlay pictures.

use anyhow::{Context, Result};
use image::GrayImage;
use sconce_data::{Sample, Split, VOID};
use sconce_metrics::{Confusion, helen_groups};
use sconce_models::Agrnet;
use sconce_runs::{ImageScores, Run, Table, Which, palette};
use sconce_tensors::label_map;

use super::{Config, Faces, Trained, logits};
use crate::class_scores::{self, class_table, percent};
use crate::cli::EvalArguments;
use crate::evaluation;
use crate::gallery::{Gallery, OVERLAYS, Shown, Wanted};
use crate::settings::Settings;

/// Columns of images.tsv after the id.
const IMAGE_SCORES: [&str; 4] = ["mean_f1_foreground", "mean_f1", "mean_iou", "pixel_accuracy"];

/// `eval agrnet`.
pub(crate) fn run(settings: &Settings, arguments: &EvalArguments) -> Result<()> {
    let config = Config::read(settings)?;
    let wanted = Wanted { first: arguments.pictures, worst: arguments.worst };
    let which = arguments.run.which().unwrap_or(Which::Best);
    evaluate(&config, settings.run()?, &which, arguments.split.into(), wanted)
}

/// Scores a split, prints the tables, and writes them into the run's folder, with the scores of every image and pictures.
pub(crate) fn evaluate(
    config: &Config,
    run: &Run,
    which: &Which,
    split: Split,
    wanted: Wanted,
) -> Result<()> {
    let faces = config.open(split)?;
    let trained = Trained::load(config, run, which)?;
    let folder = evaluation::folder(run, split, &trained.path, &[]);
    let mut gallery = Gallery::new(&folder, wanted, palette(config.model.classes));
    let mut images = ImageScores::create(&folder, &IMAGE_SCORES, faces.len(), config.model.classes)?;
    let confusion = score(&trained.network, config, &faces, |scored| {
        images.push(&faces.id(scored.index), &image_scores(scored.confusion), scored.confusion.counts())?;
        gallery.show(Shown {
            index: scored.index,
            id: &faces.id(scored.index),
            score: (scored.confusion.pixels() > 0).then(|| scored.confusion.mean_f1()),
            image: &scored.sample.image,
            truth: &scored.sample.targets[0],
            predicted: scored.predicted,
        })
    })?;
    images.finish()?;
    gallery.finish()?;
    let (classes, means) =
        (class_table(&confusion, faces.classes()), mean_table(&confusion, faces.classes()));
    println!("{classes}\n{means}");
    class_scores::save(&folder, &classes, &means, &confusion, faces.classes())?;
    println!("{} images of {split} scored with {}", faces.len(), trained.path.display());
    println!("scores    {} (of every image: images.tsv)", folder.display());
    println!(
        "overlays  {} (image, truth, prediction; also overview.png, worst/, best/)",
        folder.join(OVERLAYS).display()
    );
    Ok(())
}

/// One image that was scored.
pub(crate) struct Scored<'a> {
    /// Its place in the set.
    pub(crate) index: usize,
    pub(crate) sample: &'a Sample<2>,
    pub(crate) predicted: &'a GrayImage,
    /// Of this image alone.
    pub(crate) confusion: &'a Confusion,
}

/// Counts truth against prediction over a whole set, at the size of each sample; `see` gets every prediction.
pub(crate) fn score(
    network: &Agrnet,
    config: &Config,
    faces: &Faces,
    mut see: impl FnMut(&Scored) -> Result<()>,
) -> Result<Confusion> {
    let mut all = Confusion::new(faces.classes().len());
    for index in 0..faces.len() {
        let sample = &faces.read(index)?;
        let predicted = &labels(&logits(network, &sample.image, config.size(), &config.device)?)?;
        let mut confusion = Confusion::new(faces.classes().len());
        confusion.add(sample.targets[0].as_raw(), predicted.as_raw(), VOID)?;
        all.merge(&confusion)?;
        see(&Scored { index, sample, predicted, confusion: &confusion })?;
    }
    Ok(all)
}

/// In the order of [`IMAGE_SCORES`]; none where nothing was there to be scored.
fn image_scores(confusion: &Confusion) -> [Option<f64>; 4] {
    let foreground = confusion.f1().iter().skip(1).any(Option::is_some);
    let pixels = confusion.pixels() > 0;
    [
        foreground.then(|| confusion.mean_f1_foreground()),
        pixels.then(|| confusion.mean_f1()),
        pixels.then(|| confusion.mean_iou()),
        pixels.then(|| confusion.pixel_accuracy()),
    ]
}

/// The best class of every pixel of one image's logits (1, classes, H, W).
pub(crate) fn labels(logits: &candle_core::Tensor) -> Result<GrayImage> {
    let (_, _, height, width) = logits.dims4()?;
    let labels = label_map(logits)?.flatten_all()?.to_vec1::<u8>()?;
    GrayImage::from_raw(u32::try_from(width)?, u32::try_from(height)?, labels)
        .context("a label map of the image's size")
}

/// The means that the literature reports, and the merged classes of the Helen benchmark.
fn mean_table(confusion: &Confusion, names: &[String]) -> Table {
    let mut table = Table::new(["score", "%"]);
    let mut push = |name: &str, value: Option<f64>| table.push([name.to_owned(), percent(value)]);
    push("mean F1, background left out", Some(confusion.mean_f1_foreground()));
    push("mean F1, all classes", Some(confusion.mean_f1()));
    push("mean IoU, all classes", Some(confusion.mean_iou()));
    push("pixel accuracy", Some(confusion.pixel_accuracy()));
    for (group, members) in helen_groups(names) {
        push(&format!("F1 of {group}, merged"), confusion.group_f1(&members));
    }
    table
}
