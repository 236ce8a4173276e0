//! Parsing of images: a label map and an overlay for each, at the image's own size.

use std::path::Path;

use anyhow::{Context, Result};
use sconce_data::{read_rgb_upright, write_index_png, write_rgb_png};
use sconce_runs::{Which, overlay, palette, write_npy};

use super::{Config, Trained, evaluate, logits};
use crate::cli::PredictArguments;
use crate::inputs;
use crate::settings::Settings;

/// Share of a class's colour in the overlay.
const ALPHA: f32 = 0.5;

/// `predict agrnet`.
pub(crate) fn run(settings: &Settings, arguments: &PredictArguments) -> Result<()> {
    let config = Config::read(settings)?;
    let images = inputs::images(&arguments.inputs)?;
    let run = settings.run()?;
    let trained = Trained::load(&config, run, &arguments.run.which().unwrap_or(Which::Best))?;
    let out = arguments.out.clone().unwrap_or_else(|| run.predictions());
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    for (image, stem) in images.iter().zip(inputs::distinct_stems(&images)) {
        parse(&trained, &config, image, &out.join(stem), arguments.logits)?;
    }
    println!("{} images parsed with {}", images.len(), trained.path.display());
    println!(
        "label maps (.png), overlays (.overlay.png){} in {}",
        if arguments.logits { ", logits (.npy)" } else { "" },
        out.display()
    );
    Ok(())
}

/// Writes `<target>.png`, `<target>.overlay.png` and, if asked, `<target>.npy`.
fn parse(trained: &Trained, config: &Config, path: &Path, target: &Path, with_logits: bool) -> Result<()> {
    let image = read_rgb_upright(path)?;
    let logits = logits(&trained.network, &image, config.size(), &config.device)
        .with_context(|| path.display().to_string())?;
    let labels = evaluate::labels(&logits)?;
    let colours = palette(config.model.classes);
    let file = |ending: &str| {
        let mut name = target.as_os_str().to_owned();
        name.push(ending);
        std::path::PathBuf::from(name)
    };
    write_index_png(&file(".png"), &labels, Some(&colours))?;
    write_rgb_png(&file(".overlay.png"), &overlay(&image, &labels, &colours, ALPHA)?)?;
    if with_logits {
        let shape = &logits.dims()[1..];
        write_npy(&file(".npy"), shape, &logits.flatten_all()?.to_vec1::<f32>()?)?;
    }
    Ok(())
}
