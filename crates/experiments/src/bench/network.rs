//! Training steps and predictions of whole networks.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sconce_losses::{self as losses, agrnet as agrnet_loss, cross_entropy, weighted_bce};
use sconce_models::{
    Agrnet, DeepLabV3, DeepLabV3Plus, HairPspNet, Output, PspNet, Unet, agrnet, deeplab_v3, deeplab_v3_plus,
    hair_pspnet, pspnet, unet,
};
use sconce_optim::{Config as OptimConfig, sgd};
use sconce_tensors::testing::{fill, hashed_signed, hashed_uniform};
use sconce_tensors::{Cost, Memory, Parameters, backward};

use super::timing::Needs;

/// A network in its published size, by the name in the peer's script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Agrnet,
    AgrnetR50C11,
    UnetBilinear,
    UnetBilinearRecompute,
    HairPspnet,
    DeeplabV3PlusR50,
    DeeplabV3PlusR101,
    DeeplabV3R101,
    PspnetR50,
}

impl Network {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Agrnet => "agrnet",
            Self::AgrnetR50C11 => "agrnet_r50_c11",
            Self::UnetBilinear => "unet_bilinear",
            Self::UnetBilinearRecompute => "unet_bilinear_recompute",
            Self::HairPspnet => "hair_pspnet",
            Self::DeeplabV3PlusR50 => "deeplabv3plus_r50",
            Self::DeeplabV3PlusR101 => "deeplabv3plus_r101",
            Self::DeeplabV3R101 => "deeplabv3_r101",
            Self::PspnetR50 => "pspnet_r50",
        }
    }

    fn classes(self) -> usize {
        match self {
            Self::Agrnet => 19,
            Self::AgrnetR50C11 => 11,
            Self::UnetBilinear | Self::UnetBilinearRecompute | Self::HairPspnet => 1,
            Self::DeeplabV3PlusR50 | Self::DeeplabV3PlusR101 | Self::DeeplabV3R101 | Self::PspnetR50 => 21,
        }
    }

    fn build(self, vb: VarBuilder) -> candle_core::Result<Built> {
        let classes = self.classes();
        Ok(match self {
            Self::Agrnet => Built::Agrnet(Box::new(Agrnet::new(&agrnet::Config::resnet101(classes), vb)?)),
            Self::AgrnetR50C11 => {
                Built::Agrnet(Box::new(Agrnet::new(&agrnet::Config::resnet50(classes), vb)?))
            }
            Self::UnetBilinear => Built::Unet(Unet::new(&unet::Config::bilinear(classes), vb)?),
            Self::UnetBilinearRecompute => {
                let config = unet::Config { memory: Memory::Recompute, ..unet::Config::bilinear(classes) };
                Built::Unet(Unet::new(&config, vb)?)
            }
            Self::HairPspnet => Built::Hair(HairPspNet::new(&hair_pspnet::Config::pyramid(), vb)?),
            Self::DeeplabV3PlusR50 => {
                Built::V3Plus(DeepLabV3Plus::new(&deeplab_v3_plus::Config::resnet50(classes), vb)?)
            }
            Self::DeeplabV3PlusR101 => {
                Built::V3Plus(DeepLabV3Plus::new(&deeplab_v3_plus::Config::resnet101(classes), vb)?)
            }
            Self::DeeplabV3R101 => Built::V3(DeepLabV3::new(&deeplab_v3::Config::resnet101(classes), vb)?),
            Self::PspnetR50 => Built::Pspnet(PspNet::new(&pspnet::Config::resnet50(classes), vb)?),
        })
    }
}

enum Built {
    Agrnet(Box<Agrnet>),
    Unet(Unet),
    Hair(HairPspNet),
    V3Plus(DeepLabV3Plus),
    V3(DeepLabV3),
    Pspnet(PspNet),
}

