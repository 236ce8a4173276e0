//! Wrinkle detection: what `configs/wrinkle*.toml` hold, and the parts that training, scoring and prediction share.

mod detector;
pub(crate) mod evaluate;
mod partitioned;
pub(crate) mod predict;
mod scores;
mod tables;
pub(crate) mod train;

pub(crate) use partitioned::runs_of_parts;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sconce_data::parts::{Crops, Finder, Part};
use sconce_data::{Batch, Cached, Dataset, Foreground, Split, augment, folder, loader, wrinkles};
use sconce_losses::foreground as loss;
use sconce_models::Unet;
use sconce_models::unet as model;
use sconce_optim::{self as optim, Warmup, schedule};
use sconce_tensors::testing::hashed_uniform;
use sconce_tensors::{Parameters, Precision, backward};
use serde::Deserialize;

use crate::cli::SummaryArguments;
use crate::estimate::{Trial, Work};
use crate::nan_watch::OnNan;
use crate::record;
use crate::settings::{Experiment, Settings};
use crate::{summary, weights};

/// A whole config file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    #[serde(rename = "experiment")]
    _experiment: Experiment,
    #[serde(rename = "precision")]
    _precision: Option<Precision>,
    #[serde(rename = "deterministic")]
    _deterministic: Option<bool>,
    /// Of initial weights, order of images, augmentation and dropout.
    seed: u64,
    /// Passes over the training images.
    epochs: usize,
    /// What follows a loss or gradient that is not finite.
    on_nan: OnNan,
    /// The set's classes that are to be found.
    foreground: Vec<String>,
    /// Probability above which a pixel is foreground.
    threshold: f32,
    /// Whether the texture map is the network's fourth channel.
    texture: bool,
    data: WrinkleData,
    loader: loader::Config,
    augment: augment::Config,
    model: model::Config,
    loss: loss::Config,
    optim: optim::Config,
    schedule: schedule::Config,
    warmup: Option<Warmup>,
    /// A file to begin with instead of random weights.
    weights: Option<weights::Config>,
    /// Cuts large pictures up for scoring and prediction; without this table they are seen as a whole.
    tiles: Option<detector::Tiling>,
    /// Event files; none without this table.
    log: Option<record::Config>,
    /// The part of the picture that this network sees; without it the whole.
    part: Option<Part>,
    /// A network for each of these parts instead of one.
    parts: Option<Vec<Part>>,
    /// The experiment whose newest run is scored beside the merged parts.
    whole_face: Option<String>,
    /// Where the network computes: no key of the file, but an argument of the program.
    #[serde(skip, default = "crate::device::cpu")]
    device: Device,
}

/// One of `[data.folder]` and `[data.wrinkles]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum WrinkleData {
    Folder(folder::Config),
    Wrinkles(wrinkles::Config),
}

/// Images with a mask: 1 where a wrinkle is.
type Wrinkles = Arc<dyn Dataset<1>>;

/// Background and wrinkle.
const CLASSES: usize = 2;

