//! Convolution layers with PyTorch's parameter names and initialisation, and what they cost.

use candle_core::{Module, ModuleT, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};

use crate::{Activation, BatchNorm, Conv2dConfig, conv_norm, conv2d};

/// A convolution with a square kernel.
///
/// Tensors: `weight` (outputs, inputs / groups, kernel, kernel) and, with a bias, `bias` (outputs), both
/// initialised uniformly within `1 / sqrt(inputs / groups * kernel * kernel)` of zero, unless a constructor says otherwise.
///
/// # Shapes
///
/// (N, inputs, H, W) to (N, outputs, H', W') as [`conv2d`].
#[derive(Debug, Clone)]
pub struct Conv2d {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
    pub(crate) config: Conv2dConfig,
}

impl Conv2d {
    /// A convolution without a bias.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        config: Conv2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        Self::within(uniform, [inputs, outputs, kernel], config, vb)
    }

    /// With weights drawn as `init` says for so many values that a result is summed from.
    fn within(
        init: fn(usize) -> Init,
        [inputs, outputs, kernel]: [usize; 3],
        config: Conv2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        let Conv2dConfig { stride, dilation, groups, .. } = config;
        let sizes = [inputs, outputs, kernel, stride, dilation, groups];
        if sizes.contains(&0) || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            bail!(
                "'{}': no convolution of {inputs} to {outputs} channels, kernel {kernel}, {config:?}",
                vb.prefix()
            );
        }
        let shape = (outputs, inputs / groups, kernel, kernel);
        let init = init(inputs / groups * kernel * kernel);
        Ok(Self { weight: vb.get_with_hints(shape, "weight", init)?, bias: None, config })
    }

    /// A convolution with a bias.
    pub fn with_bias(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        config: Conv2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        let plain = Self::new(inputs, outputs, kernel, config, vb.clone())?;
        let init = uniform(inputs / config.groups * kernel * kernel);
        Ok(Self { bias: Some(vb.get_with_hints(outputs, "bias", init)?), ..plain })
    }

    /// A convolution with a bias, for a network of rectifiers without norms: the weights begin uniformly within
    /// `sqrt(6 / (inputs / groups * kernel * kernel))` of zero, which keeps the variance of what passes through many layers (He et al.
    /// 2015, "Delving deep into rectifiers", equation 10), the bias at 0.
    pub fn with_bias_for_relu(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        config: Conv2dConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        let plain = Self::within(he_uniform, [inputs, outputs, kernel], config, vb.clone())?;
        Ok(Self { bias: Some(vb.get_with_hints(outputs, "bias", Init::Const(0.0))?), ..plain })
    }

    /// The cost of one image of `height` times `width` pixels. A kernel larger than the padded image yields
    /// no pixel.
    pub fn cost(&self, (height, width): (usize, usize)) -> Cost {
        let Conv2dConfig { stride, padding, dilation, .. } = self.config;
        let positions = |size: usize, kernel: usize| {
            let last = (size + 2 * padding).checked_sub(dilation * (kernel - 1) + 1);
            last.map_or(0, |last| last / stride + 1)
        };
        let dims = self.weight.dims();
        let size = (positions(height, dims[2]), positions(width, dims[3]));
        let weights = self.weight.elem_count() as u64;
        Cost {
            parameters: weights + self.bias.as_ref().map_or(0, |bias| bias.elem_count() as u64),
            multiply_adds: weights * size.0 as u64 * size.1 as u64,
            size,
        }
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        conv2d(x, &self.weight, self.bias.as_ref(), self.config)
    }
}

/// Kaiming's uniform distribution with the gain of a leaky rectifier of slope `sqrt(5)`.
fn uniform(fan_in: usize) -> Init {
    let bound = 1.0 / (fan_in as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// Kaiming's uniform distribution with the gain of a rectifier.
fn he_uniform(fan_in: usize) -> Init {
    let bound = (6.0 / fan_in as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// How a [`ConvNorm`] moves over its input, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvNormConfig {
    /// Pixels between neighbouring kernel positions.
    pub stride: usize,
    /// Pixels between neighbouring kernel taps.
    pub dilation: usize,
    /// What follows the normalisation.
    pub activation: Activation,
}

impl Default for ConvNormConfig {
    fn default() -> Self {
        Self { stride: 1, dilation: 1, activation: Activation::Relu }
    }
}

/// A convolution without a bias, batch normalisation and an activation.
///
/// The padding keeps the size of the image at stride 1 for odd kernels. Tensors: those of [`Conv2d`] under
/// `conv`, those of [`BatchNorm`] under `norm`.
///
/// # Shapes
///
/// (N, inputs, H, W) to (N, outputs, H', W') with `H' = (H - 1) / stride + 1`, rounded down, for odd kernels.
#[derive(Debug, Clone)]
pub struct ConvNorm {
    pub(crate) conv: Conv2d,
    pub(crate) norm: BatchNorm,
}

impl ConvNorm {
    /// A layer with a square kernel.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        config: ConvNormConfig,
        vb: VarBuilder,
    ) -> Result<Self> {
        let ConvNormConfig { stride, dilation, activation } = config;
        let padding = dilation * kernel.saturating_sub(1) / 2;
        let conv = Conv2dConfig { stride, padding, dilation, groups: 1 };
        Ok(Self {
            conv: Conv2d::new(inputs, outputs, kernel, conv, vb.pp("conv"))?,
            norm: BatchNorm::new(outputs, activation, vb.pp("norm"))?,
        })
    }

    /// The cost of one image of `height` times `width` pixels.
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        let conv = self.conv.cost(size);
        Cost { parameters: conv.parameters + self.norm.parameters(), ..conv }
    }

    /// What is trained.
    pub(crate) fn variables(&self) -> [&Tensor; 3] {
        let [scale, bias] = self.norm.variables();
        [&self.conv.weight, scale, bias]
    }
}

impl ModuleT for ConvNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        conv_norm(x, &self.conv, &self.norm, None, train)
    }
}

