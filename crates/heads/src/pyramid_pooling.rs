//! Pyramid pooling (Zhao et al. 2017, "Pyramid scene parsing network").

use candle_core::{Context, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{
    Activation, ConvNorm, ConvNormConfig, Corners, Cost, adaptive_avg_pool2d, resize_bilinear,
};

/// Cells a side of each pooled map.
pub const BINS: [usize; 4] = [1, 2, 3, 6];

/// Widths of a [`PyramidPooling`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PyramidPoolingConfig {
    /// Channels of the features.
    pub inputs: usize,
    /// Channels of each pooled map.
    pub width: usize,
    /// Channels given out.
    pub outputs: usize,
    /// After every batch norm.
    pub activation: Activation,
}

/// The features beside their averages over 1, 2, 3 and 6 bins a side, fused by a 3x3 convolution.
///
/// Each average passes a 1x1 convolution and is resized to the features' size with aligned corners; the fused channels are
/// the averages in the order of [`BINS`], then the features. Parameters: `pyramid.0` … `pyramid.3` and `pyramid_fuse`.
#[derive(Debug)]
pub struct PyramidPooling {
    bins: Vec<ConvNorm>,
    fuse: ConvNorm,
}

impl PyramidPooling {
    /// Builds the head; its parameters are named under `vb`'s prefix.
    ///
    /// # Errors
    ///
    /// When the builder lacks a tensor.
    pub fn new(config: &PyramidPoolingConfig, vb: VarBuilder) -> Result<Self> {
        let &PyramidPoolingConfig { inputs, width, outputs, activation } = config;
        let layer = ConvNormConfig { activation, ..ConvNormConfig::default() };
        let pyramid = vb.pp("pyramid");
        let bins = (0..BINS.len()).map(|i| ConvNorm::new(inputs, width, 1, layer, pyramid.pp(i)));
        let bins = bins.collect::<Result<Vec<_>>>()?;
        let fuse = ConvNorm::new(inputs + BINS.len() * width, outputs, 3, layer, vb.pp("pyramid_fuse"))?;
        Ok(Self { bins, fuse })
    }

    /// Trainable parameters and multiply-adds for features of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        let mut total = self.fuse.cost(size);
        for (layer, bin) in self.bins.iter().zip(BINS) {
            let cost = layer.cost((bin, bin));
            total.parameters += cost.parameters;
            total.multiply_adds += cost.multiply_adds;
        }
        total
    }

    fn pooled(&self, x: &Tensor, layer: &ConvNorm, bin: usize, train: bool) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let pooled = layer.forward_t(&adaptive_avg_pool2d(x, (bin, bin))?, train)?;
        resize_bilinear(&pooled, (height, width), Corners::Aligned)
    }
}

impl ModuleT for PyramidPooling {
    /// # Shapes
    ///
    /// `x` (N, inputs, H, W) to (N, outputs, H, W).
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut maps = Vec::with_capacity(BINS.len() + 1);
        for (layer, bin) in self.bins.iter().zip(BINS) {
            maps.push(self.pooled(x, layer, bin, train).with_context(|| format!("{bin}x{bin} bins"))?);
        }
        maps.push(x.clone());
        self.fuse.forward_t(&Tensor::cat(&maps, 1)?, train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::Parameters;
    use sconce_tensors::testing::{every_var_has_gradient, hashed_signed};

    const CONFIG: PyramidPoolingConfig =
        PyramidPoolingConfig { inputs: 5, width: 3, outputs: 4, activation: Activation::Leaky(0.01) };

    #[test]
    fn any_size_keeps_its_size() -> Result<()> {
        let head = PyramidPooling::new(&CONFIG, Parameters::new(0, &Device::Cpu).builder())?;
        for (height, width) in [(1, 1), (5, 7), (12, 6)] {
            let y = head.forward_t(&hashed_signed("x", (1, 5, height, width), 1.), false)?;
            assert_eq!(y.dims(), [1, 4, height, width]);
        }
        Ok(())
    }

    #[test]
    fn every_parameter_has_its_name_its_cost_and_a_gradient() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let head = PyramidPooling::new(&CONFIG, parameters.builder())?;
        let names: Vec<_> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 15);
        assert!(
            names.contains(&"pyramid.3.conv.weight".to_owned())
                && names.contains(&"pyramid_fuse.norm.bias".to_owned())
        );
        let cost = head.cost((8, 6));
        assert_eq!(cost.parameters, parameters.count() as u64);
        assert_eq!(cost.multiply_adds, 5 * 3 * (1 + 4 + 9 + 36) + 9 * 17 * 4 * 48);
        assert_eq!(cost.size, (8, 6));
        let y = head.forward_t(&hashed_signed("x", (2, 5, 8, 6), 1.), true)?;
        every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)
    }

    #[test]
    fn a_batch_of_one_in_training_is_refused_with_its_bin() -> Result<()> {
        let head = PyramidPooling::new(&CONFIG, Parameters::new(0, &Device::Cpu).builder())?;
        let error = head.forward_t(&hashed_signed("x", (1, 5, 8, 6), 1.), true).unwrap_err().to_string();
        assert!(error.contains("1x1 bins"), "{error}");
        Ok(())
    }
}
