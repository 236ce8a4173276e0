//! Hair of photographs at their own size: a mask, a soft mask, an overlay and, if wanted, a preview in another colour.

use std::path::Path;

use anyhow::{Context, Result};
use sconce_data::{read_rgb_upright, write_index_png, write_rgb_png};
use sconce_runs::{overlay, palette};

use super::recolour::recolour;
use super::segmenter::Segmenter;
use super::{CLASSES, Config};
use crate::cli::PredictArguments;
use crate::each_image::each_image;
use crate::inputs;
use crate::maps::{above, with, write_array, write_soft_mask};
use crate::settings::Settings;

/// Share of the colour in the overlay.
const ALPHA: f32 = 0.6;

/// `predict figaro-pspnet`.
pub(crate) fn run(settings: &Settings, arguments: &PredictArguments) -> Result<()> {
    let config = Config::read(settings)?;
    let images = inputs::images(&arguments.inputs)?;
    let run = settings.run()?;
    let segmenter = Segmenter::load(&config, run, arguments.run.which().as_ref())?;
    let out = arguments.out.clone().unwrap_or_else(|| run.predictions());
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let stems = inputs::distinct_stems(&images);
    each_image(&images, |index, image| {
        segment(&segmenter, config.threshold, arguments, image, &out.join(&stems[index]))
    })?;
    println!("hair of {} images found with {}", images.len(), segmenter.path.display());
    println!("masks (.png), soft masks (.probability.png), overlays (.overlay.png) in {}", out.display());
    Ok(())
}

/// Writes `<target>.png`, `<target>.probability.png`, `<target>.overlay.png`, and `<target>.recoloured.png` and
/// `<target>.probability.npy` if they are wanted.
fn segment(
    segmenter: &Segmenter,
    threshold: f32,
    arguments: &PredictArguments,
    path: &Path,
    target: &Path,
) -> Result<()> {
    let image = read_rgb_upright(path)?;
    let map = segmenter.probabilities(&image)?;
    let (mask, colours) = (above(&map, threshold, &image), palette(CLASSES));
    let probability = with(target, ".probability");
    let write_mask = || write_index_png(&with(target, ".png"), &mask, Some(&colours));
    let write_overlay = || -> Result<_> {
        Ok(write_rgb_png(&with(target, ".overlay.png"), &overlay(&image, &mask, &colours, ALPHA)?)?)
    };
    let write_soft_mask = || write_soft_mask(&probability, &image, &map);
    let (soft, (mask, overlay)) = rayon::join(write_soft_mask, || rayon::join(write_mask, write_overlay));
    soft?;
    mask?;
    overlay?;
    if arguments.logits {
        write_array(&probability, &image, &map)?;
    }
    if let Some(colour) = arguments.recolour {
        write_rgb_png(&with(target, ".recoloured.png"), &recolour(&image, &map, colour.0)?)?;
    }
    Ok(())
}
