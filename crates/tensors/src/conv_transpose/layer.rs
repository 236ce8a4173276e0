//! Transposed convolution as a layer, with PyTorch's parameter names and initialisation.

use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

use super::{ConvTranspose2dConfig, conv_transpose2d};
use crate::Cost;

/// A transposed convolution with a square kernel and a bias.
///
/// Tensors: `weight` (inputs, outputs, kernel, kernel) and `bias` (outputs), both initialised uniformly
/// within `1 / sqrt(outputs * kernel * kernel)` of zero.
///
/// # Shapes
///
/// (N, inputs, H, W) to (N, outputs, H', W') as [`conv_transpose2d`].
#[derive(Debug, Clone)]
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Tensor,
    config: ConvTranspose2dConfig,
}

impl ConvTranspose2d {
    /// A layer of these numbers of channels.
    ///
    /// # Errors
    ///
    /// When a number of channels, the kernel or the stride is 0, or the builder lacks a tensor.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        config: ConvTranspose2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        if [inputs, outputs, kernel, config.stride].contains(&0) {
            bail!(
                "'{}': no transposed convolution of {inputs} to {outputs} channels, kernel {kernel}, {config:?}",
                vb.prefix()
            );
        }
        let bound = 1.0 / ((outputs * kernel * kernel) as f64).sqrt();
        let init = Init::Uniform { lo: -bound, up: bound };
        let weight = vb.get_with_hints((inputs, outputs, kernel, kernel), "weight", init)?;
        Ok(Self { weight, bias: vb.get_with_hints(outputs, "bias", init)?, config })
    }

    /// The cost of one image of `height` times `width` pixels.
    pub fn cost(&self, (height, width): (usize, usize)) -> Cost {
        let ConvTranspose2dConfig { stride, padding, output_padding } = self.config;
        let (weights, kernel) = (self.weight.elem_count(), self.weight.dims()[2]);
        let side = |inputs: usize| {
            (inputs.saturating_sub(1) * stride + kernel + output_padding).saturating_sub(2 * padding)
        };
        Cost {
            parameters: (weights + self.bias.elem_count()) as u64,
            multiply_adds: (weights * height * width) as u64,
            size: (side(height), side(width)),
        }
    }
}

impl Module for ConvTranspose2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        conv_transpose2d(x, &self.weight, Some(&self.bias), self.config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parameters;
    use crate::testing::{assert_close, every_var_has_gradient, hashed_signed};
    use candle_core::Device;

    const DOUBLE: ConvTranspose2dConfig = ConvTranspose2dConfig { stride: 2, padding: 0, output_padding: 0 };

    #[test]
    fn a_layer_equals_its_operation_and_counts_its_cost() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let layer = ConvTranspose2d::new(6, 4, 2, DOUBLE, parameters.builder().pp("deconv"))?;
        let x = hashed_signed("x", (2, 6, 3, 5), 1.0);
        let (y, tensors) = (layer.forward(&x)?, parameters.tensors());
        let weight = &tensors["deconv.weight"];
        assert_close(&y, &conv_transpose2d(&x, weight, Some(&tensors["deconv.bias"]), DOUBLE)?, "layer");
        assert!(weight.abs()?.max_all()?.to_scalar::<f32>()? <= 0.25);
        let cost = layer.cost((3, 5));
        assert_eq!(y.dims(), [2, 4, cost.size.0, cost.size.1]);
        assert_eq!((cost.parameters, cost.multiply_adds), (parameters.count() as u64, 6 * 4 * 2 * 2 * 3 * 5));
        every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)
    }

    #[test]
    fn an_impossible_layer_is_refused_by_name() {
        let vb = Parameters::new(0, &Device::Cpu).builder().pp("deconv");
        let error = ConvTranspose2d::new(6, 0, 2, DOUBLE, vb).unwrap_err().to_string();
        assert!(error.contains("'deconv'") && error.contains("6 to 0"), "{error}");
    }
}
