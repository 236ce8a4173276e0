//! A decoder that doubles a map step by step.

use candle_core::{Context, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{ConvNorm, ConvNormConfig, Corners, Cost, Dropout, resize_bilinear};

/// Several steps, each of which doubles the map (bilinear, half-pixel corners) and passes it through a 3x3
/// convolution with batch norm and ReLU and through dropout of whole channels.
///
/// Parameters: `0`, `1`, …
#[derive(Debug)]
pub struct Doubling {
    steps: Vec<(ConvNorm, Dropout)>,
}

impl Doubling {
    /// One step for each of `widths`, the channels that it gives out; `dropout` is a channel's probability to
    /// be dropped.
    ///
    /// # Errors
    ///
    /// When a width is 0, the probability is outside 0..=1 or the builder lacks a tensor.
    pub fn new(inputs: usize, widths: &[usize], dropout: f64, vb: VarBuilder) -> Result<Self> {
        let mut channels = inputs;
        let mut steps = Vec::with_capacity(widths.len());
        for (i, &width) in widths.iter().enumerate() {
            let conv = ConvNorm::new(channels, width, 3, ConvNormConfig::default(), vb.pp(i))?;
            steps.push((conv, Dropout::of_channels(dropout, vb.pp(i).pp("dropout"))?));
            channels = width;
        }
        Ok(Self { steps })
    }

    /// See [`Dropout::restart`].
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        self.steps.iter().for_each(|(_, dropout)| dropout.restart(seed, pass));
    }

    /// Trainable parameters and multiply-adds for features of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        let after = |steps| (size.0 << steps, size.1 << steps);
        let costs = self.steps.iter().enumerate().map(|(i, (conv, _))| conv.cost(after(i + 1)));
        Cost::sum(costs, after(self.steps.len()))
    }
}

impl ModuleT for Doubling {
    /// # Shapes
    ///
    /// `x` (N, inputs, H, W) to (N, last width, 2^steps H, 2^steps W).
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut x = x.clone();
        for (i, (conv, dropout)) in self.steps.iter().enumerate() {
            let (_, _, height, width) = x.dims4()?;
            let doubled = resize_bilinear(&x, (2 * height, 2 * width), Corners::HalfPixel)?;
            x = conv.forward_t(&doubled, train).with_context(|| format!("step {i}"))?;
            x = dropout.forward_t(&x, train)?;
        }
        Ok(x)
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
        let head = Doubling::new(5, &[4, 2], 0.2, parameters.builder().pp("up"))?;
        let names: Vec<_> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
        assert!(names.len() == 6 && names.contains(&"up.1.conv.weight".to_owned()), "{names:?}");
        let cost = head.cost((3, 5));
        assert_eq!((cost.parameters, cost.size), (parameters.count() as u64, (12, 20)));
        assert_eq!(cost.multiply_adds, 180 * 60 + 72 * 240);
        let y = head.forward_t(&hashed_signed("x", (2, 5, 3, 5), 1.), true)?;
        assert_eq!(y.dims(), [2, 2, 12, 20]);
        every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)
    }
}
