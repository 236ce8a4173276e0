//! DeepLabV3+ (Chen, Zhu, Papandreou, Schroff, Adam 2018, "Encoder-decoder with atrous separable convolution
//! for semantic image segmentation"), on a residual network and, as in the common reimplementations, with one
//! plain 3x3 convolution in its decoder.
//!
//! Atrous spatial pyramid pooling reads the coarsest level; a decoder puts the result beside the finest
//! level.

use candle_core::{Context, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_backbones::resnet::{self, OutputStride};
use sconce_backbones::{Backbone, Resnet};
use sconce_heads::{Aspp, AsppConfig, Fcn};
use sconce_tensors::{ConvNorm, ConvNormConfig, Corners, Cost, Memory, resize_bilinear};
use serde::Deserialize;

use crate::Output;
use crate::config::at_least_one;
use crate::stages::{self, four, part};

/// Everything a [`DeepLabV3Plus`] is built from. The published widths are those of [`Config::resnet101`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Number of scores for each pixel: of classes, background included, or 1 for a foreground.
    pub classes: usize,
    /// The residual network.
    pub backbone: resnet::Config,
    /// Stride of its coarsest level; the rates of the pyramid follow it.
    pub output_stride: OutputStride,
    /// Channels of the pyramid's branches and of the decoder.
    pub width: usize,
    /// Channels that the finest level brings into the decoder.
    pub low_width: usize,
    /// Probability with which an element of the pyramid's result is dropped in training.
    pub dropout: f64,
    /// What a training step keeps of the inside of each residual block.
    pub memory: Memory,
}

impl Config {
    /// The published widths at output stride 16: 58,753,973 parameters for 21 classes.
    pub fn resnet101(classes: usize) -> Self {
        Self {
            classes,
            backbone: resnet::Config::Resnet101,
            output_stride: OutputStride::Sixteen,
            width: 256,
            low_width: 48,
            dropout: 0.1,
            memory: Memory::Plain,
        }
    }

    /// The same on a residual network of depth 50: 39,761,845 parameters for 21 classes.
    pub fn resnet50(classes: usize) -> Self {
        Self { backbone: resnet::Config::Resnet50, ..Self::resnet101(classes) }
    }
}

/// Dilations of the pyramid, which span the same part of the image at every output stride.
fn rates(output_stride: OutputStride) -> [usize; 3] {
    match output_stride {
        OutputStride::Eight => [12, 24, 36],
        OutputStride::Sixteen => [6, 12, 18],
        OutputStride::ThirtyTwo => [3, 6, 9],
    }
}

/// The network. Parameters lie under the builder's prefix: `backbone.…`, `aspp.branch.0.conv.weight`,
/// `low.…`, `fuse.…`, `score.…`.
#[derive(Debug)]
pub struct DeepLabV3Plus {
    backbone: Resnet,
    aspp: Aspp,
    low: ConvNorm,
    head: Fcn,
}

impl DeepLabV3Plus {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// When a size in the config is 0, the probability is outside 0..=1 or the builder lacks a tensor.
    pub fn new(config: &Config, vb: VarBuilder) -> Result<Self> {
        let &Config { classes, output_stride, width, low_width, dropout, .. } = config;
        at_least_one("deeplab v3+", &[("classes", classes), ("width", width), ("low-width", low_width)])?;
        let backbone = Resnet::new(&config.backbone.dilated(output_stride), vb.pp("backbone"))?
            .with_memory(config.memory);
        let [c2, _, _, c5] = four(backbone.levels())?.map(|level| level.channels);
        let aspp = AsppConfig { inputs: c5, width, rates: rates(output_stride), dropout };
        Ok(Self {
            backbone,
            aspp: Aspp::new(&aspp, vb.pp("aspp"))?,
            low: ConvNorm::new(c2, low_width, 1, ConvNormConfig::default(), vb.pp("low"))?,
            head: Fcn::new([low_width + width, width, classes], None, [vb.pp("fuse"), vb.pp("score")])?,
        })
    }

    /// The network's scores for `image`. With `train`, batch norm uses the batch's statistics and updates the
    /// running ones, and dropout draws its next mask.
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
        let [c2, _, _, c5] = four(&self.backbone.features(image, train)?)?;
        let levels = self.backbone.levels();
        let context = self.aspp.forward_t(&c5, train).with_context(|| part("ASPP", &levels[3]))?;
        let logits = self.decoded(&context, &c2, train).with_context(|| part("decoder", &levels[0]))?;
        Ok(Output { logits: resize_bilinear(&logits, (height, width), Corners::HalfPixel)?, aux: None })
    }

    /// Takes dropout's masks of `seed` from now on, that of training pass `pass` next: a resumed run gives
    /// its seed and the number of the training passes before.
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        self.aspp.restart_dropout(seed, pass);
    }

    /// Trainable parameters and multiply-adds of each stage for one image of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let mut stages = stages::of_backbone(self.backbone.cost(size));
        let (fine, coarse) = (stages[1].1.size, stages[4].1.size);
        stages.push(("ASPP".to_owned(), self.aspp.cost(coarse)));
        stages.push(("decoder".to_owned(), Cost::sum([self.low.cost(fine), self.head.cost(fine)], size)));
        stages
    }

    /// The scores at the finest level's size.
    fn decoded(&self, context: &Tensor, c2: &Tensor, train: bool) -> Result<Tensor> {
        let (_, _, height, width) = c2.dims4()?;
        let low = self.low.forward_t(c2, train)?;
        let context = resize_bilinear(context, (height, width), Corners::HalfPixel)?;
        self.head.forward_t(&Tensor::cat(&[low, context], 1)?, train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    const SMALL: &str = "
        classes = 21
        output-stride = 8
        width = 32
        low-width = 8
        dropout = 0.1
        backbone = 'resnet50'
        memory = 'plain'
    ";

    #[test]
    fn a_config_is_read_and_its_keys_are_checked() {
        let config: Config = toml::from_str(SMALL).unwrap();
        let output_stride = OutputStride::Eight;
        assert_eq!(config, Config { output_stride, width: 32, low_width: 8, ..Config::resnet50(21) });
        let error = toml::from_str::<Config>(&SMALL.replace("= 8", "= 4")).unwrap_err().to_string();
        assert!(error.contains("stride of 4") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn impossible_values_are_refused_by_name() {
        let new = |config: &Config| {
            let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
            DeepLabV3Plus::new(config, vb).unwrap_err().to_string()
        };
        let error = new(&Config { low_width: 0, ..Config::resnet50(21) });
        assert!(error.contains("deeplab v3+: low-width is 0"), "{error}");
        let error = new(&Config { dropout: 2., ..Config::resnet50(21) });
        assert!(error.contains("aspp.dropout") && error.contains("probability 2"), "{error}");
    }
}