impl Config {
    /// The config of `settings`, its keys checked against each other.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let config = Self { device: settings.device.clone(), ..settings.parse()? };
        config.check().with_context(|| settings.place())?;
        Ok(config)
    }

    /// What no single key tells.
    fn check(&self) -> Result<()> {
        let channels = if self.texture { 4 } else { 3 };
        let model = &self.model;
        if (model.channels, model.classes) != (channels, 1) {
            bail!(
                "model.channels is {} and model.classes {}: with texture = {} the network has {channels} channels, and one class",
                model.channels,
                model.classes,
                self.texture
            );
        }
        if !(0.0..1.0).contains(&self.threshold) {
            bail!("threshold is {}; it is a probability from 0 to below 1", self.threshold);
        }
        self.loss.check()?;
        self.check_tiles()?;
        if self.parts.as_ref().is_some_and(Vec::is_empty) {
            bail!("[[parts]] is empty: name at least one part, or leave it out for one network of the whole");
        }
        // Folders of some systems do not tell upper from lower case.
        let mut names: Vec<String> =
            self.parts.iter().flatten().map(|part| part.name.to_lowercase()).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("two [[parts]] are named '{}': each needs a name of its own", twice[0]);
        }
        Ok(())
    }

    /// Tiles are windows of a picture at its own scale, large enough for the network.
    fn check_tiles(&self) -> Result<()> {
        let Some(tiles) = self.tiles else { return Ok(()) };
        if self.augment.crop.is_none() {
            bail!(
                "[tiles] needs [augment.crop]: without it the network is trained on, and sees, whole pictures at augment.size"
            );
        }
        tiles.check()
    }

    /// A split of the set: of the config's part, if it is of one.
    fn open(&self, split: Split) -> Result<Wrinkles> {
        let set: Wrinkles = match &self.data {
            WrinkleData::Folder(config) => {
                Arc::new(Foreground::new(folder::open(config, split)?, &self.foreground)?)
            }
            WrinkleData::Wrinkles(config) => {
                let set = Cached::of_rendered(wrinkles::Wrinkles::open(config, split)?, split);
                Arc::new(Foreground::new(set, &self.foreground)?)
            }
        };
        Ok(match &self.part {
            Some(part) => Arc::new(Crops::new(set, Finder::new(part)?)),
            None => set,
        })
    }
}

/// A network of constants: it records nothing for a backward pass, so its insides are freed as it goes.
fn for_inference(
    config: &Config,
    tensors: std::collections::HashMap<String, Tensor>,
) -> candle_core::Result<Unet> {
    Unet::new(&config.model, VarBuilder::from_tensors(tensors, DType::F32, &config.device))
}

/// Prints parameters and multiply-adds per level, and what memory training and prediction need: of the largest part, if the config
/// has parts.
pub(crate) fn summarise(settings: &Settings, arguments: &SummaryArguments) -> Result<()> {
    let config = Config::read(settings)?;
    if let Some(trial) = arguments.trial {
        return try_out(&config, trial);
    }
    let largest = config.parts.iter().flatten().max_by_key(|part| part.size[0] * part.size[1]);
    let (name, config) = match largest {
        Some(part) => (format!("{}, part {}", settings.name, part.name), config.of_part(part)),
        None => (settings.name.clone(), config),
    };
    let [rows, columns] = config.augment.size;
    let size = arguments.size.map_or((rows, columns), |size| size.0);
    let network = Unet::new(&config.model, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    summary::print(&name, size, &network.cost(size));
    drop(network);
    summary::print_memory(config.loader.batch, size, arguments)
}

/// Training steps or predictions on images and masks without content.
fn try_out(config: &Config, trial: Trial) -> Result<()> {
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    let network = Unet::new(&config.model, parameters.builder())?;
    if trial.work == Work::Predict {
        let network = for_inference(config, parameters.tensors().into_iter().collect())?;
        drop(parameters);
        let (height, width) = trial.size;
        let image = image::RgbImage::new(width as u32, height as u32);
        let mut whole = Config { tiles: None, ..config.clone() };
        whole.augment.size = [height, width];
        let detector = detector::Single::new(&whole, network, Default::default());
        return trial.run(|_| detector.probabilities(&image).map(drop));
    }
    let mut optimizer = config.optim.build(&parameters)?;
    let loss = config.loss.clone().with_weight(1.0);
    trial.run(|Trial { batch, size: (height, width), .. }| {
        let image = hashed_uniform("image", (batch, 3, height, width));
        let mask = Tensor::zeros((batch, height, width), DType::U8, &Device::Cpu)?;
        let batch =
            Batch { image, targets: [mask], ids: Vec::new(), epoch: 0, number: 0, waited: Duration::ZERO };
        let (loss, _) = train::forward(&network, &batch, config, &loss)?;
        Ok(optimizer.step(&backward(&loss)?, config.optim.lr())?)
    })
}
