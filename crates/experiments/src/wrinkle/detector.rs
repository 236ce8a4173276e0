//! Trained networks that find wrinkles in a picture of any size: one of the whole, or one of every part.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use candle_nn::ops::sigmoid;
use image::RgbImage;
use sconce_data::parts::{Area, Finder};
use sconce_data::{Assembly, Tiles, image_tensor, resize_image, with_texture};
use sconce_models::Unet;
use sconce_runs::{Run, Which};
use sconce_tensors::{Corners, resize_bilinear};
use serde::Deserialize;

use super::{Config, for_inference};

/// How a large picture is cut up: `[tiles]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tiling {
    /// Rows and columns in pixels.
    size: [usize; 2],
    /// Pixels that neighbours share; their maps are blended there.
    overlap: usize,
}

impl Tiling {
    pub(super) fn check(self) -> Result<()> {
        let Self { size: [rows, columns], overlap } = self;
        if rows.min(columns) < SMALLEST {
            bail!(
                "tiles.size is {rows} x {columns} pixels (rows x columns); the network needs at least {SMALLEST} x {SMALLEST}"
            );
        }
        if overlap >= rows.min(columns) {
            bail!("tiles.overlap is {overlap} pixels; it must be less than the tiles' {rows} x {columns}");
        }
        Ok(())
    }
}

/// The probability of a wrinkle at every pixel, 0..=1, row after row.
pub(super) type Probabilities = Vec<f32>;

/// What a run has learned.
pub(super) enum Detector {
    /// One network for the whole picture.
    Whole(Box<Single>),
    /// A network for each part; their maps are merged.
    Parts(Vec<(Finder, Single)>),
}

/// One network.
pub(super) struct Single {
    network: Unet,
    texture: bool,
    /// Rows and columns at which the network sees a picture; its own ones if none.
    size: Option<(usize, usize)>,
    tiles: Option<Tiling>,
    device: Device,
    /// The file of its weights.
    pub(super) path: PathBuf,
}

impl Detector {
    /// Of a finished or interrupted run; of each part in its folder if the run is a partitioned one.
    pub(super) fn load(config: &Config, run: &Run, which: Option<&Which>) -> Result<Self> {
        let Some(parts) = &config.parts else {
            return Ok(Self::Whole(Box::new(Single::load(config, run, which)?)));
        };
        if let Some(Which::Path(path)) = which {
            bail!(
                "{}: one file cannot hold the networks of all parts; name best, last or epoch-N",
                path.display()
            );
        }
        let mut networks = Vec::new();
        for part in parts {
            let missing = || {
                format!(
                    "part '{}' has no trained network: finish the training with --resume, or take the part out of the config",
                    part.name
                )
            };
            let own = Run::open(&super::partitioned::folder(run, &part.name)).with_context(missing)?;
            let trained = own.checkpoints().can_resume();
            let network = Single::load(&config.of_part(part), &own, which);
            let context = || if trained { format!("part '{}'", part.name) } else { missing() };
            networks.push((Finder::new(part)?, network.with_context(context)?));
        }
        Ok(Self::Parts(networks))
    }

    /// The map of a picture; `id` finds the picture's parts.
    pub(super) fn probabilities(&self, id: &str, image: &RgbImage) -> Result<Probabilities> {
        match self {
            Self::Whole(network) => network.probabilities(image),
            Self::Parts(parts) => {
                let mut merged = Merged::new(image.dimensions());
                for (finder, network) in parts {
                    let area = finder.find(id, image.dimensions())?;
                    merged.add(area, &network.probabilities(&area.of(image))?);
                }
                Ok(merged.finish())
            }
        }
    }

    /// Where the weights came from.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Whole(network) => &network.path,
            Self::Parts(parts) => parts.first().map_or(Path::new(""), |(_, network)| &network.path),
        }
    }
}

impl Single {
    /// The checkpoint that `which` names; that of the highest epoch, or else the last one, if it names none.
    fn load(config: &Config, run: &Run, which: Option<&Which>) -> Result<Self> {
        let checkpoints = run.checkpoints();
        let which = which.cloned().or_else(|| checkpoints.highest_epoch()).unwrap_or(Which::Last);
        let loaded = checkpoints.load_part(&which, "model.", &config.device)?;
        if let Some(warning) = &loaded.warning {
            eprintln!("warning: {warning}; using {}", loaded.path.display());
        }
        let network = for_inference(config, loaded.checkpoint.part("model."))
            .map_err(|error| loaded.foreign(format!("its weights do not fit the config: {error}")))?;
        Ok(Self::new(config, network, loaded.path))
    }

