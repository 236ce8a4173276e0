//! The head of fully convolutional networks (Long, Shelhamer, Darrell 2015, "Fully convolutional networks for
//! semantic segmentation"), in the form that PSPNet and DeepLab share.

use candle_core::{Module, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, Cost, Dropout};

/// Scores of every pixel: a 3x3 convolution with batch norm and ReLU, dropout, and a 1x1 convolution with a
/// bias.
#[derive(Debug)]
pub struct Fcn {
    fuse: ConvNorm,
    dropout: Option<Dropout>,
    score: Conv2d,
}

impl Fcn {
    /// From `inputs` channels over `width` to `classes`; the builders name the two convolutions.
    ///
    /// # Errors
    ///
    /// When a builder lacks a tensor.
    pub fn new(
        [inputs, width, classes]: [usize; 3],
        dropout: Option<Dropout>,
        [fuse, score]: [VarBuilder; 2],
    ) -> Result<Self> {
        Ok(Self {
            fuse: ConvNorm::new(inputs, width, 3, ConvNormConfig::default(), fuse)?,
            dropout,
            score: Conv2d::with_bias(width, classes, 1, Conv2dConfig::default(), score)?,
        })
    }

    /// See [`Dropout::restart`].
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        if let Some(dropout) = &self.dropout {
            dropout.restart(seed, pass);
        }
    }

    /// Trainable parameters and multiply-adds for features of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        Cost::sum([self.fuse.cost(size), self.score.cost(size)], size)
    }
}

impl ModuleT for Fcn {
    /// # Shapes
    ///
    /// `x` (N, inputs, H, W) to (N, classes, H, W).
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = self.fuse.forward_t(x, train)?;
        if let Some(dropout) = &self.dropout {
            x = dropout.forward_t(&x, train)?;
        }
        self.score.forward(&x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::Parameters;
    use sconce_tensors::testing::{every_var_has_gradient, hashed_signed};

    #[test]
    fn every_parameter_has_its_name_its_cost_and_a_gradient() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        let dropout = Dropout::of_channels(0.2, vb.pp("drop"))?;
        let head = Fcn::new([5, 4, 2], Some(dropout), [vb.pp("aux_fuse"), vb.pp("aux_score")])?;
        let names: Vec<_> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "aux_fuse.conv.weight",
                "aux_fuse.norm.bias",
                "aux_fuse.norm.weight",
                "aux_score.bias",
                "aux_score.weight"
            ]
        );
        let cost = head.cost((4, 7));
        assert_eq!((cost.parameters, cost.multiply_adds), (parameters.count() as u64, (180 + 8) * 28));
        let y = head.forward_t(&hashed_signed("x", (2, 5, 4, 7), 1.), true)?;
        assert_eq!(y.dims(), [2, 2, 4, 7]);
        every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)
    }
}
