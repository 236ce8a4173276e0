//! Scores of a checkpoint: tables, confusion matrix and overlay pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::{GrayImage, RgbImage};
use sconce_data::{Sample, Split, VOID, write_rgb_png};
use sconce_metrics::{Confusion, helen_groups};
use sconce_models::Agrnet;
use sconce_runs::{Run, Table, Which, comparison, contact_sheet, palette};
use sconce_tensors::label_map;

use super::{Config, Faces, Trained, logits};
use crate::cli::EvalArguments;
use crate::settings::Settings;

/// Comparisons side by side in overview.png.
const SHEET_COLUMNS: usize = 2;

/// `eval agrnet`.
pub(crate) fn run(settings: &Settings, arguments: &EvalArguments) -> Result<()> {
    let config: Config = settings.parse()?;
    report(
        &config,
        settings.run()?,
        &Which::from(arguments.run.checkpoint.as_str()),
        arguments.split.into(),
        arguments.pictures,
    )
}

/// Scores a split, prints the tables, and writes them with `pictures` overlays into the run's folder.
pub(crate) fn report(config: &Config, run: &Run, which: &Which, split: Split, pictures: usize) -> Result<()> {
    let faces = config.open(split)?;
    let trained = Trained::load(config, run, which)?;
    let name = trained.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = run.evaluation(&format!("{split}-{name}"));
    let colours = palette(config.model.classes);
    let mut shown = Vec::new();
    let confusion = score(&trained.network, &faces, config.size(), |index, sample, predicted| {
        if index < pictures {
            let picture = comparison(&sample.image, &sample.targets[0], predicted, &colours)?;
            shown.push((faces.id(index), picture));
        }
        Ok(())
    })?;
    create(&folder.join("overlays"))?;
    for (id, picture) in &shown {
        write_rgb_png(&folder.join("overlays").join(format!("{id}.png")), picture)?;
    }
    let pictures: Vec<RgbImage> = shown.into_iter().map(|(_, picture)| picture).collect();
    if !pictures.is_empty() {
        write_rgb_png(&folder.join("overview.png"), &contact_sheet(&pictures, SHEET_COLUMNS))?;
    }
    let (classes, means) =
        (class_table(&confusion, faces.classes()), mean_table(&confusion, faces.classes()));
    println!("{classes}\n{means}");
    save(&folder, &classes, &means, &confusion, faces.classes())?;
    println!("{} images of {split} scored with {}", faces.len(), trained.path.display());
    println!("scores    {}", folder.display());
    println!(
        "overlays  {} (image, truth, prediction; all in overview.png)",
        folder.join("overlays").display()
    );
    Ok(())
}

/// Counts truth against prediction over a whole set, at the size of each sample; `see` gets every prediction.
pub(crate) fn score(
    network: &Agrnet,
    faces: &Faces,
    size: (usize, usize),
    mut see: impl FnMut(usize, &Sample<2>, &GrayImage) -> Result<()>,
) -> Result<Confusion> {
    let mut confusion = Confusion::new(faces.classes().len());
    for index in 0..faces.len() {
        let sample = faces.read(index)?;
        let predicted = labels(&logits(network, &sample.image, size)?)?;
        confusion.add(sample.targets[0].as_raw(), predicted.as_raw(), VOID)?;
        see(index, &sample, &predicted)?;
    }
    Ok(confusion)
}

/// The best class of every pixel of one image's logits (1, classes, H, W).
pub(crate) fn labels(logits: &candle_core::Tensor) -> Result<GrayImage> {
    let (_, _, height, width) = logits.dims4()?;
    let labels = label_map(logits)?.flatten_all()?.to_vec1::<u8>()?;
    GrayImage::from_raw(u32::try_from(width)?, u32::try_from(height)?, labels)
        .context("a label map of the image's size")
}

/// F1, IoU, precision, recall of each class, and its share of the true pixels.
fn class_table(confusion: &Confusion, names: &[String]) -> Table {
    let mut table = Table::new(["class", "F1 %", "IoU %", "precision %", "recall %", "pixels %"]);
    let (f1, iou) = (confusion.f1(), confusion.iou());
    let (precision, recall) = (confusion.precision(), confusion.recall());
    let n = names.len();
    for (class, name) in names.iter().enumerate() {
        let truth: u64 = confusion.counts()[class * n..(class + 1) * n].iter().sum();
        let share = truth as f64 / confusion.pixels().max(1) as f64;
        let cells = [f1[class], iou[class], precision[class], recall[class], Some(share)].map(percent);
        table.push(std::iter::once(name.clone()).chain(cells));
    }
    table
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

/// 0.8123 as 81.23; a class that occurs neither in truth nor in prediction has no score.
fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.2}", 100.0 * value))
}

fn save(
    folder: &Path,
    classes: &Table,
    means: &Table,
    confusion: &Confusion,
    names: &[String],
) -> Result<()> {
    classes.write_tsv(&folder.join("classes.tsv"))?;
    means.write_tsv(&folder.join("means.tsv"))?;
    let header = std::iter::once("truth \\ prediction".to_owned()).chain(names.iter().cloned());
    let mut matrix = Table::new(header);
    for (name, row) in names.iter().zip(confusion.counts().chunks(names.len())) {
        matrix.push(std::iter::once(name.clone()).chain(row.iter().map(u64::to_string)));
    }
    Ok(matrix.write_tsv(&folder.join("confusion.tsv"))?)
}

fn create(folder: &PathBuf) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}
