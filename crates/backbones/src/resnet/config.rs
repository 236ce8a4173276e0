//! Which network a config names, and the forms it comes in.

use sconce_tensors::Activation;
use serde::Deserialize;

use super::architecture::{Architecture, Stage, Stem, StemForm};

/// Which residual network: a published depth, or a small one. How it is wired is chosen by the network that uses it:
/// [`dilated`](Config::dilated), [`deep`](Config::deep) or [`leaky`](Config::leaky).
///
/// In TOML: `backbone = "resnet101"`, or a table `[backbone.small]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Config {
    /// 3, 4, 6, 3 blocks.
    Resnet50,
    /// 3, 4, 23, 3 blocks.
    Resnet101,
    /// 3, 8, 36, 3 blocks.
    Resnet152,
    /// The same wiring in any size, for small images.
    Small(SmallConfig),
}

/// The sizes of a small residual network.
///
/// With a maximum pool and stem stride 2 the levels of [`Config::leaky`] have strides 4, 8, 8, 8 as the published ones;
/// without the pool 2, 4, 4, 4; with stem stride 1 as well 1, 2, 2, 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SmallConfig {
    /// Channels inside the first stage's blocks; each stage doubles them and gives out four times as many. Published: 64.
    pub width: usize,
    /// Number of blocks of each stage.
    pub blocks: [usize; 4],
    /// Channels of the stem's first convolution. Published: 64.
    pub stem_width: usize,
    /// Stride of the stem's first convolution. Published: 2.
    pub stem_stride: usize,
    /// Whether a 3x3 maximum pool of stride 2 follows the stem. Published: yes.
    pub max_pool: bool,
}

impl Config {
    /// torchvision's form: a 7x7 stem, and strides beyond `output_stride` replaced by dilations.
    ///
    /// The output stride counts from a stem of stride 4, as the published ones have.
    pub fn dilated(&self, output_stride: OutputStride) -> Architecture {
        self.architecture(StemForm::Plain, output_stride.stages(), Activation::None)
    }

    /// AGRNet's form (Te et al. 2021): a stem of three 3x3 convolutions, output stride 8, and both branches of a block
    /// through a leaky ReLU of slope 0.01 before their sum (its "activated batch norm").
    pub fn leaky(&self) -> Architecture {
        let stages = [Stage::new(1, 1, 1), Stage::new(2, 1, 1), Stage::new(1, 1, 1), Stage::new(1, 2, 2)];
        self.architecture(StemForm::Deep, stages, Activation::Leaky(0.01))
    }

    /// PSPNet's form (Zhao et al. 2017): a stem of three 3x3 convolutions, output stride 8, and dilations 2 and 4 in all
    /// blocks of the last two stages.
    pub fn deep(&self) -> Architecture {
        let stages = [Stage::new(1, 1, 1), Stage::new(2, 1, 1), Stage::new(1, 2, 2), Stage::new(1, 4, 4)];
        self.architecture(StemForm::Deep, stages, Activation::None)
    }

    fn architecture(&self, form: StemForm, stages: [Stage; 4], branch: Activation) -> Architecture {
        let SmallConfig { width, blocks, stem_width, stem_stride, max_pool } = self.sizes();
        let stem = Stem { form, width: stem_width, stride: stem_stride, max_pool };
        Architecture { stem, width, blocks, stages, branch }
    }

    fn sizes(&self) -> SmallConfig {
        let published =
            |blocks| SmallConfig { width: 64, blocks, stem_width: 64, stem_stride: 2, max_pool: true };
        match *self {
            Self::Resnet50 => published([3, 4, 6, 3]),
            Self::Resnet101 => published([3, 4, 23, 3]),
            Self::Resnet152 => published([3, 8, 36, 3]),
            Self::Small(sizes) => sizes,
        }
    }
}

/// How many image pixels one pixel of the coarsest level spans, along each axis.
///
/// In TOML a number: 8, 16 or 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "usize")]
pub enum OutputStride {
    /// Dilations 2 and 4 in the last two stages.
    Eight,
    /// Dilation 2 in the last stage.
    Sixteen,
    /// No dilation: the network for classification.
    ThirtyTwo,
}

impl TryFrom<usize> for OutputStride {
    type Error = String;

    fn try_from(pixels: usize) -> Result<Self, String> {
        match pixels {
            8 => Ok(Self::Eight),
            16 => Ok(Self::Sixteen),
            32 => Ok(Self::ThirtyTwo),
            _ => Err(format!("an output stride of {pixels}, expected 8, 16 or 32")),
        }
    }
}

impl OutputStride {
    /// torchvision's rule: where a stride is dropped, the stage's first block keeps the dilation of the stage before.
    fn stages(self) -> [Stage; 4] {
        let tail = match self {
            Self::Eight => [Stage::new(1, 1, 2), Stage::new(1, 2, 4)],
            Self::Sixteen => [Stage::new(2, 1, 1), Stage::new(1, 1, 2)],
            Self::ThirtyTwo => [Stage::new(2, 1, 1), Stage::new(2, 1, 1)],
        };
        [Stage::new(1, 1, 1), Stage::new(2, 1, 1), tail[0], tail[1]]
    }
}
