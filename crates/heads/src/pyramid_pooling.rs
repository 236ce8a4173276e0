//! Pyramid pooling (Zhao et al. 2017, "Pyramid scene parsing network").

use candle_core::{Context, Module, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{
    Activation, Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, Corners, Cost, adaptive_avg_pool2d,
    adaptive_max_pool2d, resize_bilinear,
};
use serde::Deserialize;

/// The published cells a side of each pooled map.
pub const BINS: [usize; 4] = [1, 2, 3, 6];

/// What a bin of the features becomes. The paper compares both and takes the average.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Its mean.
    Average,
    /// Its greatest value.
    Max,
}

/// The features beside maps of them that are pooled over a few bins a side, such as [`BINS`].
///
/// Each pooled map passes a 1x1 convolution and is resized to the features' size; the channels given out are the
/// features, then the pooled maps in the order of their bins. Parameters: `0`, `1`, …, one for each number of bins.
#[derive(Debug)]
pub struct PyramidPooling {
    levels: Vec<(usize, Layer)>,
    pooling: Pooling,
    corners: Corners,
    pooled_first: bool,
}

/// What a pooled map passes.
#[derive(Debug)]
enum Layer {
    Normalised(ConvNorm),
    Plain(Conv2d),
}

impl PyramidPooling {
    /// The published head: averages over `bins` a side of `width` channels through batch norm and `activation`, resized
    /// with aligned corners.
    ///
    /// # Errors
    ///
    /// When there are no bins, a number of bins is 0, or the builder lacks a tensor.
    pub fn normalised(
        inputs: usize,
        width: usize,
        bins: &[usize],
        activation: Activation,
        vb: VarBuilder,
    ) -> Result<Self> {
        let config = ConvNormConfig { activation, ..ConvNormConfig::default() };
        let layer = |i| ConvNorm::new(inputs, width, 1, config, vb.pp(i)).map(Layer::Normalised);
        Self::of(bins, layer, Corners::Aligned)
    }

    /// Averages over `bins` a side of `width` channels without norm and activation, resized with half-pixel corners.
    ///
    /// # Errors
    ///
    /// When there are no bins, a number of bins is 0, or the builder lacks a tensor.
    pub fn plain(inputs: usize, width: usize, bins: &[usize], vb: VarBuilder) -> Result<Self> {
        let point = Conv2dConfig::default();
        let layer = |i| Conv2d::with_bias(inputs, width, 1, point, vb.pp(i)).map(Layer::Plain);
        Self::of(bins, layer, Corners::HalfPixel)
    }

    fn of(bins: &[usize], layer: impl Fn(usize) -> Result<Layer>, corners: Corners) -> Result<Self> {
        if bins.is_empty() || bins.contains(&0) {
            bail!("pyramid pooling: bins are {bins:?}; it needs one number or more, each at least 1");
        }
        let levels = bins.iter().enumerate().map(|(i, &bin)| Ok((bin, layer(i)?))).collect::<Result<_>>()?;
        Ok(Self { levels, pooling: Pooling::Average, corners, pooled_first: false })
    }

    /// The same with another pooling.
    pub fn with_pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }

    /// The same with the pooled maps before the features, as CE2P and AGRNet have them.
    pub fn pooled_first(self) -> Self {
        Self { pooled_first: true, ..self }
    }

    /// Trainable parameters and multiply-adds for features of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        Cost::sum(self.levels.iter().map(|(bin, layer)| layer.cost((*bin, *bin))), size)
    }

    fn pooled(&self, x: &Tensor, layer: &Layer, bin: usize, train: bool) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let pooled = match self.pooling {
            Pooling::Average => adaptive_avg_pool2d(x, (bin, bin))?,
            Pooling::Max => adaptive_max_pool2d(x, (bin, bin))?,
        };
        resize_bilinear(&layer.forward_t(&pooled, train)?, (height, width), self.corners)
    }
}

impl ModuleT for PyramidPooling {
    /// # Shapes
    ///
    /// `x` (N, inputs, H, W) to (N, inputs + levels · width, H, W), with a level for each number of bins.
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut maps = Vec::with_capacity(self.levels.len() + 1);
        maps.push(x.clone());
        for (bin, layer) in &self.levels {
            maps.push(self.pooled(x, layer, *bin, train).with_context(|| format!("{bin}x{bin} bins"))?);
        }
        if self.pooled_first {
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
        let activation = Activation::Leaky(0.01);
        PyramidPooling::normalised(5, 3, &BINS, activation, parameters.builder().pp("pyramid"))
    }

    fn plain(parameters: &Parameters) -> Result<PyramidPooling> {
        PyramidPooling::plain(5, 3, &BINS, parameters.builder().pp("pyramid"))
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
        let last = flat(normalised(&parameters)?.pooled_first().forward_t(&x, false)?)?;
        let (features, averages) = first.split_at(5 * 16);
        assert_eq!(features, flat(x)?);
        assert_eq!(last, [averages, features].concat());
        Ok(())
    }

    #[test]
    fn bins_and_pooling_can_be_chosen() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder().pp("pyramid");
        let head = PyramidPooling::plain(5, 3, &[1, 4], vb)?.with_pooling(Pooling::Max);
        let names: Vec<_> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["pyramid.0.bias", "pyramid.0.weight", "pyramid.1.bias", "pyramid.1.weight"]);
        assert_eq!(head.cost((8, 6)).multiply_adds, 5 * 3 * (1 + 16));
        let x = hashed_signed("x", (2, 5, 8, 6), 1.);
        let y = head.forward_t(&x, true)?;
        assert_eq!(y.dims(), [2, 5 + 2 * 3, 8, 6]);
        every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)?;
        // The first level is the layer's value at the greatest of each channel, everywhere.
        let (_, layer) = &head.levels[0];
        let greatest = x.max_keepdim(3)?.max_keepdim(2)?;
        let wanted = layer.forward_t(&greatest, true)?.broadcast_as((2, 3, 8, 6))?;
        let got = y.narrow(1, 5, 3)?.contiguous()?;
        sconce_tensors::testing::assert_close(&got, &wanted.contiguous()?, "1x1 bin");
        Ok(())
    }

    #[test]
    fn impossible_bins_are_refused() {
        for bins in [&[][..], &[1, 0]] {
            let vb = Parameters::new(0, &Device::Cpu);
            let error = PyramidPooling::plain(5, 3, bins, vb.builder()).unwrap_err().to_string();
            assert!(error.contains(&format!("bins are {bins:?}")), "{error}");
        }
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
