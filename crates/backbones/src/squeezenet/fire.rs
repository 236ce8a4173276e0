//! The module that a SqueezeNet is made of.

use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_tensors::{Conv2d, Conv2dConfig, Cost, relu};

/// 1x1 to few channels; from there 1x1 and 3x3 to many, side by side.
#[derive(Debug)]
pub(super) struct Fire {
    squeeze: Conv2d,
    expand1x1: Conv2d,
    expand3x3: Conv2d,
}

/// Channels between the convolutions of the network's `number`-th module: 16, 16, 32, 32, 48, 48, 64, 64.
fn squeezed(number: usize) -> usize {
    16 * (number / 2 + 1)
}

/// Channels that the network's `number`-th module gives out.
pub(super) fn outputs(number: usize) -> usize {
    8 * squeezed(number)
}

impl Fire {
    /// The network's `number`-th module, counted from 0.
    pub(super) fn new(number: usize, inputs: usize, vb: VarBuilder) -> Result<Self> {
        let (few, half) = (squeezed(number), outputs(number) / 2);
        let point = Conv2dConfig::default();
        let same = Conv2dConfig { padding: 1, ..point };
        Ok(Self {
            squeeze: Conv2d::with_bias_for_relu(inputs, few, 1, point, vb.pp("squeeze"))?,
            expand1x1: Conv2d::with_bias_for_relu(few, half, 1, point, vb.pp("expand1x1"))?,
            expand3x3: Conv2d::with_bias_for_relu(few, half, 3, same, vb.pp("expand3x3"))?,
        })
    }

    pub(super) fn cost(&self, size: (usize, usize)) -> Cost {
        Cost::sum([&self.squeeze, &self.expand1x1, &self.expand3x3].map(|conv| conv.cost(size)), size)
    }
}

impl Module for Fire {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = relu(&self.squeeze.forward(x)?)?;
        relu(&Tensor::cat(&[self.expand1x1.forward(&x)?, self.expand3x3.forward(&x)?], 1)?)
    }
}
