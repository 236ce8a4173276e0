//! Probability maps as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::RgbImage;
use sconce_data::write_index_png;
use sconce_runs::write_npy;

/// Writes `<target>.npy`, f32 (rows, columns), and `<target>.png`, where 255 is a probability of 1.
pub(super) fn write_map(target: &Path, like: &RgbImage, map: &[f32]) -> Result<()> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let (width, height) = like.dimensions();
    write_npy(&with(target, ".npy"), &[height as usize, width as usize], map)?;
    let bytes = map.iter().map(|probability| (255.0 * probability).round() as u8).collect();
    let gray = image::GrayImage::from_raw(width, height, bytes).context("a map of the picture's size")?;
    Ok(write_index_png(&with(target, ".png"), &gray, None)?)
}

/// The path with an ending after whatever it ends in.
pub(super) fn with(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
