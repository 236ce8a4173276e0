//! Maps of a foreground's probability: their masks and their files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::{GrayImage, RgbImage};
use sconce_data::{Sample, write_index_png, write_rgb_png};
use sconce_runs::{hits, write_npy};

/// Writes `<target>.npy`, f32 (rows, columns), and `<target>.png`, where 255 is a probability of 1.
pub(crate) fn write_map(target: &Path, like: &RgbImage, map: &[f32]) -> Result<()> {
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    write_array(target, like, map)?;
    write_soft_mask(target, like, map)
}

/// Writes what [`write_map`] does, and `<target>.overlay.png`: hits, misses and false alarms of `predicted` on the sample's picture.
pub(crate) fn write_with_hits(
    target: &Path,
    sample: &Sample<1>,
    map: &[f32],
    predicted: &GrayImage,
) -> Result<()> {
    write_map(target, &sample.image, map)?;
    let overlay = hits(&sample.image, &sample.targets[0], predicted)?;
    Ok(write_rgb_png(&with(target, ".overlay.png"), &overlay)?)
}

/// Writes `<target>.npy`, f32 (rows, columns).
pub(crate) fn write_array(target: &Path, like: &RgbImage, map: &[f32]) -> Result<()> {
    let (width, height) = like.dimensions();
    Ok(write_npy(&with(target, ".npy"), &[height as usize, width as usize], map)?)
}

/// Writes `<target>.png`, where 255 is a probability of 1.
pub(crate) fn write_soft_mask(target: &Path, like: &RgbImage, map: &[f32]) -> Result<()> {
    let (width, height) = like.dimensions();
    let bytes = map.iter().map(|probability| (255.0 * probability).round() as u8).collect();
    let gray = GrayImage::from_raw(width, height, bytes).context("a map of the picture's size")?;
    Ok(write_index_png(&with(target, ".png"), &gray, None)?)
}

/// The path with an ending after whatever it ends in.
pub(crate) fn with(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// 1 where the map is above the threshold.
pub(crate) fn above(map: &[f32], threshold: f32, like: &RgbImage) -> GrayImage {
    let mask = map.iter().map(|probability| u8::from(*probability > threshold)).collect();
    GrayImage::from_raw(like.width(), like.height(), mask).unwrap_or_default()
}
