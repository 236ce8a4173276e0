//! Wrinkles of images: a mask, a map and an overlay for each, at the image's own size.

use std::path::Path;

use anyhow::{Context, Result};
use sconce_data::{read_rgb_upright, write_index_png, write_rgb_png};
use sconce_runs::{overlay, palette};

use super::detector::Detector;
use super::{CLASSES, Config};
use crate::cli::PredictArguments;
use crate::inputs;
use crate::maps::{above, with, write_map};
use crate::settings::Settings;

/// Share of the colour in the overlay.
const ALPHA: f32 = 0.6;

/// `predict wrinkle`.
pub(crate) fn run(settings: &Settings, arguments: &PredictArguments) -> Result<()> {
    let config = Config::read(settings)?;
    let images = inputs::images(&arguments.inputs)?;
    let run = settings.run()?;
    let detector = Detector::load(&config, run, arguments.run.which().as_ref())?;
    let out = arguments.out.clone().unwrap_or_else(|| run.predictions());
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    for (image, stem) in images.iter().zip(inputs::distinct_stems(&images)) {
        find(&detector, config.threshold, image, &out.join(stem))
            .with_context(|| image.display().to_string())?;
    }
    println!("wrinkles of {} images found with {}", images.len(), detector.path().display());
    println!(
        "masks (.png), overlays (.overlay.png), probabilities (.probability.png, .probability.npy) in {}",
        out.display()
    );
    Ok(())
}

/// Writes `<target>.png`, `<target>.overlay.png`, `<target>.probability.png` and `<target>.probability.npy`.
fn find(detector: &Detector, threshold: f32, path: &Path, target: &Path) -> Result<()> {
    let image = read_rgb_upright(path)?;
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    let map = detector.probabilities(&id, &image)?;
    let (mask, colours) = (above(&map, threshold, &image), palette(CLASSES));
    write_map(&with(target, ".probability"), &image, &map)?;
    write_index_png(&with(target, ".png"), &mask, Some(&colours))?;
    Ok(write_rgb_png(&with(target, ".overlay.png"), &overlay(&image, &mask, &colours, ALPHA)?)?)
}
