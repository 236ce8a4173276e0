//! PSPNet (Zhao, Shi, Qi, Wang, Jia 2017, "Pyramid scene parsing network") with deep supervision.
//!
//! Pyramid pooling reads the coarsest level of a residual network whose last two stages are dilated instead
//! of strided; an auxiliary head reads the third stage.

use candle_core::{Context, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_backbones::{Backbone, Resnet, resnet};
use sconce_heads::{BINS, Fcn, Pooling, PyramidPooling};
use sconce_tensors::{Activation, Corners, Cost, Dropout, Memory, resize_bilinear};
use serde::Deserialize;

use crate::Output;
use crate::config::at_least_one;
use crate::stages::{self, four, part};

/// Everything a [`PspNet`] is built from. The published widths are those of [`Config::resnet50`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Number of scores for each pixel: of classes, background included, or 1 for a foreground.
    pub classes: usize,
    /// The residual network.
    pub backbone: resnet::Config,
    /// Cells a side of each pooled map; published: 1, 2, 3 and 6.
    pub bins: Vec<usize>,
    /// What a cell becomes of the features; published: their average.
    pub pooling: Pooling,
    /// Channels of each pooled map and before the scores.
    pub width: usize,
    /// Whether an auxiliary head reads the third stage. Inference needs none, and leaves its parameters in
    /// the file unread.
    pub auxiliary: bool,
    /// Channels before the auxiliary scores.
    pub auxiliary_width: usize,
    /// Probability with which a channel before the scores is dropped in training, in both heads.
    pub dropout: f64,
    /// What a training step keeps of the inside of each residual block.
    pub memory: Memory,
}

impl Config {
    /// The published widths: 49,081,578 parameters for 21 classes, 46,716,373 of them without the auxiliary
    /// head.
    pub fn resnet50(classes: usize) -> Self {
        Self {
            classes,
            backbone: resnet::Config::Resnet50,
            bins: BINS.to_vec(),
            pooling: Pooling::Average,
            width: 512,
            auxiliary: true,
            auxiliary_width: 256,
            dropout: 0.1,
            memory: Memory::Plain,
        }
    }

    /// The same on a residual network of depth 101: 68,073,706 parameters for 21 classes.
    pub fn resnet101(classes: usize) -> Self {
        Self { backbone: resnet::Config::Resnet101, ..Self::resnet50(classes) }
    }
}

/// The network. Parameters lie under the builder's prefix: `backbone.…`, `pyramid.0.conv.weight`, `fuse.…`,
/// `score.…`, `aux_fuse.…`, `aux_score.…`.
#[derive(Debug)]
pub struct PspNet {
    backbone: Resnet,
    pyramid: PyramidPooling,
    head: Fcn,
    auxiliary: Option<Fcn>,
}

impl PspNet {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// When a size in the config is 0, there are no bins, the probability is outside 0..=1 or the builder lacks a tensor.
    pub fn new(config: &Config, vb: VarBuilder) -> Result<Self> {
        let &Config { classes, width, auxiliary_width, .. } = config;
        let sizes = [("classes", classes), ("width", width), ("auxiliary-width", auxiliary_width)];
        at_least_one("pspnet", &sizes)?;
        let backbone = Resnet::new(&config.backbone.deep(), vb.pp("backbone"))?.with_memory(config.memory);
        let [_, _, c4, c5] = four(backbone.levels())?.map(|level| level.channels);
        let head = |channels, prefix: &str| {
            let name = |part: &str| vb.pp(format!("{prefix}{part}"));
            let dropout = Dropout::of_channels(config.dropout, name("dropout"))?;
            Fcn::new(channels, Some(dropout), [name("fuse"), name("score")])
        };
        let auxiliary = || head([c4, auxiliary_width, classes], "aux_");
        Ok(Self {
            backbone,
            pyramid: PyramidPooling::normalised(c5, width, &config.bins, Activation::Relu, vb.pp("pyramid"))?
                .with_pooling(config.pooling),
            head: head([c5 + config.bins.len() * width, width, classes], "")?,
            auxiliary: config.auxiliary.then(auxiliary).transpose()?,
        })
    }

    /// The network's scores for `image`. With `train`, batch norm uses the batch's statistics and updates the
    /// running ones, and dropout draws its next masks.
    ///
    /// # Shapes
    ///
    /// `image` (N, 3, H, W), normalised; H and W need not be multiples of anything.
    ///
    /// # Errors
    ///
    /// When the image has another shape or, in training, the batch has a single image (pyramid pooling's 1x1
    /// bin leaves batch norm one value per channel).
    pub fn forward_t(&self, image: &Tensor, train: bool) -> Result<Output> {
        let (_, _, height, width) = image.dims4()?;
        let [_, _, c4, c5] = four(&self.backbone.features(image, train)?)?;
        let levels = self.backbone.levels();
        let context =
            self.pyramid.forward_t(&c5, train).with_context(|| part("pyramid pooling", &levels[3]))?;
        let scores = |head: &Fcn, features: &Tensor| {
            resize_bilinear(&head.forward_t(features, train)?, (height, width), Corners::Aligned)
        };
        let logits = scores(&self.head, &context).with_context(|| part("head", &levels[3]))?;
        let aux = self.auxiliary.as_ref().map(|head| scores(head, &c4));
        Ok(Output { logits, aux: aux.transpose().with_context(|| part("auxiliary head", &levels[2]))? })
    }

    /// Takes dropout's masks of `seed` from now on, those of training pass `pass` next: a resumed run gives
    /// its seed and the number of the training passes before.
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        let heads = [Some(&self.head), self.auxiliary.as_ref()];
        heads.into_iter().flatten().for_each(|head| head.restart_dropout(seed, pass));
    }

    /// Trainable parameters and multiply-adds of each stage for one image of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let mut stages = stages::of_backbone(self.backbone.cost(size));
        let (third, coarse) = (stages[3].1.size, stages[4].1.size);
        stages.push(("pyramid pooling".to_owned(), self.pyramid.cost(coarse)));
        stages.push(("head".to_owned(), Cost { size, ..self.head.cost(coarse) }));
        if let Some(auxiliary) = &self.auxiliary {
            stages.push(("auxiliary head".to_owned(), Cost { size, ..auxiliary.cost(third) }));
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn a_config_is_read() {
        let text = "
            classes = 21
            backbone = 'resnet50'
            bins = [1, 2, 3, 6]
            pooling = 'average'
            width = 512
            auxiliary = true
            auxiliary-width = 256
            dropout = 0.1
            memory = 'plain'
        ";
        assert_eq!(toml::from_str::<Config>(text).unwrap(), Config::resnet50(21));
    }

    #[test]
    fn impossible_values_are_refused_by_name() {
        let new = |config: &Config| {
            let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
            PspNet::new(config, vb).unwrap_err().to_string()
        };
        let error = new(&Config { auxiliary_width: 0, ..Config::resnet50(21) });
        assert!(error.contains("pspnet: auxiliary-width is 0"), "{error}");
        let error = new(&Config { bins: vec![1, 0], ..Config::resnet50(21) });
        assert!(error.contains("bins are [1, 0]"), "{error}");
        let error = new(&Config { dropout: f64::NAN, ..Config::resnet50(21) });
        assert!(error.contains("probability NaN"), "{error}");
    }
}
