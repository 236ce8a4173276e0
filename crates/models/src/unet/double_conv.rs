//! Two 3x3 convolutions.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use sconce_tensors::{Beside, ConvNorm, ConvNormConfig, Cost, conv_norms};

/// Twice a 3x3 convolution, batch norm and ReLU.
#[derive(Debug, Clone)]
pub(super) struct DoubleConv {
    first: ConvNorm,
    second: ConvNorm,
}

impl DoubleConv {
    /// With these channels before, between and after the convolutions.
    pub(super) fn new([inputs, middle, outputs]: [usize; 3], vb: VarBuilder) -> Result<Self> {
        let config = ConvNormConfig::default();
        Ok(Self {
            first: ConvNorm::new(inputs, middle, 3, config, vb.pp("first"))?,
            second: ConvNorm::new(middle, outputs, 3, config, vb.pp("second"))?,
        })
    }

    pub(super) fn cost(&self, size: (usize, usize)) -> Cost {
        Cost::sum([self.first.cost(size), self.second.cost(size)], size)
    }

    /// Of `x`, and of another map beside it.
    pub(super) fn forward_t(&self, x: &Tensor, beside: Option<Beside>, train: bool) -> Result<Tensor> {
        conv_norms(&[&self.first, &self.second], x, beside, train)
    }
}
