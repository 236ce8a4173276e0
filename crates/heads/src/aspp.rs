//! Atrous spatial pyramid pooling (Chen et al. 2017, "Rethinking atrous convolution for semantic image
//! segmentation").

use candle_core::{Context, Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use sconce_tensors::{
    ConvNorm, ConvNormConfig, Corners, Cost, Dropout, adaptive_avg_pool2d, resize_bilinear,
};

/// Sizes of an [`Aspp`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AsppConfig {
    /// Channels of the features.
    pub inputs: usize,
    /// Channels of each branch and of the result.
    pub width: usize,
    /// Dilations of the 3x3 convolutions, in pixels of the features. Published: 6, 12, 18 at stride 16, twice
    /// that at stride 8.
    pub rates: [usize; 3],
    /// Probability with which an element of the result is dropped in training.
    pub dropout: f64,
}

/// The features through a 1x1 convolution, through 3x3 convolutions of three dilations and averaged over the
/// image, side by side, projected by a 1x1 convolution.
///
/// Parameters: `branch.0` … `branch.3`, `image` and `project`.
#[derive(Debug)]
pub struct Aspp {
    branches: Vec<ConvNorm>,
    image: ConvNorm,
    project: ConvNorm,
    dropout: Dropout,
}

impl Aspp {
    /// Builds the head; its parameters are named under `vb`'s prefix.
    ///
    /// # Errors
    ///
    /// When a rate is 0, the probability is outside 0..=1 or the builder lacks a tensor.
    pub fn new(config: &AsppConfig, vb: VarBuilder) -> Result<Self> {
        let &AsppConfig { inputs, width, rates, dropout } = config;
        let (names, point) = (vb.pp("branch"), ConvNormConfig::default());
        let mut branches = vec![ConvNorm::new(inputs, width, 1, point, names.pp(0))?];
        for (i, dilation) in rates.into_iter().enumerate() {
            let wide = ConvNormConfig { dilation, ..point };
            branches.push(ConvNorm::new(inputs, width, 3, wide, names.pp(i + 1))?);
        }
        let joined = (branches.len() + 1) * width;
        Ok(Self {
            branches,
            image: ConvNorm::new(inputs, width, 1, point, vb.pp("image"))?,
            project: ConvNorm::new(joined, width, 1, point, vb.pp("project"))?,
            dropout: Dropout::of_elements(dropout, vb.pp("dropout"))?,
        })
    }

    /// See [`Dropout::restart`].
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        self.dropout.restart(seed, pass);
    }

    /// Trainable parameters and multiply-adds for features of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        let branches = self.branches.iter().map(|layer| layer.cost(size));
        Cost::sum(branches.chain([self.image.cost((1, 1)), self.project.cost(size)]), size)
    }

    fn image_average(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let average = self.image.forward_t(&adaptive_avg_pool2d(x, (1, 1))?, train)?;
        resize_bilinear(&average, (height, width), Corners::HalfPixel)
    }
}

impl ModuleT for Aspp {
    /// # Shapes
    ///
    /// `x` (N, inputs, H, W) to (N, width, H, W).
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut maps = Vec::with_capacity(self.branches.len() + 1);
        for (i, layer) in self.branches.iter().enumerate() {
            maps.push(layer.forward_t(x, train).with_context(|| format!("branch {i}"))?);
        }
        maps.push(self.image_average(x, train).context("image average")?);
        self.dropout.forward_t(&self.project.forward_t(&Tensor::cat(&maps, 1)?, train)?, train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::Parameters;
    use sconce_tensors::testing::{every_var_has_gradient, hashed_signed};

    const CONFIG: AsppConfig = AsppConfig { inputs: 5, width: 3, rates: [1, 2, 9], dropout: 0.5 };

    #[test]
    fn every_parameter_has_its_name_its_cost_and_a_gradient() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let head = Aspp::new(&CONFIG, parameters.builder().pp("aspp"))?;
        let names: Vec<_> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 6 * 3);
        for name in ["aspp.branch.3.conv.weight", "aspp.image.norm.bias", "aspp.project.conv.weight"] {
            assert!(names.contains(&name.to_owned()), "{name}");
        }
        let cost = head.cost((4, 7));
        assert_eq!((cost.parameters, cost.size), (parameters.count() as u64, (4, 7)));
        assert_eq!(cost.multiply_adds, (15 + 3 * 135 + 45) * 28 + 15);
        let y = head.forward_t(&hashed_signed("x", (2, 5, 4, 7), 1.), true)?;
        assert_eq!(y.dims(), [2, 3, 4, 7]);
        every_var_has_gradient(&y.sqr()?.sum_all()?, &parameters)
    }

    #[test]
    fn dropout_is_drawn_anew_and_repeats_after_a_restart() -> Result<()> {
        let head = Aspp::new(&CONFIG, Parameters::new(0, &Device::Cpu).builder())?;
        let x = hashed_signed("x", (2, 5, 8, 8), 1.);
        let train = || head.forward_t(&x, true)?.flatten_all()?.to_vec1::<f32>();
        head.restart_dropout(3, 0);
        let (first, second) = (train()?, train()?);
        assert_ne!(first, second);
        head.restart_dropout(3, 1);
        assert_eq!(train()?, second);
        Ok(())
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let vb = || Parameters::new(0, &Device::Cpu).builder().pp("aspp");
        let error = Aspp::new(&AsppConfig { rates: [0, 1, 2], ..CONFIG }, vb()).unwrap_err().to_string();
        assert!(error.contains("aspp.branch.1"), "{error}");
        let error = Aspp::new(&AsppConfig { dropout: -1., ..CONFIG }, vb()).unwrap_err().to_string();
        assert!(error.contains("aspp.dropout"), "{error}");
    }

    #[test]
    fn a_batch_of_one_in_training_is_refused_with_its_place() -> Result<()> {
        let head = Aspp::new(&CONFIG, Parameters::new(0, &Device::Cpu).builder())?;
        let error = head.forward_t(&hashed_signed("x", (1, 5, 8, 6), 1.), true).unwrap_err().to_string();
        assert!(error.contains("image average"), "{error}");
        Ok(())
    }
}
