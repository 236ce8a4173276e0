//! Scores of a checkpoint: tables, confusion matrix and pictures, of the network alone, with the CRF, and of both merged.

use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;
use sconce_data::{Dataset, Sample, Split, VOID};
use sconce_metrics::{BoundaryIou, Confusion};
use sconce_runs::{ImageScores, Run, Which, available_memory};

use super::refine::{Maps, NAMES};
use super::{Config, Labelled, Trained, colours, memory, tables};
use crate::class_scores;
use crate::cli::EvalArguments;
use crate::evaluation;
use crate::gallery::{Gallery, OVERLAYS, Shown, Wanted};
use crate::settings::Settings;

/// Columns of images.tsv after the id: of the network alone, then of the others where there is a CRF.
const IMAGE_SCORES: [&str; 6] =
    ["mean_f1", "mean_iou", "pixel_accuracy", "crf_mean_iou", "union_mean_iou", "mean_mean_iou"];

/// `eval voc…`.
pub(crate) fn run(settings: &Settings, arguments: &EvalArguments) -> Result<()> {
    let config = Config::read(settings)?;
    let wanted = Wanted { first: arguments.pictures, worst: arguments.worst };
    let which = arguments.run.which().unwrap_or(Which::Best);
    evaluate(&config, (settings.run()?, &settings.changes), &which, arguments.split.into(), wanted)
}

/// Scores a split, prints the tables, and writes them into the run's folder, with the scores of every image and pictures. `changes` are
/// of the run's own settings, for this scoring.
pub(super) fn evaluate(
    config: &Config,
    (run, changes): (&Run, &[String]),
    which: &Which,
    split: Split,
    wanted: Wanted,
) -> Result<()> {
    let set = config.open(split)?;
    let trained = Trained::load(config, run, which)?;
    let folder = evaluation::folder(run, split, &trained.path, changes);
    let scores = score_to_files(&trained, &set, &folder, wanted)?;
    let (classes, ways) = (tables::classes(&scores, set.classes()), tables::ways(&scores));
    println!("{classes}\n{ways}");
    ways.write_tsv(&folder.join("ways.tsv"))?;
    class_scores::save(&folder, &classes, &tables::means(&scores), &scores.ways[0], set.classes())?;
    if let Some(agreement) = &scores.agreement {
        let table = tables::agreement(agreement);
        println!("{table}");
        table.write_tsv(&folder.join("agreement.tsv"))?;
    }
    println!("{} images of {split} scored with {}", set.len(), trained.path.display());
    if !changes.is_empty() {
        println!("settings  {} (not the run's own; in a folder of their own)", changes.join(", "));
    }
    println!(
        "scores    {} (of every image: images.tsv; confusion.tsv is the network's own)",
        folder.display()
    );
    println!(
        "overlays  {} (image, truth, {}; also overview.png, worst/, best/)",
        folder.join(OVERLAYS).display(),
        NAMES[..scores.ways.len()].join(", ")
    );
    Ok(())
}

/// Counts over a whole set.
pub(super) struct Scores {
    /// Truth against each way to label, in the order of [`NAMES`]: the network's own, and the others where there is a CRF.
    pub(super) ways: Vec<Confusion>,
    /// The same of the classes' borders.
    pub(super) borders: Vec<BoundaryIou>,
    /// The CRF's labels against the network's own, void pixels of the truth among them.
    pub(super) agreement: Option<Confusion>,
}

