//! AGRNet face parsing: what `configs/agrnet*.toml` hold, and the parts that training, scoring and prediction share.

pub(crate) mod evaluate;
pub(crate) mod predict;
pub(crate) mod train;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use image::RgbImage;
use sconce_backbones::normalize;
use sconce_data::{
    Batch, Cached, Dataset, Split, augment, faces, folder, image_tensor, loader, nia, resize_image,
};
use sconce_losses::agrnet as loss;
use sconce_models::Agrnet;
use sconce_models::agrnet as model;
use sconce_optim::{self as optim, Warmup, schedule};
use sconce_runs::{Run, Which};
use sconce_tensors::testing::hashed_uniform;
use sconce_tensors::{Corners, Parameters, Precision, backward, resize_bilinear};
use serde::Deserialize;

use crate::cli::SummaryArguments;
use crate::estimate::{Trial, Work};
use crate::nan_watch::OnNan;
use crate::record;
use crate::settings::{Experiment, Settings};
use crate::{summary, weights};

/// A whole config file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    #[serde(rename = "experiment")]
    _experiment: Experiment,
    #[serde(rename = "precision")]
    _precision: Option<Precision>,
    #[serde(rename = "deterministic")]
    _deterministic: Option<bool>,
    /// Of initial weights, order of images and augmentation.
    seed: u64,
    /// Passes over the training images.
    epochs: usize,
    /// What follows a loss or gradient that is not finite.
    on_nan: OnNan,
    data: FaceData,
    loader: loader::Config,
    augment: augment::Config,
    model: model::Config,
    loss: loss::Config,
    optim: optim::Config,
    schedule: schedule::Config,
    warmup: Option<Warmup>,
    /// A file to begin with instead of random weights.
    weights: Option<weights::Config>,
    /// Event files; none without this table.
    log: Option<record::Config>,
    /// Where the network computes: no key of the file, but an argument of the program.
    #[serde(skip, default = "crate::device::cpu")]
    device: Device,
}

/// One of `[data.nia]`, `[data.folder]` and `[data.faces]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum FaceData {
    Nia(nia::Config),
    Folder(folder::Config),
    Faces(faces::Config),
}

/// Images with a label map and an edge map.
type Faces = Arc<dyn Dataset<2>>;

impl Config {
    fn read(settings: &Settings) -> Result<Self> {
        Ok(Self { device: settings.device.clone(), ..settings.parse()? })
    }

    fn open(&self, split: Split) -> Result<Faces> {
        let faces: Faces = match &self.data {
            FaceData::Nia(config) => Arc::new(nia::open(config, split)?),
            FaceData::Folder(config) => Arc::new(folder::open(config, split)?),
            FaceData::Faces(config) => {
                Arc::new(Cached::of_rendered(faces::Faces::open(config, split)?, split))
            }
        };
        if faces.classes().len() != self.model.classes {
            bail!(
                "model.classes is {} but the data set has {} classes: {}",
                self.model.classes,
                faces.classes().len(),
                faces.classes().join(", ")
            );
        }
        Ok(faces)
    }

    /// Height and width of the images the network is trained on.
    fn size(&self) -> (usize, usize) {
        (self.augment.size[0], self.augment.size[1])
    }
}

/// A network with the weights of a run's checkpoint.
struct Trained {
    network: Agrnet,
    path: PathBuf,
}

impl Trained {
    fn load(config: &Config, run: &Run, which: &Which) -> Result<Self> {
        let loaded = run.checkpoints().load_part(which, "model.", &config.device)?;
        if let Some(warning) = &loaded.warning {
            eprintln!("warning: {warning}; using {}", loaded.path.display());
        }
        let network = for_inference(config, loaded.checkpoint.part("model."))
            .map_err(|error| loaded.foreign(format!("its weights do not fit the config: {error}")))?;
        Ok(Self { network, path: loaded.path })
    }
}

/// A network of constants: it records nothing for a backward pass, so its insides are freed as it goes.
fn for_inference(config: &Config, tensors: HashMap<String, Tensor>) -> candle_core::Result<Agrnet> {
    Agrnet::new(&config.model, VarBuilder::from_tensors(tensors, DType::F32, &config.device))
}

/// Logits (1, classes, H, W) at the image's own size; the network sees the image at `size`.
fn logits(network: &Agrnet, image: &RgbImage, size: (usize, usize), device: &Device) -> Result<Tensor> {
    let input = normalize(&image_tensor([&resize_image(image, size)?], device)?)?;
    let logits = network.forward_t(&input, false)?.logits;
    let own = (image.height() as usize, image.width() as usize);
    Ok(resize_bilinear(&logits, own, Corners::Aligned)?)
}

/// Prints parameters and multiply-adds per stage, and what memory training and prediction need.
pub(crate) fn summarise(settings: &Settings, arguments: &SummaryArguments) -> Result<()> {
    let config = Config::read(settings)?;
    if let Some(trial) = arguments.trial {
        return try_out(&config, trial);
    }
    let size = arguments.size.map_or(config.size(), |size| size.0);
    let network = Agrnet::new(&config.model, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    summary::print(&settings.name, size, &network.cost(size));
    drop(network);
    summary::print_memory(config.loader.batch, size, arguments)
}

/// Training steps or predictions on images and labels without content.
fn try_out(config: &Config, trial: Trial) -> Result<()> {
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    let network = Agrnet::new(&config.model, parameters.builder())?;
    if trial.work == Work::Predict {
        let network = for_inference(config, parameters.tensors().into_iter().collect())?;
        drop(parameters);
        let image = RgbImage::new(trial.size.1 as u32, trial.size.0 as u32);
        return trial.run(|trial| logits(&network, &image, trial.size, &config.device).map(drop));
    }
    let mut optimizer = config.optim.build(&parameters)?;
    trial.run(|Trial { batch, size: (height, width), .. }| {
        let image = hashed_uniform("image", (batch, 3, height, width));
        let labels = Tensor::zeros((batch, height, width), DType::U8, &Device::Cpu)?;
        let targets = [labels.clone(), labels];
        let batch = Batch { image, targets, ids: Vec::new(), epoch: 0, number: 0, waited: Duration::ZERO };
        let (loss, _) = train::losses(&network, &batch, &config.loss)?;
        Ok(optimizer.step(&backward(&loss)?, config.optim.lr())?)
    })
}
