//! The residual block, and the convolutions that it and the stem are made of.

use candle_core::{Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{Activation, BatchNorm, Conv2d, Conv2dConfig, Cost, conv_norm};

use super::architecture::Stage;

/// Output channels of a block per channel inside it.
pub(super) const EXPANSION: usize = 4;

/// 1x1 to fewer channels, 3x3, 1x1 to more; plus the input.
#[derive(Debug)]
pub(super) struct Bottleneck {
    body: [ConvBn; 3],
    /// Fits the input to the output's shape; none where it fits already.
    shortcut: Option<ConvBn>,
}

impl Bottleneck {
    /// The first block of a stage.
    pub(super) fn first(
        widths: (usize, usize),
        stage: Stage,
        branch: Activation,
        vb: VarBuilder,
    ) -> Result<Self> {
        let (inputs, planes) = widths;
        let config = Conv2dConfig { stride: stage.stride, ..Conv2dConfig::default() };
        let names = [vb.pp("downsample").pp(0), vb.pp("downsample").pp(1)];
        let shortcut = ConvBn::new((inputs, planes * EXPANSION, 1), config, branch, names)?;
        let middle = spaced(stage.stride, stage.first_dilation);
        Ok(Self { body: Self::body(widths, middle, branch, vb)?, shortcut: Some(shortcut) })
    }

    /// Another block of a stage.
    pub(super) fn next(planes: usize, stage: Stage, branch: Activation, vb: VarBuilder) -> Result<Self> {
        let middle = spaced(1, stage.dilation);
        Ok(Self { body: Self::body((planes * EXPANSION, planes), middle, branch, vb)?, shortcut: None })
    }

    fn body(
        (inputs, planes): (usize, usize),
        middle: Conv2dConfig,
        branch: Activation,
        vb: VarBuilder,
    ) -> Result<[ConvBn; 3]> {
        let point = Conv2dConfig::default();
        Ok([
            ConvBn::new((inputs, planes, 1), point, Activation::Relu, numbered(&vb, 1))?,
            ConvBn::new((planes, planes, 3), middle, Activation::Relu, numbered(&vb, 2))?,
            ConvBn::new((planes, planes * EXPANSION, 1), point, branch, numbered(&vb, 3))?,
        ])
    }

    pub(super) fn cost(&self, size: (usize, usize)) -> Cost {
        let mut total = chain(&self.body, ConvBn::cost, size);
        if let Some(shortcut) = &self.shortcut {
            let cost = shortcut.cost(size);
            total.parameters += cost.parameters;
            total.multiply_adds += cost.multiply_adds;
        }
        total
    }
}

impl ModuleT for Bottleneck {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let [reduce, middle, expand] = &self.body;
        let y = middle.forward_t(&reduce.forward_t(x, train)?, train)?;
        let shortcut = self.shortcut.as_ref().map(|shortcut| shortcut.forward_t(x, train)).transpose()?;
        expand.forward_plus(&y, shortcut.as_ref().unwrap_or(x), train)
    }
}

/// A convolution and its batch norm under torchvision's separate names.
#[derive(Debug)]
pub(super) struct ConvBn {
    conv: Conv2d,
    norm: BatchNorm,
    outputs: usize,
}

impl ConvBn {
    pub(super) fn new(
        (inputs, outputs, kernel): (usize, usize, usize),
        config: Conv2dConfig,
        activation: Activation,
        [conv, norm]: [VarBuilder; 2],
    ) -> Result<Self> {
        let conv = Conv2d::new(inputs, outputs, kernel, config, conv)?;
        Ok(Self { conv, norm: BatchNorm::new(outputs, activation, norm)?, outputs })
    }

    pub(super) fn cost(&self, size: (usize, usize)) -> Cost {
        let mut cost = self.conv.cost(size);
        cost.parameters += 2 * self.outputs as u64; // the norm's scale and shift
        cost
    }

    /// The end of a residual block: what is positive of the layer's result plus `residual`.
    fn forward_plus(&self, x: &Tensor, residual: &Tensor, train: bool) -> Result<Tensor> {
        conv_norm(x, &self.conv, &self.norm, Some(residual), train)
    }
}

impl ModuleT for ConvBn {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        conv_norm(x, &self.conv, &self.norm, None, train)
    }
}

/// The names `conv{number}` and `bn{number}`.
pub(super) fn numbered<'a>(vb: &VarBuilder<'a>, number: usize) -> [VarBuilder<'a>; 2] {
    [vb.pp(format!("conv{number}")), vb.pp(format!("bn{number}"))]
}

/// The cost of layers one after another; the result's size is the last layer's.
pub(super) fn chain<L>(
    layers: &[L],
    cost: impl Fn(&L, (usize, usize)) -> Cost,
    size: (usize, usize),
) -> Cost {
    layers.iter().fold(Cost { parameters: 0, multiply_adds: 0, size }, |total, layer| {
        let Cost { parameters, multiply_adds, size } = cost(layer, total.size);
        Cost {
            parameters: total.parameters + parameters,
            multiply_adds: total.multiply_adds + multiply_adds,
            size,
        }
    })
}

/// A 3x3 convolution's setting whose padding keeps the size at stride 1.
pub(super) fn spaced(stride: usize, dilation: usize) -> Conv2dConfig {
    Conv2dConfig { stride, padding: dilation, dilation, ..Conv2dConfig::default() }
}