/// Scores a whole set and writes, image after image, scores and the pictures wanted. As many images as memory allows are labelled at
/// the same time; they are counted in their order.
fn score_to_files(trained: &Trained, set: &Labelled, folder: &Path, wanted: Wanted) -> Result<Scores> {
    let classes = set.classes().len();
    let mut gallery = Gallery::new(folder, wanted, colours(classes));
    let mut images = ImageScores::create(folder, &IMAGE_SCORES, set.len(), classes)?;
    let ways = if trained.crf.is_some() { NAMES.len() } else { 1 };
    let agreement = trained.crf.is_some().then(|| Confusion::new(classes));
    let mut scores = Scores {
        ways: vec![Confusion::new(classes); ways],
        borders: vec![BoundaryIou::new(classes); ways],
        agreement,
    };
    let indices: Vec<usize> = (0..set.len()).collect();
    let at_once = at_once(trained, set)?;
    for some in indices.chunks(at_once) {
        let labelled: Vec<Result<(Sample<1>, Maps)>> = some
            .par_iter()
            .map(|&index| {
                let sample = set.read(index)?;
                let (maps, _) = trained.maps(&sample.image)?;
                Ok((sample, maps))
            })
            .collect();
        for (&index, labelled) in some.iter().zip(labelled) {
            let (sample, maps) = labelled?;
            let id = set.id(index);
            let own = scores.add(&sample, &maps)?;
            images.push(&id, &image_scores(&own), own[0].counts())?;
            show(&mut gallery, (index, &id), &own[0], &sample, &maps)?;
        }
    }
    images.finish()?;
    gallery.finish()?;
    Ok(scores)
}

impl Scores {
    /// Counts an image, and gives its own counts.
    fn add(&mut self, sample: &Sample<1>, maps: &Maps) -> Result<Vec<Confusion>> {
        let [truth] = &sample.targets;
        let size = (truth.width() as usize, truth.height() as usize);
        let mut own = Vec::with_capacity(self.ways.len());
        for ((all, borders), map) in self.ways.iter_mut().zip(&mut self.borders).zip(maps.all()) {
            borders.add(truth.as_raw(), map.as_raw(), size, VOID)?;
            let mut confusion = Confusion::new(all.classes());
            confusion.add(truth.as_raw(), map.as_raw(), VOID)?;
            all.merge(&confusion)?;
            own.push(confusion);
        }
        if let (Some(agreement), Some(refined)) = (&mut self.agreement, &maps.refined) {
            agreement.add(refined.crf.as_raw(), maps.raw.as_raw(), VOID)?;
        }
        Ok(own)
    }
}

/// In the order of [`IMAGE_SCORES`]; none where nothing was there to be scored.
fn image_scores(own: &[Confusion]) -> [Option<f64>; 6] {
    let iou = |way: usize| own.get(way).filter(|way| way.pixels() > 0).map(Confusion::mean_iou);
    let raw = own.first().filter(|raw| raw.pixels() > 0);
    let pixel_accuracy = raw.map(Confusion::pixel_accuracy);
    [raw.map(Confusion::mean_f1), iou(0), pixel_accuracy, iou(1), iou(2), iou(3)]
}

/// Offers an image's pictures: ranked by the network's own labels, the others beside them.
fn show(
    gallery: &mut Gallery,
    (index, id): (usize, &str),
    own: &Confusion,
    sample: &Sample<1>,
    maps: &Maps,
) -> Result<()> {
    let (all, [truth]) = (maps.all(), &sample.targets);
    let score = (own.pixels() > 0).then(|| own.mean_f1());
    let shown = Shown { index, id, score, image: &sample.image, truth, predicted: all[0] };
    gallery.show_several(shown, &all[1..])
}

/// How many images are labelled at the same time: no more than there are threads, nor than half of the free memory holds.
fn at_once(trained: &Trained, set: &Labelled) -> Result<usize> {
    let threads = rayon::current_num_threads();
    let (Some(free), false) = (available_memory(), set.is_empty()) else { return Ok(1) };
    let (width, height) = set.read(0)?.image.dimensions();
    let size = (height as usize, width as usize);
    let image = memory::of_picture(&trained.view, set.classes().len(), trained.crf.is_some(), size);
    let fitting = usize::try_from(free / 2 / image.max(1)).unwrap_or(usize::MAX);
    Ok(fitting.clamp(1, threads))
}
