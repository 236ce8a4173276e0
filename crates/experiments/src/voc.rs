//! Segmentation into classes, PASCAL VOC's above all: what `configs/voc*.toml` hold, and the parts that training, scoring and prediction
//! share.

pub(crate) mod evaluate;
mod memory;
mod network;
pub(crate) mod predict;
mod refine;
mod tables;
mod tally;
pub(crate) mod train;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use image::{GrayImage, RgbImage};
use sconce_data::{Batch, Cached, Dataset, OnlyLabels, Split, augment, folder, loader, shapes, voc};
use sconce_losses::classes as loss;
use sconce_models::WeightNames;
use sconce_optim::plateau::Mode;
use sconce_optim::{self as optim, Warmup, group, schedule};
use sconce_runs::{Colour, Run, Which, palette};
use sconce_tensors::testing::hashed_uniform;
use sconce_tensors::{Parameters, Precision, backward, label_map};
use serde::Deserialize;

use crate::cli::SummaryArguments;
use crate::estimate::{Trial, Work};
use crate::nan_watch::OnNan;
use crate::record;
use crate::settings::{Experiment, Settings};
use crate::{summary, weights};
use network::{Model, Network};
use refine::{Crf, Maps};
use view::{Looks, View};

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
    /// Weight of the auxiliary head's loss, 0 or more; for networks that have such a head, and only for them.
    auxiliary_loss: Option<f64>,
    /// What a plateau watches; needed with `[schedule.plateau]`, and only there.
    plateau_on: Option<Watched>,
    data: ClassData,
    loader: loader::Config,
    augment: augment::Config,
    model: Model,
    loss: loss::Config,
    optim: optim::Config,
    /// Parameters with a rate of their own, such as new modules beside a trained backbone; none without these tables.
    #[serde(default)]
    groups: Vec<group::Config>,
    schedule: schedule::Config,
    warmup: Option<Warmup>,
    /// A file to begin with instead of random weights.
    weights: Option<weights::Config>,
    /// How scoring and prediction look at a picture; without this table once, as a whole.
    test: Option<Looks>,
    /// Refines the result; without this table nothing does.
    crf: Option<Crf>,
    /// Event files; none without this table.
    log: Option<record::Config>,
    /// Where the network computes: no key of the file, but an argument of the program.
    #[serde(skip, default = "crate::device::cpu")]
    device: Device,
}

/// A number of every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Watched {
    /// The mean of the steps' losses, which falls as long as the network learns its training images by heart.
    TrainingLoss,
    /// The mean of the held-out images' losses.
    ValidationLoss,
    /// Of the held-out images.
    MeanIou,
}

/// One of `[data.voc]`, `[data.shapes]` and `[data.folder]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum ClassData {
    Voc(voc::Config),
    Shapes(shapes::Config),
    Folder(folder::Config),
}

/// Images with a label map.
type Labelled = Arc<dyn Dataset<1>>;

impl Config {
    /// The config of `settings`, its keys checked against each other.
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let config = Self { device: settings.device.clone(), ..settings.parse()? };
        config.check().with_context(|| settings.place())?;
        Ok(config)
    }

    /// What no single key tells.
    fn check(&self) -> Result<()> {
        self.model.check_auxiliary(self.auxiliary_loss)?;
        self.loss.check()?;
        self.check_plateau()?;
        if let Some(looks) = &self.test {
            looks.check(self.augment.crop.is_some())?;
        }
        self.crf.iter().try_for_each(Crf::check)?;
        Ok(())
    }

    /// A plateau must know what it watches, and which way that gets better.
    fn check_plateau(&self) -> Result<()> {
        match (&self.schedule, self.plateau_on) {
            (schedule::Config::Plateau(_), None) => bail!(
                "plateau-on is missing: with [schedule.plateau] name \"training-loss\", \"validation-loss\" or \"mean-iou\""
            ),
            (schedule::Config::Plateau(plateau), Some(watched)) => {
                let (mode, word) = match watched {
                    Watched::TrainingLoss | Watched::ValidationLoss => (Mode::Min, "min"),
                    Watched::MeanIou => (Mode::Max, "max"),
                };
                if plateau.mode != mode {
                    bail!("schedule.plateau.mode must be \"{word}\" for what plateau-on names");
                }
                Ok(())
            }
            (_, Some(_)) => bail!("plateau-on needs [schedule.plateau]: take the key out"),
            (_, None) => Ok(()),
        }
    }

    fn open(&self, split: Split) -> Result<Labelled> {
        let set: Labelled = match &self.data {
            ClassData::Voc(config) => Arc::new(voc::open(config, split)?),
            ClassData::Shapes(config) => {
                Arc::new(Cached::of_rendered(shapes::Shapes::open(config, split)?, split))
            }
            ClassData::Folder(config) => Arc::new(OnlyLabels(folder::open(config, split)?)),
        };
        if set.classes().len() != self.model.classes() {
            bail!(
                "the model's classes are {} but the data set has {} classes: {}",
                self.model.classes(),
                set.classes().len(),
                set.classes().join(", ")
            );
        }
        Ok(set)
    }

    /// Height and width of the images the network is trained on.
    fn size(&self) -> (usize, usize) {
        (self.augment.size[0], self.augment.size[1])
    }
}

