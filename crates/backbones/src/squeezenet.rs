//! SqueezeNet (Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB
//! model size") without its classifier.
//!
//! Parameter names are torchvision's: `features.0.weight`, `features.3.squeeze.weight`,
//! `features.3.expand1x1.bias`.

mod fire;

use candle_core::{Context, Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_tensors::{Conv2d, Conv2dConfig, Cost, PoolConfig, max_pool2d, relu};
use serde::Deserialize;

use crate::{Backbone, Level};
use fire::Fire;

/// Which of the two published networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Version {
    /// The paper's: a 7x7 stem of 96 channels; 735,424 parameters.
    #[serde(rename = "1.0")]
    V1_0,
    /// The authors' later one, with a 3x3 stem of 64 channels and earlier pools: 722,496 parameters and 2.4
    /// times less work.
    #[serde(rename = "1.1")]
    V1_1,
}

impl Version {
    /// Channels and kernel of the stem.
    fn stem(self) -> (usize, usize) {
        match self {
            Self::V1_0 => (96, 7),
            Self::V1_1 => (64, 3),
        }
    }

    /// Fire modules after each of the three pools.
    fn fires(self) -> [usize; 3] {
        match self {
            Self::V1_0 => [3, 4, 1],
            Self::V1_1 => [2, 2, 4],
        }
    }
}

/// A SqueezeNet.
///
/// Its levels have the strides 2, 4, 8 and 16. Nothing is padded, and every pool halves a size and drops the
/// remainder: an image of 256 x 256 pixels gives maps of 127, 63, 31 and 15 pixels a side with version 1.1.
#[derive(Debug)]
pub struct Squeezenet {
    stem: Conv2d,
    /// Each after a pool.
    stages: Vec<Vec<Fire>>,
    levels: Vec<Level>,
}

const POOL: PoolConfig = PoolConfig { kernel: 3, stride: 2, padding: 0, ceil_mode: true };

impl Squeezenet {
    /// Builds the network; its parameters are named under `vb`'s prefix.
    ///
    /// # Errors
    ///
    /// When the builder lacks a tensor.
    pub fn new(version: Version, vb: VarBuilder) -> Result<Self> {
        let features = vb.pp("features");
        let (mut channels, kernel) = version.stem();
        let halve = Conv2dConfig { stride: 2, ..Conv2dConfig::default() };
        let stem = Conv2d::with_bias_for_relu(3, channels, kernel, halve, features.pp(0))?;
        let (mut levels, mut stages) = (vec![Level { channels, stride: 2 }], Vec::with_capacity(3));
        let (mut index, mut number) = (3, 0); // after the stem, its ReLU and the first pool
        for fires in version.fires() {
            let mut stage = Vec::with_capacity(fires);
            for _ in 0..fires {
                stage.push(Fire::new(number, channels, features.pp(index))?);
                channels = fire::outputs(number);
                (index, number) = (index + 1, number + 1);
            }
            index += 1; // the next pool
            stages.push(stage);
            levels.push(Level { channels, stride: 2 << stages.len() });
        }
        Ok(Self { stem, stages, levels })
    }

    /// Trainable parameters and multiply-adds of the stem and of each stage for one image of `size` (height,
    /// width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let mut costs = vec![("stem".to_owned(), self.stem.cost(size))];
        for (i, stage) in self.stages.iter().enumerate() {
            let (height, width) = costs[i].1.size;
            let size = (height / 2, width / 2);
            let cost = Cost::sum(stage.iter().map(|fire| fire.cost(size)), size);
            costs.push((format!("stage{}", i + 1), cost));
        }
        costs
    }
}

