//! Two 3x3 convolutions.

use candle_core::{Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{ConvNorm, ConvNormConfig, Cost};

/// Twice a 3x3 convolution, batch norm and ReLU.
#[derive(Debug)]
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
}

impl ModuleT for DoubleConv {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.second.forward_t(&self.first.forward_t(x, train)?, train)
    }
}
