//! The edge branch of CE2P and AGRNet (Ruan et al. 2019, "Devil in the details"; Te et al. 2021).

use candle_core::{Context, Result, Tensor, bail};
use candle_nn::{Module, ModuleT, VarBuilder};
use sconce_tensors::{
    Activation, Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, Corners, Cost, resize_bilinear,
};

/// Scores of "no edge" and "edge" for every pixel of the finest of several levels.
///
/// Each level passes its own 1x1 convolution and then one 3x3 convolution shared by all; the scores are resized to the
/// finest level with aligned corners and fused. Parameters: `edge_lateral.0` …, `edge_score` and `edge_fuse`.
#[derive(Debug)]
pub struct EdgeBranch {
    lateral: Vec<ConvNorm>,
    score: Conv2d,
    fuse: Conv2d,
}

/// "No edge" and "edge".
const CLASSES: usize = 2;

impl EdgeBranch {
    /// Builds the branch for levels of `inputs` channels, the finest first, with `width` channels inside; its parameters are
    /// named under `vb`'s prefix.
    ///
    /// # Errors
    ///
    /// When the builder lacks a tensor.
    pub fn new(inputs: &[usize], width: usize, activation: Activation, vb: VarBuilder) -> Result<Self> {
        let layer = ConvNormConfig { activation, ..ConvNormConfig::default() };
        let names = vb.pp("edge_lateral");
        let lateral = inputs.iter().enumerate().map(|(i, &c)| ConvNorm::new(c, width, 1, layer, names.pp(i)));
        let lateral = lateral.collect::<Result<Vec<_>>>()?;
        let same = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let score = Conv2d::with_bias(width, CLASSES, 3, same, vb.pp("edge_score"))?;
        let point = Conv2dConfig::default();
        let fuse = Conv2d::with_bias(inputs.len() * CLASSES, CLASSES, 1, point, vb.pp("edge_fuse"))?;
        Ok(Self { lateral, score, fuse })
    }

    /// Edge logits at the first level's size.
    ///
    /// # Shapes
    ///
    /// Level i (N, inputs i, H i, W i), the finest first, to (N, 2, H 0, W 0): channel 0 "no edge", 1 "edge".
    ///
    /// # Errors
    ///
    /// When the levels' number or channels are not those the branch was built for.
    pub fn forward_t(&self, levels: &[&Tensor], train: bool) -> Result<Tensor> {
        if levels.len() != self.lateral.len() || levels.is_empty() {
            bail!("the edge branch reads {} levels, got {}", self.lateral.len(), levels.len());
        }
        let (_, _, height, width) = levels[0].dims4()?;
        let mut scores = Vec::with_capacity(levels.len());
        for (i, (lateral, level)) in self.lateral.iter().zip(levels).enumerate() {
            let inner = lateral.forward_t(level, train).with_context(|| format!("level {i}"))?;
            scores.push(resize_bilinear(&self.score.forward(&inner)?, (height, width), Corners::Aligned)?);
        }
        self.fuse.forward(&Tensor::cat(&scores, 1)?)
    }

    /// Trainable parameters and multiply-adds for levels of these `sizes` (height, width), the finest first.
    pub fn cost(&self, sizes: &[(usize, usize)]) -> Cost {
        let finest = sizes.first().copied().unwrap_or((0, 0));
        let mut total = self.fuse.cost(finest);
        total.parameters += self.score.cost(finest).parameters; // shared by the levels
        for (lateral, &size) in self.lateral.iter().zip(sizes) {
            let cost = lateral.cost(size);
            total.parameters += cost.parameters;
            total.multiply_adds += cost.multiply_adds + self.score.cost(size).multiply_adds;
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::Parameters;
    use sconce_tensors::testing::{every_var_has_gradient, hashed_signed};

    fn levels() -> [Tensor; 2] {
        [hashed_signed("fine", (2, 3, 9, 7), 1.), hashed_signed("coarse", (2, 5, 5, 4), 1.)]
    }

    #[test]
    fn scores_have_the_finest_size_and_every_parameter_learns() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let head = EdgeBranch::new(&[3, 5], 4, Activation::Relu, parameters.builder())?;
        let [fine, coarse] = levels();
        let scores = head.forward_t(&[&fine, &coarse], true)?;
        assert_eq!(scores.dims(), [2, 2, 9, 7]);
        every_var_has_gradient(&scores.sqr()?.sum_all()?, &parameters)?;

        let cost = head.cost(&[(9, 7), (5, 4)]);
        assert_eq!(cost.parameters, parameters.count() as u64);
        assert_eq!(cost.multiply_adds, (12 + 72) * 63 + (20 + 72) * 20 + 8 * 63);
        assert_eq!(cost.size, (9, 7));
        Ok(())
    }

    #[test]
    fn another_number_of_levels_is_refused() -> Result<()> {
        let head = EdgeBranch::new(&[3, 5], 4, Activation::Relu, Parameters::new(0, &Device::Cpu).builder())?;
        let error = head.forward_t(&[&levels()[0]], false).unwrap_err().to_string();
        assert!(error.contains("2 levels, got 1"), "{error}");
        Ok(())
    }
}