impl Built {
    fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        match self {
            Self::Agrnet(network) => network.cost(size),
            Self::Unet(network) => network.cost(size),
            Self::Hair(network) => network.cost(size),
            Self::V3Plus(network) => network.cost(size),
            Self::V3(network) => network.cost(size),
            Self::Pspnet(network) => network.cost(size),
        }
    }

    /// The outputs of all but AGRNet, which has its own.
    fn output(&self, image: &Tensor, train: bool) -> candle_core::Result<Output> {
        match self {
            Self::Agrnet(network) => {
                let logits = network.forward_t(image, train)?.logits;
                Ok(Output { logits, aux: None })
            }
            Self::Unet(network) => network.forward_t(image, train),
            Self::Hair(network) => network.forward_t(image, train),
            Self::V3Plus(network) => network.forward_t(image, train),
            Self::V3(network) => network.forward_t(image, train),
            Self::Pspnet(network) => network.forward_t(image, train),
        }
    }

    /// The loss of a training step, as the peer's script takes it.
    fn loss(&self, image: &Tensor, targets: &Targets) -> candle_core::Result<Tensor> {
        let Targets { labels, edges } = targets;
        if let Self::Agrnet(network) = self {
            let agrnet::Output { logits, edge, initial, vertices } = network.forward_t(image, true)?;
            return Ok(agrnet_loss(&logits, &initial, &edge, &vertices, labels, edges, &WEIGHTS)?.total);
        }
        let Output { logits, aux } = self.output(image, true)?;
        if logits.dim(1)? == 1 {
            return weighted_bce(&logits, labels, 3.0, IGNORE);
        }
        let loss = cross_entropy(&logits, labels, IGNORE)?;
        match aux {
            Some(aux) => loss + (0.4 * cross_entropy(&aux, labels, IGNORE)?)?,
            None => Ok(loss),
        }
    }
}

const WEIGHTS: losses::agrnet::Config =
    losses::agrnet::Config { parsing: 1., edge: 1., boundary: 1., distance: 0.5, all_vertices: true };

/// A label that no pixel has here.
const IGNORE: u8 = 255;

/// Random labels and edges for every pixel.
struct Targets {
    labels: Tensor,
    edges: Tensor,
}

/// What can be run over and over.
pub(super) struct Job<W> {
    /// Of the input.
    pub(super) shape: Vec<usize>,
    pub(super) needs: Needs,
    pub(super) work: W,
}

/// Gradients set to none, forward and backward pass, and a step of SGD.
pub(super) fn train(
    network: Network,
    [n, h, w]: [usize; 3],
    device: &Device,
) -> Result<Job<impl FnMut() -> candle_core::Result<()>>> {
    let parameters = Parameters::new(0, device);
    let built = network.build(parameters.builder())?;
    fill(&parameters)?;
    let config = sgd::Config { lr: 1e-4, momentum: 0.9, weight_decay: 5e-4, nesterov: false };
    let lr = config.lr;
    let mut optimizer = OptimConfig::Sgd(config).build(&parameters)?;
    let image = hashed_signed("image", (n, 3, h, w), 2.).to_device(device)?;
    let labels = (hashed_uniform("labels", (n, h, w)) * network.classes().max(2) as f64)?
        .to_dtype(DType::U8)?
        .to_device(device)?;
    let edges = hashed_uniform("edges", (n, h, w)).lt(0.1)?.to_device(device)?;
    let targets = Targets { labels, edges };
    let multiply_adds = 3.0 * n as f64 * total(&built.cost((h, w)));
    let (shape, needs) = (image.dims().to_vec(), Needs { multiply_adds, bytes: None });
    let work = move || {
        let loss = built.loss(&image, &targets)?;
        optimizer.step(&backward(&loss)?, lr)?;
        image.device().synchronize()
    };
    Ok(Job { shape, needs, work })
}

/// A prediction that keeps nothing for a backward pass.
pub(super) fn infer(
    network: Network,
    [n, h, w]: [usize; 3],
    device: &Device,
) -> Result<Job<impl FnMut() -> candle_core::Result<()>>> {
    let parameters = Parameters::new(0, device);
    network.build(parameters.builder())?;
    fill(&parameters)?;
    let tensors = parameters.tensors().into_iter().collect();
    drop(parameters);
    let built = network.build(VarBuilder::from_tensors(tensors, DType::F32, device))?;
    let image = hashed_signed("image", (n, 3, h, w), 2.).to_device(device)?;
    let multiply_adds = n as f64 * total(&built.cost((h, w)));
    let (shape, needs) = (image.dims().to_vec(), Needs { multiply_adds, bytes: None });
    let work = move || {
        built.output(&image, false)?;
        image.device().synchronize()
    };
    Ok(Job { shape, needs, work })
}

fn total(stages: &[(String, Cost)]) -> f64 {
    stages.iter().map(|(_, cost)| cost.multiply_adds as f64).sum()
}
