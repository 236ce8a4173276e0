//! Bottleneck residual networks (He et al. 2016, "Deep residual learning for image recognition") with a dilated tail.
//!
//! Parameter names are torchvision's: `conv1.weight`, `bn1.weight`, `layer1.0.conv1.weight`, `layer1.0.downsample.0.weight`.

mod architecture;
mod block;
mod config;
#[cfg(test)]
mod tests;

pub use architecture::{Architecture, Stage, Stem, StemForm};
pub use config::{Config, OutputStride, SmallConfig};

use std::sync::Arc;

use candle_core::{Context, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{Activation, Conv2dConfig, Cost, Memory, PoolConfig, max_pool2d};

use crate::{Backbone, Level};
use block::{Bottleneck, ConvBn, EXPANSION, chain, numbered, spaced};

/// A bottleneck residual network without its classifier.
#[derive(Debug)]
pub struct Resnet {
    stem: Vec<ConvBn>,
    pool: Option<PoolConfig>,
    stages: Vec<Vec<Arc<Bottleneck>>>,
    levels: Vec<Level>,
    memory: Memory,
}

impl Resnet {
    /// Builds the network; its parameters are named under `vb`'s prefix.
    ///
    /// # Errors
    ///
    /// When a width, stride, dilation or number of blocks is 0, or the builder lacks a tensor.
    pub fn new(architecture: &Architecture, vb: VarBuilder) -> Result<Self> {
        architecture.check()?;
        let stem = build_stem(&architecture.stem, &vb)?;
        let mut inputs = architecture.stem.outputs();
        let mut stages = Vec::with_capacity(4);
        for (i, (&blocks, stage)) in architecture.blocks.iter().zip(&architecture.stages).enumerate() {
            let (planes, branch) = (architecture.width << i, architecture.branch);
            let layer = vb.pp(format!("layer{}", i + 1));
            let mut built = vec![Bottleneck::first((inputs, planes), *stage, branch, layer.pp(0))?];
            for j in 1..blocks {
                built.push(Bottleneck::next(planes, *stage, branch, layer.pp(j))?);
            }
            stages.push(built.into_iter().map(Arc::new).collect());
            inputs = planes * EXPANSION;
        }
        let pool = PoolConfig { kernel: 3, stride: 2, padding: 1, ceil_mode: false };
        let pool = architecture.stem.max_pool.then_some(pool);
        Ok(Self { stem, pool, stages, levels: architecture.levels(), memory: Memory::Plain })
    }

    /// The network with another choice of what a training step keeps of each residual block's inside. A new network has
    /// [`Memory::Plain`].
    pub fn with_memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// Trainable parameters and multiply-adds of the stem and of each stage for one image of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let mut stem = chain(&self.stem, ConvBn::cost, size);
        if self.pool.is_some() {
            stem.size = (stem.size.0.div_ceil(2), stem.size.1.div_ceil(2));
        }
        let mut costs = vec![("stem".to_owned(), stem)];
        let mut size = stem.size;
        for (i, stage) in self.stages.iter().enumerate() {
            let cost = chain(stage, |block, size| block.cost(size), size);
            size = cost.size;
            costs.push((format!("layer{}", i + 1), cost));
        }
        costs
    }
}

impl Backbone for Resnet {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn features(&self, image: &Tensor, train: bool) -> Result<Vec<Tensor>> {
        let mut x = image.clone();
        for layer in &self.stem {
            x = layer.forward_t(&x, train).context("backbone, stem")?;
        }
        if let Some(pool) = self.pool {
            x = max_pool2d(&x, pool).context("backbone, stem's maximum pool")?;
        }
        let memory = if train { self.memory } else { Memory::Plain };
        let mut features = Vec::with_capacity(self.stages.len());
        for (i, stage) in self.stages.iter().enumerate() {
            for (j, block) in stage.iter().enumerate() {
                let block = block.clone();
                let block = move |[x]: [Tensor; 1]| block.forward_t(&x, train);
                x = memory.run([x], block).with_context(|| format!("backbone, layer{}.{j}", i + 1))?;
            }
            features.push(x.clone());
            // A tensor of its own: what the next stage's first block asks for is summed up before it is added to what
            // heads ask for, in either mode.
            x = x.reshape(x.shape())?;
        }
        Ok(features)
    }
}

fn build_stem(stem: &Stem, vb: &VarBuilder) -> Result<Vec<ConvBn>> {
    let (width, relu) = (stem.width, Activation::Relu);
    let (first, next) = (spaced(stem.stride, 1), spaced(1, 1));
    let wide = Conv2dConfig { padding: 3, ..first };
    match stem.form {
        StemForm::Plain => Ok(vec![ConvBn::new((3, width, 7), wide, relu, numbered(vb, 1))?]),
        StemForm::Deep => Ok(vec![
            ConvBn::new((3, width, 3), first, relu, numbered(vb, 1))?,
            ConvBn::new((width, width, 3), next, relu, numbered(vb, 2))?,
            ConvBn::new((width, 2 * width, 3), next, relu, numbered(vb, 3))?,
        ]),
    }
}
