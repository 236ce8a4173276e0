//! Pyramid pooling (Zhao et al. 2017, "Pyramid scene parsing network").

use candle_core::{Context, Module, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{
    Activation, Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, Corners, Cost, adaptive_avg_pool2d,
    resize_bilinear,
};

/// Cells a side of each pooled map.
pub const BINS: [usize; 4] = [1, 2, 3, 6];

/// The features beside their averages over 1, 2, 3 and 6 bins a side.
///
/// Each average passes a 1x1 convolution and is resized to the features' size; the channels given out are the
/// features, then the averages in the order of [`BINS`]. Parameters: `0` … `3`.
#[derive(Debug)]
pub struct PyramidPooling {
    bins: Vec<Layer>,
    corners: Corners,
    averages_first: bool,
}

/// What an average passes.
#[derive(Debug)]
enum Layer {
    Normalised(ConvNorm),
    Plain(Conv2d),
}

impl PyramidPooling {
    /// The published head: averages of `width` channels through batch norm and `activation`, resized with
    /// aligned corners.
    ///
    /// # Errors
    ///
    /// When the builder lacks a tensor.
    pub fn normalised(inputs: usize, width: usize, activation: Activation, vb: VarBuilder) -> Result<Self> {
        let config = ConvNormConfig { activation, ..ConvNormConfig::default() };
        let layer = |i| ConvNorm::new(inputs, width, 1, config, vb.pp(i)).map(Layer::Normalised);
        Ok(Self { bins: layers(layer)?, corners: Corners::Aligned, averages_first: false })
    }

    /// Averages of `width` channels without norm and activation, resized with half-pixel corners.
    ///
    /// # Errors
    ///
    /// When the builder lacks a tensor.
    pub fn plain(inputs: usize, width: usize, vb: VarBuilder) -> Result<Self> {
        let point = Conv2dConfig::default();
        let layer = |i| Conv2d::with_bias(inputs, width, 1, point, vb.pp(i)).map(Layer::Plain);
        Ok(Self { bins: layers(layer)?, corners: Corners::HalfPixel, averages_first: false })
    }

    /// The same with the averages before the features, as CE2P and AGRNet have them.
    pub fn averages_first(self) -> Self {
        Self { averages_first: true, ..self }
    }

    /// Trainable parameters and multiply-adds for features of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        Cost::sum(self.bins.iter().zip(BINS).map(|(layer, bin)| layer.cost((bin, bin))), size)
    }

    fn average(&self, x: &Tensor, layer: &Layer, bin: usize, train: bool) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let average = layer.forward_t(&adaptive_avg_pool2d(x, (bin, bin))?, train)?;
        resize_bilinear(&average, (height, width), self.corners)
    }
}

fn layers(layer: impl Fn(usize) -> Result<Layer>) -> Result<Vec<Layer>> {
    (0..BINS.len()).map(layer).collect()
}

impl ModuleT for PyramidPooling {
    /// # Shapes
    ///
    /// `x` (N, inputs, H, W) to (N, inputs + 4 width, H, W).
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut maps = Vec::with_capacity(BINS.len() + 1);
        maps.push(x.clone());
        for (layer, bin) in self.bins.iter().zip(BINS) {
            maps.push(self.average(x, layer, bin, train).with_context(|| format!("{bin}x{bin} bins"))?);
        }
        if self.averages_first {
            maps.rotate_left(1);
        }
        Tensor::cat(&maps, 1)
    }
}

impl Layer {
    fn cost(&self, size: (usize, usize)) -> Cost {
        match self {
            Self::Normalised(layer) => layer.cost(size),
            Self::Plain(layer) => layer.cost(size),
        }
    }
}

impl ModuleT for Layer {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self {
            Self::Normalised(layer) => layer.forward_t(x, train),
            Self::Plain(layer) => layer.forward(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::Parameters;
    use sconce_tensors::testing::{every_var_has_gradient, hashed_signed};

    fn normalised(parameters: &Parameters) -> Result<PyramidPooling> {
        PyramidPooling::normalised(5, 3, Activation::Leaky(0.01), parameters.builder().pp("pyramid"))
    }

    fn plain(parameters: &Parameters) -> Result<PyramidPooling> {
        PyramidPooling::plain(5, 3, parameters.builder().pp("pyramid"))
    }

    #[test]
    fn any_size_keeps_its_size() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let head = normalised(&parameters)?;
        for (height, width) in [(1, 1), (5, 7), (12, 6)] {
            let y = head.forward_t(&hashed_signed("x", (1, 5, height, width), 1.), false)?;
            assert_eq!(y.dims(), [1, 17, height, width]);
        }
        Ok(())
    }

    #[test]
    fn every_parameter_has_its_name_its_cost_and_a_gradient() -> Result<()> {
        type New = fn(&Parameters) -> Result<PyramidPooling>;
        let cases: [(New, usize, &str); 2] =
            [(normalised, 12, "pyramid.3.conv.weight"), (plain, 8, "pyramid.3.bias")];
        for (new, count, name) in cases {
            let parameters = Parameters::new(0, &Device::Cpu);
            let head = new(&parameters)?;
            let names: Vec<_> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
            assert!(names.len() == count && names.contains(&name.to_owned()), "{names:?}");
            let cost = head.cost((8, 6));
            assert_eq!(cost.parameters, parameters.count() as u64);
            assert_eq!(cost.multiply_adds, 5 * 3 * (1 + 4 + 9 + 36));
            assert_eq!(cost.size, (8, 6));
            let y = head.forward_t(&hashed_signed("x", (2, 5, 8, 6), 1.), true)?;
            every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)?;
        }
        Ok(())
    }

    #[test]
    fn the_features_come_first_or_last() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let x = hashed_signed("x", (1, 5, 4, 4), 1.);
        let flat = |y: Tensor| y.flatten_all()?.to_vec1::<f32>();
        let first = flat(normalised(&parameters)?.forward_t(&x, false)?)?;
        let last = flat(normalised(&parameters)?.averages_first().forward_t(&x, false)?)?;
        let (features, averages) = first.split_at(5 * 16);
        assert_eq!(features, flat(x)?);
        assert_eq!(last, [averages, features].concat());
        Ok(())
    }

    #[test]
    fn a_batch_of_one_in_training_is_refused_with_its_bin() -> Result<()> {
        let (parameters, x) = (Parameters::new(0, &Device::Cpu), hashed_signed("x", (1, 5, 8, 6), 1.));
        let error = normalised(&parameters)?.forward_t(&x, true).unwrap_err().to_string();
        assert!(error.contains("1x1 bins"), "{error}");
        plain(&Parameters::new(0, &Device::Cpu))?.forward_t(&x, true)?; // has no norm
        Ok(())
    }
}
