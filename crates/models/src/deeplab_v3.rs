//! DeepLabV3 (Chen, Papandreou, Schroff, Adam 2017, "Rethinking atrous convolution for semantic image
//! segmentation") in torchvision's form: output stride 8 and an auxiliary head.

use candle_core::{Context, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_backbones::resnet::{self, OutputStride};
use sconce_backbones::{Backbone, Resnet};
use sconce_heads::{Aspp, AsppConfig, Fcn};
use sconce_tensors::{Corners, Cost, Dropout, Memory, resize_bilinear};
use serde::Deserialize;

use crate::Output;
use crate::config::at_least_one;
use crate::stages::{self, four, part};

/// Everything a [`DeepLabV3`] is built from. The published widths are those of [`Config::resnet101`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Number of scores for each pixel: of classes, background included, or 1 for a foreground.
    pub classes: usize,
    /// The residual network.
    pub backbone: resnet::Config,
    /// Channels of the pyramid's branches and of both heads.
    pub width: usize,
    /// Probability with which an element of the pyramid's result is dropped in training.
    pub dropout: f64,
    /// Whether an auxiliary head reads the third stage. Inference needs none, and leaves its parameters in
    /// the file unread.
    pub auxiliary: bool,
    /// Probability with which an element before the auxiliary scores is dropped in training.
    pub auxiliary_dropout: f64,
    /// What a training step keeps of the inside of each residual block.
    pub memory: Memory,
}

impl Config {
    /// torchvision's `deeplabv3_resnet101`: 60,996,202 parameters for 21 classes, 58,630,997 of them without
    /// the auxiliary head.
    pub fn resnet101(classes: usize) -> Self {
        Self {
            classes,
            backbone: resnet::Config::Resnet101,
            width: 256,
            dropout: 0.5,
            auxiliary: true,
            auxiliary_dropout: 0.1,
            memory: Memory::Plain,
        }
    }

    /// torchvision's `deeplabv3_resnet50`.
    pub fn resnet50(classes: usize) -> Self {
        Self { backbone: resnet::Config::Resnet50, ..Self::resnet101(classes) }
    }
}

/// Dilations of the pyramid at output stride 8.
const RATES: [usize; 3] = [12, 24, 36];

/// The network. Parameters lie under the builder's prefix: `backbone.…`, `aspp.branch.0.conv.weight`,
/// `fuse.…`, `score.…`, `aux_fuse.…`, `aux_score.…`.
#[derive(Debug)]
pub struct DeepLabV3 {
    backbone: Resnet,
    aspp: Aspp,
    head: Fcn,
    auxiliary: Option<Fcn>,
}

impl DeepLabV3 {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// When a size in the config is 0, a probability is outside 0..=1 or the builder lacks a tensor.
    pub fn new(config: &Config, vb: VarBuilder) -> Result<Self> {
        let &Config { classes, width, dropout, auxiliary_dropout, .. } = config;
        at_least_one("deeplab v3", &[("classes", classes), ("width", width)])?;
        let backbone = Resnet::new(&config.backbone.dilated(OutputStride::Eight), vb.pp("backbone"))?
            .with_memory(config.memory);
        let [_, _, c4, c5] = four(backbone.levels())?.map(|level| level.channels);
        let auxiliary = || {
            let dropout = Dropout::of_elements(auxiliary_dropout, vb.pp("aux_dropout"))?;
            Fcn::new([c4, width, classes], Some(dropout), [vb.pp("aux_fuse"), vb.pp("aux_score")])
        };
        Ok(Self {
            backbone,
            aspp: Aspp::new(&AsppConfig { inputs: c5, width, rates: RATES, dropout }, vb.pp("aspp"))?,
            head: Fcn::new([width, width, classes], None, [vb.pp("fuse"), vb.pp("score")])?,
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
    /// When the image has another shape or, in training, the batch has a single image (its average leaves
    /// batch norm one value per channel).
    pub fn forward_t(&self, image: &Tensor, train: bool) -> Result<Output> {
        let (_, _, height, width) = image.dims4()?;
        let [_, _, c4, c5] = four(&self.backbone.features(image, train)?)?;
        let levels = self.backbone.levels();
        let context = self.aspp.forward_t(&c5, train).with_context(|| part("ASPP", &levels[3]))?;
        let scores = |head: &Fcn, features: &Tensor| {
            resize_bilinear(&head.forward_t(features, train)?, (height, width), Corners::HalfPixel)
        };
        let logits = scores(&self.head, &context).with_context(|| part("head", &levels[3]))?;
        let aux = self.auxiliary.as_ref().map(|head| scores(head, &c4));
        Ok(Output { logits, aux: aux.transpose().with_context(|| part("auxiliary head", &levels[2]))? })
    }

    /// Takes dropout's masks of `seed` from now on, those of training pass `pass` next: a resumed run gives
    /// its seed and the number of the training passes before.
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        self.aspp.restart_dropout(seed, pass);
        self.auxiliary.iter().for_each(|head| head.restart_dropout(seed, pass));
    }

    /// Trainable parameters and multiply-adds of each stage for one image of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let mut stages = stages::of_backbone(self.backbone.cost(size));
        let (third, coarse) = (stages[3].1.size, stages[4].1.size);
        stages.push(("ASPP".to_owned(), self.aspp.cost(coarse)));
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
            backbone = 'resnet101'
            width = 256
            dropout = 0.5
            auxiliary = true
            auxiliary-dropout = 0.1
            memory = 'plain'
        ";
        assert_eq!(toml::from_str::<Config>(text).unwrap(), Config::resnet101(21));
    }

    #[test]
    fn impossible_values_are_refused_by_name() {
        let new = |config: &Config| {
            let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
            DeepLabV3::new(config, vb).unwrap_err().to_string()
        };
        let error = new(&Config { classes: 0, ..Config::resnet50(21) });
        assert!(error.contains("deeplab v3: classes is 0"), "{error}");
        let error = new(&Config { auxiliary_dropout: -0.5, ..Config::resnet50(21) });
        assert!(error.contains("aux_dropout") && error.contains("-0.5"), "{error}");
    }
}
