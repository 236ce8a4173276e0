//! The hair network of the Figaro-1k experiments: pyramid pooling (Zhao et al. 2017, "Pyramid scene parsing
//! network") on a SqueezeNet, and a decoder that doubles the map three times.
//!
//! Its averages pass plain 1x1 convolutions, without norm. Without the pyramid it is the fully convolutional
//! network that shows what the pyramid brings.

use candle_core::{Context, Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_backbones::squeezenet::Version;
use sconce_backbones::{Backbone, Squeezenet};
use sconce_heads::{BINS, Doubling, PyramidPooling};
use sconce_tensors::{Conv2d, Conv2dConfig, Corners, Cost, Dropout, resize_bilinear};
use serde::Deserialize;

use crate::Output;
use crate::config::at_least_one;
use crate::stages::{self, four, part};

/// Everything a [`HairPspNet`] is built from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Which SqueezeNet: that of the published experiments is 1.1.
    pub version: Version,
    /// Number of scores for each pixel: 1 for hair, or of classes, background included.
    pub classes: usize,
    /// Whether the decoder sees pooled maps beside the features.
    pub pyramid: bool,
    /// Probability with which a channel before the decoder is dropped in training.
    pub context_dropout: f64,
    /// Probability with which a channel after each step of the decoder is dropped in training.
    pub decoder_dropout: f64,
}

impl Config {
    /// The network with its pyramid on SqueezeNet 1.1: 3,529,601 parameters.
    pub fn pyramid() -> Self {
        Self {
            version: Version::V1_1,
            classes: 1,
            pyramid: true,
            context_dropout: 0.3,
            decoder_dropout: 0.15,
        }
    }

    /// The fully convolutional network without: 2,087,297 parameters.
    pub fn fcn() -> Self {
        Self { pyramid: false, ..Self::pyramid() }
    }
}

/// Channels of each pooled map.
const PYRAMID_WIDTH: usize = 128;

/// Channels after each step of the decoder.
const DECODER_WIDTHS: [usize; 3] = [256, 64, 64];

/// The network. Parameters lie under the builder's prefix: `backbone.features.0.weight`, `pyramid.0.weight`,
/// `up.0.conv.weight`, `score.bias`.
#[derive(Debug)]
pub struct HairPspNet {
    backbone: Squeezenet,
    pyramid: Option<PyramidPooling>,
    dropout: Dropout,
    decoder: Doubling,
    score: Conv2d,
}

impl HairPspNet {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// When there is no class, a probability is outside 0..=1 or the builder lacks a tensor.
    pub fn new(config: &Config, vb: VarBuilder) -> Result<Self> {
        let &Config { version, classes, pyramid, context_dropout, decoder_dropout } = config;
        at_least_one("hair pspnet", &[("classes", classes)])?;
        let backbone = Squeezenet::new(version, vb.pp("backbone"))?;
        let inputs = four(backbone.levels())?[3].channels;
        let pooling = || PyramidPooling::plain(inputs, PYRAMID_WIDTH, &BINS, vb.pp("pyramid"));
        let joined = if pyramid { inputs + BINS.len() * PYRAMID_WIDTH } else { inputs };
        let [.., width] = DECODER_WIDTHS;
        Ok(Self {
            backbone,
            pyramid: pyramid.then(pooling).transpose()?,
            dropout: Dropout::of_channels(context_dropout, vb.pp("dropout"))?,
            decoder: Doubling::new(joined, &DECODER_WIDTHS, decoder_dropout, vb.pp("up"))?,
            score: Conv2d::with_bias(width, classes, 1, Conv2dConfig::default(), vb.pp("score"))?,
        })
    }

    /// The network's scores for `image`. With `train`, batch norm uses the batch's statistics and updates the
    /// running ones, and dropout draws its next masks.
    ///
    /// The decoder's map, somewhat smaller than half the image, is scored before it is resized: a weighted
    /// sum of channels and one of pixels may change places, and one score is less to resize than 64 channels.
    ///
    /// # Shapes
    ///
    /// `image` (N, 3, H, W), normalised; H and W at least 17 (21 on SqueezeNet 1.0) and not necessarily multiples of anything.
    ///
    /// # Errors
    ///
    /// When the image has another shape.
    pub fn forward_t(&self, image: &Tensor, train: bool) -> Result<Output> {
        let (_, _, height, width) = image.dims4()?;
        let [.., features] = four(&self.backbone.features(image, train)?)?;
        let level = self.backbone.levels()[3];
        let context = self.context(features, train).with_context(|| part("pyramid pooling", &level))?;
        let decoded = self.decoder.forward_t(&context, train).context("decoder")?;
        let logits = resize_bilinear(&self.score.forward(&decoded)?, (height, width), Corners::HalfPixel)?;
        Ok(Output { logits, aux: None })
    }

    /// Takes dropout's masks of `seed` from now on, those of training pass `pass` next: a resumed run gives
    /// its seed and the number of the training passes before.
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        self.dropout.restart(seed, pass);
        self.decoder.restart_dropout(seed, pass);
    }

    /// Trainable parameters and multiply-adds of each stage for one image of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let mut stages = stages::of_backbone(self.backbone.cost(size));
        let coarse = stages[3].1.size;
        if let Some(pyramid) = &self.pyramid {
            stages.push(("pyramid pooling".to_owned(), pyramid.cost(coarse)));
        }
        let decoder = self.decoder.cost(coarse);
        stages.push(("decoder".to_owned(), Cost::sum([decoder, self.score.cost(decoder.size)], size)));
        stages
    }

    fn context(&self, features: Tensor, train: bool) -> Result<Tensor> {
        let context = match &self.pyramid {
            Some(pyramid) => pyramid.forward_t(&features, train)?,
            None => features,
        };
        self.dropout.forward_t(&context, train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn a_config_is_read() {
        let text =
            "version = '1.1'\nclasses = 1\npyramid = false\ncontext-dropout = 0.3\ndecoder-dropout = 0.15";
        assert_eq!(toml::from_str::<Config>(text).unwrap(), Config::fcn());
    }

    #[test]
    fn impossible_values_are_refused_by_name() {
        let new = |config: &Config| {
            let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
            HairPspNet::new(config, vb).unwrap_err().to_string()
        };
        let error = new(&Config { classes: 0, ..Config::pyramid() });
        assert!(error.contains("hair pspnet: classes is 0"), "{error}");
        let error = new(&Config { decoder_dropout: 1.5, ..Config::pyramid() });
        assert!(error.contains("up.0.dropout") && error.contains("1.5"), "{error}");
    }
}