impl Backbone for Squeezenet {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Training and evaluation are the same: there is no batch norm.
    fn features(&self, image: &Tensor, _train: bool) -> Result<Vec<Tensor>> {
        let mut x = relu(&self.stem.forward(image).context("backbone, stem")?)?;
        let mut features = vec![x.clone()];
        for (i, stage) in self.stages.iter().enumerate() {
            x = max_pool2d(&x, POOL).with_context(|| format!("backbone, pool before stage{}", i + 1))?;
            for fire in stage {
                x = fire.forward(&x)?;
            }
            features.push(x.clone());
        }
        Ok(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::Parameters;
    use sconce_tensors::testing::{every_var_has_gradient, hashed_signed};

    /// torchvision's own counts, less the classifier's 513,000.
    #[test]
    fn both_versions_have_as_many_parameters_as_published() -> Result<()> {
        for (version, published) in [(Version::V1_0, 1_248_424), (Version::V1_1, 1_235_496)] {
            let parameters = Parameters::new(0, &Device::Cpu);
            let network = Squeezenet::new(version, parameters.builder())?;
            assert_eq!(parameters.count(), published - 513_000);
            let cost = Cost::sum(network.cost((64, 64)).into_iter().map(|(_, cost)| cost), (3, 3));
            assert_eq!(cost.parameters, parameters.count() as u64);
        }
        Ok(())
    }

    #[test]
    fn names_are_those_of_torchvision() -> Result<()> {
        for (version, fires) in
            [(Version::V1_0, [3, 4, 5, 7, 8, 9, 10, 12]), (Version::V1_1, [3, 4, 6, 7, 9, 10, 11, 12])]
        {
            let parameters = Parameters::new(0, &Device::Cpu);
            Squeezenet::new(version, parameters.builder())?;
            let tensors = parameters.tensors();
            assert_eq!(tensors.len(), 2 + 8 * 6);
            assert!(tensors.contains_key("features.0.bias"));
            for index in fires {
                assert!(tensors.contains_key(&format!("features.{index}.expand3x3.weight")), "{index}");
            }
        }
        Ok(())
    }

    #[test]
    fn features_have_the_shapes_that_levels_and_costs_announce() -> Result<()> {
        for (version, size, sides) in [
            (Version::V1_1, (256, 97), [(127, 48), (63, 24), (31, 12), (15, 6)]),
            (Version::V1_0, (64, 59), [(29, 27), (14, 13), (7, 6), (3, 3)]),
        ] {
            let network = Squeezenet::new(version, Parameters::new(0, &Device::Cpu).builder())?;
            let features = network.features(&hashed_signed("image", (1, 3, size.0, size.1), 2.), false)?;
            let costs = network.cost(size);
            for (i, (feature, level)) in features.iter().zip(network.levels()).enumerate() {
                assert_eq!(feature.dims(), [1, level.channels, sides[i].0, sides[i].1]);
                assert_eq!((costs[i].1.size, level.stride), (sides[i], 2 << i));
            }
            assert_eq!((features.len(), network.levels()[3].channels), (4, 512));
        }
        Ok(())
    }

    /// With half-sized initial weights each of the 17 layers in a row would shrink what it passes on.
    #[test]
    fn a_new_network_keeps_the_size_of_what_passes_through_it() -> Result<()> {
        for version in [Version::V1_0, Version::V1_1] {
            let network = Squeezenet::new(version, Parameters::new(0, &Device::Cpu).builder())?;
            let features = network.features(&hashed_signed("image", (2, 3, 96, 96), 2.), false)?;
            let size = |x: &Tensor| x.sqr()?.mean_all()?.sqrt()?.to_scalar::<f32>();
            let (first, last) = (size(&features[0])?, size(&features[3])?);
            assert!((0.2..5.0).contains(&(last / first)), "{version:?}: from {first} to {last}");
        }
        Ok(())
    }

    #[test]
    fn every_parameter_receives_a_gradient() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let network = Squeezenet::new(Version::V1_1, parameters.builder())?;
        let features = network.features(&hashed_signed("image", (1, 3, 40, 53), 2.), true)?;
        every_var_has_gradient(&features[3].sqr()?.sum_all()?, &parameters)
    }

    #[test]
    fn an_image_that_is_too_small_is_refused_with_its_place() -> Result<()> {
        let network = Squeezenet::new(Version::V1_1, Parameters::new(0, &Device::Cpu).builder())?;
        let error = network.features(&hashed_signed("image", (1, 3, 16, 16), 2.), false).unwrap_err();
        assert!(error.to_string().contains("pool before stage3"), "{error}");
        Ok(())
    }
}
