//! Hair segmentation: what `configs/figaro*.toml` hold, and the parts that training, scoring and prediction share.

pub(crate) mod evaluate;
mod network;
pub(crate) mod predict;
mod recolour;
mod scores;
mod segmenter;
mod set;
mod tables;
pub(crate) mod train;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sconce_data::{Batch, augment, loader};
use sconce_losses::foreground as loss;
use sconce_models::WeightNames;
use sconce_optim::{self as optim, Warmup, group, plateau, schedule};
use sconce_tensors::testing::hashed_uniform;
use sconce_tensors::{Parameters, Precision, backward};
use serde::Deserialize;

use crate::cli::SummaryArguments;
use crate::estimate::{Trial, Work};
use crate::nan_watch::OnNan;
use crate::record;
use crate::settings::{Experiment, Settings};
use crate::{summary, weights};
use network::{Model, Network};
use segmenter::Segmenter;

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
    /// The set's classes that are hair.
    foreground: Vec<String>,
    /// Probability above which a pixel is hair.
    threshold: f32,
    data: set::Data,
    loader: loader::Config,
    augment: augment::Config,
    model: Model,
    /// What a new run begins with; without this table the seed's weights.
    weights: Option<weights::Config>,
    loss: loss::Config,
    optim: optim::Config,
    /// Parameters with a rate of their own, by the beginnings of their names, such as `backbone`.
    groups: Option<Vec<group::Config>>,
    schedule: schedule::Config,
    warmup: Option<Warmup>,
    /// Event files; none without this table.
    log: Option<record::Config>,
    /// Where the network computes: no key of the file, but an argument of the program.
    #[serde(skip, default = "crate::device::cpu")]
    device: Device,
}

/// What files of other programs call the parameters of the network.
pub(crate) fn weight_names(settings: &Settings) -> Result<WeightNames> {
    Ok(Network::weight_names(&Config::read(settings)?.model))
}

/// Background and hair.
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
        self.model.check()?;
        if !(0.0..1.0).contains(&self.threshold) {
            bail!("threshold is {}; it is a probability from 0 to below 1", self.threshold);
        }
        self.loss.check()?;
        if self.loss.is_auto() {
            bail!(
                "loss.weighted-bce.foreground-weight is \"auto\"; hair is no rare class, give a number such as 1.0"
            );
        }
        if let schedule::Config::Plateau(plateau) = &self.schedule
            && plateau.mode != plateau::Mode::Min
        {
            bail!(
                "schedule.plateau.mode must be \"min\": the plateau watches the loss of the held-out images"
            );
        }
        Ok(())
    }

    /// Training windows are no smaller than what the network can halve.
    fn check_size(&self) -> Result<()> {
        let [rows, columns] = self.augment.size;
        if rows.min(columns) < SMALLEST {
            bail!(
                "augment.size is {rows} x {columns} pixels (rows x columns); the network needs at least {SMALLEST} x {SMALLEST}"
            );
        }
        Ok(())
    }
}

/// Rows and columns that every backbone can halve four times.
const SMALLEST: usize = 32;

/// Prints parameters and multiply-adds per level, and what memory training and prediction need.
pub(crate) fn summarise(settings: &Settings, arguments: &SummaryArguments) -> Result<()> {
    let config = Config::read(settings)?;
    if let Some(trial) = arguments.trial {
        return try_out(&config, trial);
    }
    let [rows, columns] = config.augment.size;
    let size = arguments.size.map_or((rows, columns), |size| size.0);
    let network = Network::new(&config.model, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    summary::print(&settings.name, size, &network.cost(size));
    drop(network);
    summary::print_memory(config.loader.batch, size, arguments)
}

/// Training steps or predictions on images and masks without content.
fn try_out(config: &Config, trial: Trial) -> Result<()> {
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    let network = Network::new(&config.model, parameters.builder())?;
    if trial.work == Work::Predict {
        let tensors = parameters.tensors().into_iter().collect();
        drop((network, parameters));
        let (height, width) = trial.size;
        let mut whole = config.clone();
        whole.augment.size = [height, width];
        let segmenter = Segmenter::new(
            &whole,
            Network::for_inference(&config.model, tensors, &config.device)?,
            Default::default(),
        );
        let image = image::RgbImage::new(width as u32, height as u32);
        return trial.run(|_| segmenter.probabilities(&image).map(drop));
    }
    let mut optimizer = config.optim.build(&parameters)?;
    trial.run(|Trial { batch, size: (height, width), .. }| {
        let image = hashed_uniform("image", (batch, 3, height, width));
        let mask = Tensor::zeros((batch, height, width), DType::U8, &Device::Cpu)?;
        let batch =
            Batch { image, targets: [mask], ids: Vec::new(), epoch: 0, number: 0, waited: Duration::ZERO };
        let (loss, _) = train::forward(&network, &batch, &config.loss).context("a training step")?;
        Ok(optimizer.step(&backward(&loss)?, config.optim.lr())?)
    })
}