/// What a layer or a network costs for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Trainable scalars.
    pub parameters: u64,
    /// Multiplications, each with an addition, of convolutions and matrix products only.
    pub multiply_adds: u64,
    /// Height and width of the result, in pixels.
    pub size: (usize, usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parameters;
    use crate::testing::{assert_close, every_var_has_gradient, fill, hashed_signed};
    use candle_core::{DType, Device};

    fn names(parameters: &Parameters) -> Vec<String> {
        parameters.all().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_convolution_starts_within_its_bound() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let config = Conv2dConfig { groups: 2, ..Default::default() };
        Conv2d::with_bias(8, 64, 3, config, parameters.builder().pp("stem"))?;
        assert_eq!(names(&parameters), ["stem.bias", "stem.weight"]);
        let tensors = parameters.tensors();
        assert_eq!(tensors["stem.weight"].dims(), [64, 4, 3, 3]);
        for tensor in tensors.values() {
            let largest = tensor.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!((0.8 / 6.0..=1.0 / 6.0).contains(&largest), "{largest}");
        }
        Ok(())
    }

    #[test]
    fn layers_equal_their_operations() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        let config = ConvNormConfig { stride: 2, dilation: 2, activation: Activation::Leaky(0.1) };
        let layer = ConvNorm::new(3, 5, 3, config, vb.pp("a"))?;
        let head = Conv2d::with_bias(5, 2, 1, Conv2dConfig::default(), vb.pp("b"))?;
        fill(&parameters)?;
        let x = hashed_signed("x", (2, 3, 9, 12), 1.0);
        let conv = Conv2dConfig { stride: 2, padding: 2, dilation: 2, groups: 1 };
        let t = parameters.tensors();
        let norm = BatchNorm::new(5, Activation::Leaky(0.1), vb.pp("a.norm"))?;
        let hidden = norm.forward_t(&conv2d(&x, &t["a.conv.weight"], None, conv)?, false)?;
        let want = conv2d(&hidden, &t["b.weight"], Some(&t["b.bias"]), Conv2dConfig::default())?;
        assert_close(&head.forward(&layer.forward_t(&x, false)?)?, &want, "layers");
        Ok(())
    }

    #[test]
    fn every_parameter_is_trained() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let layer = ConvNorm::new(3, 5, 3, ConvNormConfig::default(), parameters.builder())?;
        let names = names(&parameters);
        assert_eq!(
            names,
            ["conv.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.weight"]
        );
        for train in [false, true] {
            let y = layer.forward_t(&hashed_signed("x", (2, 3, 4, 4), 1.0), train)?;
            every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)?;
        }
        Ok(())
    }

    #[test]
    fn costs_follow_the_sizes() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        let config = ConvNormConfig { stride: 2, ..Default::default() };
        let layer = ConvNorm::new(3, 64, 7, config, vb.pp("stem"))?;
        let cost = layer.cost((473, 512));
        assert_eq!(cost.size, (237, 256));
        assert_eq!(cost.multiply_adds, 3 * 64 * 49 * 237 * 256);
        assert_eq!(cost.parameters, parameters.count() as u64);
        let y = layer.forward_t(&Tensor::zeros((1, 3, 20, 31), DType::F32, &Device::Cpu)?, false)?;
        let (height, width) = layer.cost((20, 31)).size;
        assert_eq!(y.dims(), [1, 64, height, width]);
        let grouped = Conv2dConfig { groups: 4, ..Default::default() };
        let grouped = Conv2d::with_bias(8, 12, 3, grouped, vb.pp("grouped"))?;
        let cost = grouped.cost((5, 6));
        assert_eq!((cost.parameters, cost.multiply_adds), (12 * 2 * 9 + 12, 12 * 2 * 9 * 3 * 4));
        assert_eq!(grouped.cost((2, 6)).size, (0, 4));
        Ok(())
    }

    #[test]
    fn impossible_layers_are_errors() {
        let vb = Parameters::new(0, &Device::Cpu).builder().pp("stage");
        let config = |groups, stride| Conv2dConfig { groups, stride, ..Default::default() };
        for (inputs, kernel, config) in
            [(3, 3, config(2, 1)), (4, 0, config(1, 1)), (4, 3, config(1, 0)), (4, 3, config(0, 1))]
        {
            let error = Conv2d::new(inputs, 4, kernel, config, vb.clone()).unwrap_err().to_string();
            assert!(error.contains("stage"), "{error}");
        }
    }
}
