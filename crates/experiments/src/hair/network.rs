//! The networks that a config can name.

use std::collections::HashMap;

use anyhow::{Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sconce_backbones::normalize;
use sconce_models::{HairPspNet, PspNet, WeightNames, hair_pspnet, pspnet};
use sconce_tensors::Cost;
use serde::Deserialize;

/// One of `[model.squeezenet]` and `[model.pspnet]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Model {
    /// SqueezeNet with the decoder that doubles its map three times, with pyramid pooling or without.
    Squeezenet(hair_pspnet::Config),
    /// PSPNet as published, on a dilated residual network.
    Pspnet(pspnet::Config),
}

impl Model {
    /// There is one score, and the loss reads it alone.
    pub(super) fn check(&self) -> Result<()> {
        let (name, classes) = match self {
            Self::Squeezenet(config) => ("squeezenet", config.classes),
            Self::Pspnet(config) => ("pspnet", config.classes),
        };
        if classes != 1 {
            bail!("model.{name}.classes is {classes}; hair is one class against its background: 1");
        }
        match self {
            Self::Pspnet(config) if config.auxiliary => {
                bail!("model.pspnet.auxiliary is true, but hair is trained without an auxiliary loss: false")
            }
            _ => Ok(()),
        }
    }
}

/// A network of one score for each pixel.
pub(super) enum Network {
    Squeezenet(Box<HairPspNet>),
    Pspnet(Box<PspNet>),
}

impl Network {
    pub(super) fn new(model: &Model, vb: VarBuilder) -> candle_core::Result<Self> {
        Ok(match model {
            Model::Squeezenet(config) => Self::Squeezenet(Box::new(HairPspNet::new(config, vb)?)),
            Model::Pspnet(config) => Self::Pspnet(Box::new(PspNet::new(config, vb)?)),
        })
    }

    /// Of constants: it records nothing for a backward pass, so its insides are freed as it goes.
    pub(super) fn for_inference(
        model: &Model,
        tensors: HashMap<String, Tensor>,
        device: &Device,
    ) -> candle_core::Result<Self> {
        Self::new(model, VarBuilder::from_tensors(tensors, DType::F32, device))
    }

    /// The logits (N, 1, H, W) of images (N, 3, H, W) of 0..=1.
    pub(super) fn forward_t(&self, image: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        let input = normalize(image)?;
        let output = match self {
            Self::Squeezenet(network) => network.forward_t(&input, train)?,
            Self::Pspnet(network) => network.forward_t(&input, train)?,
        };
        Ok(output.logits)
    }

    /// What files of other programs call the parameters of a model.
    pub(super) fn weight_names(model: &Model) -> WeightNames {
        match model {
            Model::Squeezenet(_) => HairPspNet::weight_names(),
            Model::Pspnet(_) => PspNet::weight_names(),
        }
    }

    /// Takes dropout's masks of `seed` from now on, those of training pass `pass` next.
    pub(super) fn restart_dropout(&self, seed: u64, pass: u64) {
        match self {
            Self::Squeezenet(network) => network.restart_dropout(seed, pass),
            Self::Pspnet(network) => network.restart_dropout(seed, pass),
        }
    }

    /// Trainable parameters and multiply-adds of each stage for one image of `size` (height, width).
    pub(super) fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        match self {
            Self::Squeezenet(network) => network.cost(size),
            Self::Pspnet(network) => network.cost(size),
        }
    }
}
