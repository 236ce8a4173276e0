//! How a residual network is wired.

use candle_core::{Result, bail};
use sconce_tensors::Activation;

use super::block::EXPANSION;
use crate::Level;

/// Everything a [`Resnet`](super::Resnet) is built from.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// From the image to the first stage.
    pub stem: Stem,
    /// Channels inside the first stage's blocks; each stage doubles them and gives out four times as many.
    pub width: usize,
    /// Number of blocks of each stage.
    pub blocks: [usize; 4],
    /// Strides and dilations of each stage.
    pub stages: [Stage; 4],
    /// What both branches of a block pass through before their sum.
    pub branch: Activation,
}

/// The first layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stem {
    /// One wide convolution or three narrow ones.
    pub form: StemForm,
    /// Channels of the first convolution.
    pub width: usize,
    /// Stride of the first convolution.
    pub stride: usize,
    /// Whether a 3x3 maximum pool of stride 2 follows.
    pub max_pool: bool,
}

/// The convolutions of a stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StemForm {
    /// One of 7x7.
    Plain,
    /// Three of 3x3, the last twice as wide.
    Deep,
}

/// Stride and dilations of one stage's 3x3 convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Stride of the first block.
    pub stride: usize,
    /// Dilation of the first block.
    pub first_dilation: usize,
    /// Dilation of the other blocks.
    pub dilation: usize,
}

impl Stage {
    /// A stage of this stride, the first block's dilation and the other blocks' dilation.
    pub const fn new(stride: usize, first_dilation: usize, dilation: usize) -> Self {
        Self { stride, first_dilation, dilation }
    }
}

impl Architecture {
    /// Channels and strides of the four stages' outputs.
    pub(super) fn levels(&self) -> Vec<Level> {
        let mut stride = self.stem.stride * if self.stem.max_pool { 2 } else { 1 };
        let mut levels = Vec::with_capacity(4);
        for (i, stage) in self.stages.iter().enumerate() {
            stride *= stage.stride;
            levels.push(Level { channels: (self.width << i) * EXPANSION, stride });
        }
        levels
    }

    pub(super) fn check(&self) -> Result<()> {
        let stage = |s: &Stage| s.stride > 0 && s.first_dilation > 0 && s.dilation > 0;
        let sizes = [self.width, self.stem.width, self.stem.stride];
        if sizes.contains(&0) || self.blocks.contains(&0) || !self.stages.iter().all(stage) {
            bail!(
                "a residual network's widths, strides, dilations and numbers of blocks are at least 1: {self:?}"
            );
        }
        Ok(())
    }
}

impl Stem {
    /// Channels of the last convolution.
    pub(super) fn outputs(&self) -> usize {
        match self.form {
            StemForm::Plain => self.width,
            StemForm::Deep => 2 * self.width,
        }
    }
}