/// A network with the weights of a run's checkpoint, and how it is used.
struct Trained {
    network: Network,
    view: View,
    crf: Option<Crf>,
    path: PathBuf,
}

impl Trained {
    fn load(config: &Config, run: &Run, which: &Which) -> Result<Self> {
        let loaded = run.checkpoints().load_part(which, "model.", &config.device)?;
        if let Some(warning) = &loaded.warning {
            eprintln!("warning: {warning}; using {}", loaded.path.display());
        }
        let network = Network::for_inference(&config.model, loaded.checkpoint.part("model."), &config.device)
            .map_err(|error| loaded.foreign(format!("its weights do not fit the config: {error}")))?;
        Ok(Self { network, view: View::of(config), crf: config.crf, path: loaded.path })
    }

    /// The label maps of a picture at its own size, and the network's probabilities (1, classes, H, W).
    fn maps(&self, image: &RgbImage) -> Result<(Maps, Tensor)> {
        let probabilities = self.view.probabilities(&self.network, image)?;
        Ok((Maps::new(self.crf.as_ref(), image, &probabilities)?, probabilities))
    }
}

/// Colours of the label maps: VOC's own for its number of classes.
fn colours(classes: usize) -> Vec<Colour> {
    match classes == voc::CLASSES.len() {
        true => voc::PALETTE[..classes].to_vec(),
        false => palette(classes),
    }
}

/// The best class of every pixel of one image's scores (1, classes, H, W).
fn labels(scores: &Tensor) -> Result<GrayImage> {
    let (_, _, height, width) = scores.dims4()?;
    let labels = label_map(scores)?.flatten_all()?.to_vec1::<u8>()?;
    GrayImage::from_raw(u32::try_from(width)?, u32::try_from(height)?, labels)
        .context("a label map of the image's size")
}

/// What files of other programs call the parameters of the config's network.
pub(crate) fn weight_names(settings: &Settings) -> Result<WeightNames> {
    Ok(Config::read(settings)?.model.weight_names())
}

/// Prints parameters and multiply-adds per stage, and what memory training and prediction need.
pub(crate) fn summarise(settings: &Settings, arguments: &SummaryArguments) -> Result<()> {
    let config = Config::read(settings)?;
    if let Some(trial) = arguments.trial {
        return try_out(&config, trial);
    }
    let size = arguments.size.map_or(config.size(), |size| size.0);
    let network = Network::new(&config.model, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    summary::print(&settings.name, size, &network.cost(size));
    drop(network);
    summary::print_memory(config.loader.batch, size, arguments)
}

/// Training steps or predictions on images and labels without content.
fn try_out(config: &Config, trial: Trial) -> Result<()> {
    let parameters = Parameters::new(config.seed, &Device::Cpu);
    let network = Network::new(&config.model, parameters.builder())?;
    if trial.work == Work::Predict {
        let tensors = parameters.tensors().into_iter().collect();
        let network = Network::for_inference(&config.model, tensors, &config.device)?;
        drop(parameters);
        let mut whole = config.clone();
        (whole.augment.crop, whole.augment.size) = (None, [trial.size.0, trial.size.1]);
        let (view, image) = (View::plain(&whole), RgbImage::new(trial.size.1 as u32, trial.size.0 as u32));
        return trial.run(|_| view.logits(&network, &image).map(drop));
    }
    let mut optimizer = config.optim.build_grouped(&config.groups, &parameters)?;
    trial.run(|Trial { batch, size: (height, width), .. }| {
        let image = hashed_uniform("image", (batch, 3, height, width));
        let labels = Tensor::zeros((batch, height, width), DType::U8, &Device::Cpu)?;
        let targets = [labels];
        let batch = Batch { image, targets, ids: Vec::new(), epoch: 0, number: 0, waited: Duration::ZERO };
        let (loss, _) = train::losses(&network, &batch, config)?;
        Ok(optimizer.step(&backward(&loss)?, config.optim.lr())?)
    })
}
