//! The networks that a config can name, as one.

use std::collections::HashMap;

use anyhow::{Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sconce_backbones::resnet::OutputStride;
use sconce_models::{
    DeepLabV3, DeepLabV3Plus, HairPspNet, Output, PspNet, WeightNames, deeplab_v3, deeplab_v3_plus,
    hair_pspnet, pspnet,
};
use sconce_tensors::Cost;
use serde::Deserialize;

/// One of `[model.deeplab-v3-plus]`, `[model.deeplab-v3]`, `[model.pspnet]` and `[model.squeezenet]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Model {
    #[serde(rename = "deeplab-v3-plus")]
    DeepLabV3Plus(deeplab_v3_plus::Config),
    #[serde(rename = "deeplab-v3")]
    DeepLabV3(deeplab_v3::Config),
    #[serde(rename = "pspnet")]
    PspNet(pspnet::Config),
    /// The light network of the hair experiments, with scores of all classes.
    #[serde(rename = "squeezenet")]
    Squeezenet(hair_pspnet::Config),
}

impl Model {
    pub(super) fn classes(&self) -> usize {
        match self {
            Self::DeepLabV3Plus(config) => config.classes,
            Self::DeepLabV3(config) => config.classes,
            Self::PspNet(config) => config.classes,
            Self::Squeezenet(config) => config.classes,
        }
    }

    /// Whether the network has an auxiliary head.
    fn auxiliary(&self) -> bool {
        match self {
            Self::DeepLabV3Plus(_) | Self::Squeezenet(_) => false,
            Self::DeepLabV3(config) => config.auxiliary,
            Self::PspNet(config) => config.auxiliary,
        }
    }

    /// An error unless there is a weight for the auxiliary head's loss if and only if there is a head.
    pub(super) fn check_auxiliary(&self, weight: Option<f64>) -> Result<()> {
        match (self.auxiliary(), weight) {
            (true, None) => bail!(
                "auxiliary-loss is missing: the network has an auxiliary head, and its loss needs a weight, such as 0.4; or set \
                 model.….auxiliary = false"
            ),
            (false, Some(weight)) => bail!(
                "auxiliary-loss is {weight}, but the network has no auxiliary head: take the key out, or set model.….auxiliary = true \
                 where the network can have one"
            ),
            (true, Some(weight)) if !(weight >= 0.0 && weight.is_finite()) => {
                bail!("auxiliary-loss is {weight}, it must be 0 or more")
            }
            _ => Ok(()),
        }
    }

    /// The same network without what only training needs.
    fn for_inference(&self) -> Self {
        match self {
            Self::DeepLabV3Plus(config) => Self::DeepLabV3Plus(config.clone()),
            Self::DeepLabV3(config) => {
                Self::DeepLabV3(deeplab_v3::Config { auxiliary: false, ..config.clone() })
            }
            Self::PspNet(config) => Self::PspNet(pspnet::Config { auxiliary: false, ..config.clone() }),
            Self::Squeezenet(config) => Self::Squeezenet(config.clone()),
        }
    }

    /// What files of other programs call the network's parameters.
    pub(super) fn weight_names(&self) -> WeightNames {
        match self {
            Self::DeepLabV3Plus(_) => DeepLabV3Plus::weight_names(),
            Self::DeepLabV3(_) => DeepLabV3::weight_names(),
            Self::PspNet(_) => PspNet::weight_names(),
            Self::Squeezenet(_) => HairPspNet::weight_names(),
        }
    }

    /// Pixels of a picture per pixel of the coarsest level, with a stem of stride 4.
    pub(super) fn stride(&self) -> usize {
        match self {
            Self::DeepLabV3(_) | Self::PspNet(_) => 8,
            Self::Squeezenet(_) => 16,
            Self::DeepLabV3Plus(config) => match config.output_stride {
                OutputStride::Eight => 8,
                OutputStride::Sixteen => 16,
                OutputStride::ThirtyTwo => 32,
            },
        }
    }
}

/// A network that gives scores of classes at the size of its image.
pub(super) enum Network {
    DeepLabV3Plus(Box<DeepLabV3Plus>),
    DeepLabV3(Box<DeepLabV3>),
    PspNet(Box<PspNet>),
    Squeezenet(Box<HairPspNet>),
}

impl Network {
    pub(super) fn new(model: &Model, vb: VarBuilder) -> candle_core::Result<Self> {
        Ok(match model {
            Model::DeepLabV3Plus(config) => Self::DeepLabV3Plus(Box::new(DeepLabV3Plus::new(config, vb)?)),
            Model::DeepLabV3(config) => Self::DeepLabV3(Box::new(DeepLabV3::new(config, vb)?)),
            Model::PspNet(config) => Self::PspNet(Box::new(PspNet::new(config, vb)?)),
            Model::Squeezenet(config) => Self::Squeezenet(Box::new(HairPspNet::new(config, vb)?)),
        })
    }

    /// A network of constants: it records nothing for a backward pass, so its insides are freed as it goes.
    pub(super) fn for_inference(
        model: &Model,
        tensors: HashMap<String, Tensor>,
        device: &Device,
    ) -> candle_core::Result<Self> {
        let vb = VarBuilder::from_tensors(tensors, DType::F32, device);
        Self::new(&model.for_inference(), vb)
    }

    pub(super) fn forward_t(&self, image: &Tensor, train: bool) -> candle_core::Result<Output> {
        match self {
            Self::DeepLabV3Plus(network) => network.forward_t(image, train),
            Self::DeepLabV3(network) => network.forward_t(image, train),
            Self::PspNet(network) => network.forward_t(image, train),
            Self::Squeezenet(network) => network.forward_t(image, train),
        }
    }

    pub(super) fn restart_dropout(&self, seed: u64, pass: u64) {
        match self {
            Self::DeepLabV3Plus(network) => network.restart_dropout(seed, pass),
            Self::DeepLabV3(network) => network.restart_dropout(seed, pass),
            Self::PspNet(network) => network.restart_dropout(seed, pass),
            Self::Squeezenet(network) => network.restart_dropout(seed, pass),
        }
    }

    pub(super) fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        match self {
            Self::DeepLabV3Plus(network) => network.cost(size),
            Self::DeepLabV3(network) => network.cost(size),
            Self::PspNet(network) => network.cost(size),
            Self::Squeezenet(network) => network.cost(size),
        }
    }
}