    /// A network that is seen as the config says; `path` tells where its weights are.
    pub(super) fn new(config: &Config, network: Unet, path: PathBuf) -> Self {
        let [rows, columns] = config.augment.size;
        // Windows are cut at the picture's own scale, so that is what the network knows.
        let size = config.augment.crop.is_none().then_some((rows, columns));
        let (tiles, device) = (config.tiles, config.device.clone());
        Self { network, texture: config.texture, size, tiles, device, path }
    }

    pub(super) fn probabilities(&self, image: &RgbImage) -> Result<Probabilities> {
        let own = (image.height() as usize, image.width() as usize);
        if let Some(size) = self.size {
            let logits = self.logits(&resize_image(image, size)?)?;
            return values(&sigmoid(&resize_bilinear(&logits, own, Corners::HalfPixel)?)?);
        }
        let Some(Tiling { size: [rows, columns], overlap }) = self.tiles else {
            return values(&sigmoid(&self.logits(image)?)?);
        };
        let tiles = Tiles::new(own, (rows, columns), overlap)?;
        let mut whole = Assembly::new(&tiles, 1);
        for tile in tiles.iter() {
            whole.add(tile, &values(&sigmoid(&self.logits(&tiles.cut(image, tile))?)?)?)?;
        }
        Ok(whole.finish()?)
    }

    /// (1, 1, H, W) at the picture's size.
    fn logits(&self, image: &RgbImage) -> Result<Tensor> {
        let input = input(&image_tensor([image], &self.device)?, self.texture)?;
        Ok(self.network.forward_t(&input, false)?.logits)
    }
}

/// What the network sees of images (N, 3, H, W) of 0..=1: values of -1..=1, the texture map as a fourth channel if wanted.
pub(super) fn input(image: &Tensor, texture: bool) -> Result<Tensor> {
    let image = if texture { with_texture(image)? } else { image.clone() };
    Ok(image.affine(2.0, -1.0)?)
}

fn values(map: &Tensor) -> Result<Probabilities> {
    Ok(map.flatten_all()?.to_vec1()?)
}

/// Maps of parts on one picture: the mean where parts overlap, each weighing by the distance to its border, so that none ends in a seam;
/// 0 where there is no part.
struct Merged {
    size: (u32, u32),
    sum: Vec<f32>,
    weight: Vec<f32>,
}

impl Merged {
    fn new(size: (u32, u32)) -> Self {
        let pixels = size.0 as usize * size.1 as usize;
        Self { size, sum: vec![0.0; pixels], weight: vec![0.0; pixels] }
    }

    fn add(&mut self, area: Area, map: &[f32]) {
        let weights = area.weights(self.size);
        let columns = area.width as usize;
        for (row, (values, weights)) in map.chunks(columns).zip(weights.chunks(columns)).enumerate() {
            let start = (area.top as usize + row) * self.size.0 as usize + area.left as usize;
            let (sums, totals) = (&mut self.sum[start..], &mut self.weight[start..]);
            for (((sum, total), value), weight) in sums.iter_mut().zip(totals).zip(values).zip(weights) {
                *sum += weight * value;
                *total += weight;
            }
        }
    }

    fn finish(self) -> Probabilities {
        let mean = |(sum, weight): (f32, f32)| match weight > 0.0 {
            true if sum > weight => 1.0, // rounded up
            true => sum / weight,
            false => 0.0,
        };
        self.sum.into_iter().zip(self.weight).map(mean).collect()
    }
}

/// Training images are no smaller than what the network can halve.
pub(super) fn check_size(config: &Config) -> Result<()> {
    let [rows, columns] = config.augment.size;
    if rows.min(columns) < SMALLEST {
        bail!(
            "{} is {rows} x {columns} pixels (rows x columns); the network needs at least {SMALLEST} x {SMALLEST}",
            if config.part.is_some() { "size" } else { "augment.size" }
        );
    }
    Ok(())
}

/// Rows and columns that can be halved four times.
const SMALLEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_parts_agree_where_they_agree_and_blend_where_not() {
        let (left, right) =
            (Area { left: 0, top: 0, width: 6, height: 2 }, Area { left: 4, top: 0, width: 4, height: 2 });
        let mut same = Merged::new((10, 2));
        same.add(left, &[0.75; 12]);
        same.add(right, &[0.75; 8]);
        let same = same.finish();
        assert!(same[..8].iter().all(|p| (p - 0.75).abs() < 1e-6), "{same:?}");
        assert_eq!(&same[8..10], [0.0, 0.0]);
        let mut differ = Merged::new((10, 2));
        differ.add(left, &[0.0; 12]);
        differ.add(right, &[1.0; 8]);
        let row = differ.finish();
        assert_eq!((row[3], row[6]), (0.0, 1.0));
        assert!((row[4] - 1.0 / 3.0).abs() < 1e-6 && (row[5] - 2.0 / 3.0).abs() < 1e-6, "{row:?}");
    }
}
