//! Segmentation of images: a label map and an overlay for each, at the image's own size.

use std::path::Path;

use anyhow::{Context, Result, bail};
use sconce_data::{read_rgb_upright, write_index_png, write_rgb_png};
use sconce_runs::{Which, overlay, write_npy};

use super::{Config, Trained, colours};
use crate::cli::PredictArguments;
use crate::inputs;
use crate::maps::with;
use crate::settings::Settings;

/// Share of a class's colour in the overlay.
const ALPHA: f32 = 0.5;

/// `predict voc…`.
pub(crate) fn run(settings: &Settings, arguments: &PredictArguments) -> Result<()> {
    let mut config = Config::read(settings)?;
    match (arguments.crf, &config.crf) {
        (true, None) => bail!(
            "--crf: the run's config has no table [crf]; configs/voc-deeplabv3plus-r50.toml shows one, and --set adds its keys"
        ),
        (false, _) => config.crf = None,
        (true, Some(_)) => {}
    }
    let images = inputs::images(&arguments.inputs)?;
    let run = settings.run()?;
    let trained = Trained::load(&config, run, &arguments.run.which().unwrap_or(Which::Best))?;
    let out = arguments.out.clone().unwrap_or_else(|| run.predictions());
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    for (image, stem) in images.iter().zip(inputs::distinct_stems(&images)) {
        segment(&trained, config.model.classes(), image, &out.join(stem), arguments.logits)
            .with_context(|| image.display().to_string())?;
    }
    println!("{} images segmented with {}", images.len(), trained.path.display());
    println!(
        "label maps (.png), overlays (.overlay.png){}{} in {}",
        if arguments.crf { ", refined ones (.crf.png, .crf.overlay.png)" } else { "" },
        if arguments.logits { ", probabilities (.npy)" } else { "" },
        out.display()
    );
    Ok(())
}

/// Writes `<target>.png`, `<target>.overlay.png`, the same with `.crf` if there is a CRF, and, if asked, `<target>.npy`.
fn segment(
    trained: &Trained,
    classes: usize,
    path: &Path,
    target: &Path,
    with_probabilities: bool,
) -> Result<()> {
    let image = read_rgb_upright(path)?;
    let (maps, probabilities) = trained.maps(&image)?;
    let colours = colours(classes);
    let refined = maps.refined.as_ref().map(|refined| (".crf", &refined.crf));
    for (kind, labels) in [Some(("", &maps.raw)), refined].into_iter().flatten() {
        write_index_png(&with(target, &format!("{kind}.png")), labels, Some(&colours))?;
        let picture = overlay(&image, labels, &colours, ALPHA)?;
        write_rgb_png(&with(target, &format!("{kind}.overlay.png")), &picture)?;
    }
    if with_probabilities {
        let shape = &probabilities.dims()[1..];
        write_npy(&with(target, ".npy"), shape, &probabilities.flatten_all()?.to_vec1::<f32>()?)?;
    }
    Ok(())
}
