//! U-Net (Ronneberger, Fischer, Brox 2015, "U-Net: Convolutional networks for biomedical image
//! segmentation"), with padded convolutions and batch norm.
//!
//! An encoder halves the image four times, a decoder doubles it four times, and every level of the decoder
//! sees the encoder's level of its size.

mod double_conv;
mod up;

use candle_core::{Context, Module, ModuleT, Result, Tensor, bail};
use candle_nn::VarBuilder;
use sconce_tensors::{Conv2d, Conv2dConfig, Cost, Dropout, Memory, PoolConfig, max_pool2d};
use serde::Deserialize;

use crate::Output;
use crate::config::at_least_one;
use double_conv::DoubleConv;
use up::Up;

/// Everything a [`Unet`] is built from. The published width is 64.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Channels of the image.
    pub channels: usize,
    /// Number of scores for each pixel: of classes, or 1 for a foreground.
    pub classes: usize,
    /// Channels of the finest level; each of the four coarser ones doubles them.
    pub base_width: usize,
    /// How the decoder doubles a map.
    pub upsampling: Upsampling,
    /// Probability that an element of the coarsest level is dropped in training, where the paper has drop-out: at the end of the
    /// contracting path (section 3.1). 0 drops nothing, as in the usual re-implementations.
    pub dropout: f64,
    /// What a training step keeps of the inside of each level but the two coarsest, which hold little.
    pub memory: Memory,
}

/// How the decoder doubles a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upsampling {
    /// Bilinear with aligned corners; the coarser of two levels is half as wide, since nothing else brings it
    /// there.
    Bilinear,
    /// A transposed 2x2 convolution of stride 2 that halves the channels, as published.
    Deconv,
}

impl Config {
    /// Colour images, the published widths and bilinear upsampling: 17,262,977 parameters for a single class.
    pub fn bilinear(classes: usize) -> Self {
        Self {
            channels: 3,
            classes,
            base_width: 64,
            upsampling: Upsampling::Bilinear,
            dropout: 0.0,
            memory: Memory::Plain,
        }
    }

    /// Colour images, the published widths and transposed convolutions: 31,037,633 parameters for a single
    /// class.
    pub fn deconv(classes: usize) -> Self {
        Self { upsampling: Upsampling::Deconv, ..Self::bilinear(classes) }
    }

    /// Channels of the encoder's level, 0 the finest.
    fn encoder_width(&self, level: usize) -> usize {
        let width = self.base_width << level;
        if level == LEVELS { width / self.narrowing() } else { width }
    }

    /// Channels of the decoder's level, 0 the finest.
    fn decoder_width(&self, level: usize) -> usize {
        let width = self.base_width << level;
        if level == 0 { width } else { width / self.narrowing() }
    }

    fn narrowing(&self) -> usize {
        match self.upsampling {
            Upsampling::Bilinear => 2,
            Upsampling::Deconv => 1,
        }
    }
}

/// The network. Parameters lie under the builder's prefix: `stem.first.conv.weight`,
/// `down.0.second.norm.bias`, `deconv.0.weight`, `up.3.first.conv.weight`, `score.bias`.
#[derive(Debug)]
pub struct Unet {
    stem: DoubleConv,
    down: Vec<DoubleConv>,
    dropout: Option<Dropout>,
    up: Vec<Up>,
    score: Conv2d,
    memory: Memory,
}

/// How often the encoder halves the image.
const LEVELS: usize = 4;

/// Finest levels that [`Memory::Recompute`] is about. Each level takes about as long as the others, but holds half of what the finer
/// one does: running the two coarsest again would cost a quarter of the time and save next to nothing.
const RECOMPUTED: usize = 3;

/// Halves a map, an odd last row or column left out.
const HALVE: PoolConfig = PoolConfig { kernel: 2, stride: 2, padding: 0, ceil_mode: false };

impl Unet {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// When a size in the config is 0, the dropout is no probability, or the builder lacks a tensor.
    pub fn new(config: &Config, vb: VarBuilder) -> Result<Self> {
        let &Config { channels, classes, base_width, .. } = config;
        at_least_one("unet", &[("channels", channels), ("classes", classes), ("base-width", base_width)])?;
        let down = |i| {
            let (inputs, outputs) = (config.encoder_width(i), config.encoder_width(i + 1));
            DoubleConv::new([inputs, outputs, outputs], vb.pp("down").pp(i))
        };
        let dropout = || Dropout::of_elements(config.dropout, vb.pp("dropout"));
        Ok(Self {
            stem: DoubleConv::new([channels, base_width, base_width], vb.pp("stem"))?,
            down: (0..LEVELS).map(down).collect::<Result<_>>()?,
            dropout: (config.dropout != 0.0).then(dropout).transpose()?,
            up: (0..LEVELS).map(|i| Up::new(i, config, &vb)).collect::<Result<_>>()?,
            score: Conv2d::with_bias(base_width, classes, 1, Conv2dConfig::default(), vb.pp("score"))?,
            memory: config.memory,
        })
    }

    /// The network's scores for `image`. With `train`, batch norm uses the batch's statistics and updates the
    /// running ones.
    ///
    /// # Shapes
    ///
    /// `image` (N, channels, H, W), H and W at least 16 and not necessarily multiples of anything.
    ///
    /// # Errors
    ///
    /// When the image has another shape.
    pub fn forward_t(&self, image: &Tensor, train: bool) -> Result<Output> {
        let (_, _, height, width) = image.dims4()?;
        if height.min(width) < 1 << LEVELS {
            bail!(
                "unet: an image of {height} x {width} pixels cannot be halved {LEVELS} times, give at least 16 x 16"
            );
        }
        // A prediction keeps nothing that could be left out.
        let memory_of = |level| if train && level < RECOMPUTED { self.memory } else { Memory::Plain };
        let mut skips = Vec::with_capacity(LEVELS);
        let stem = self.stem.clone();
        let stem = move |[image]: [Tensor; 1]| stem.forward_t(&image, None, train);
        let mut x = memory_of(0).run([image.clone()], stem).context("unet, stem")?;
        for (i, down) in self.down.iter().cloned().enumerate() {
            skips.push(x.clone());
            let down = move |[x]: [Tensor; 1]| down.forward_t(&max_pool2d(&x, HALVE)?, None, train);
            x = memory_of(i + 1).run([x], down).with_context(|| format!("unet, down {i}"))?;
        }
        if let Some(dropout) = &self.dropout {
            x = dropout.forward_t(&x, train)?;
        }
        for (i, up) in self.up.iter().cloned().enumerate() {
            let Some(skip) = skips.pop() else { bail!("unet, up {i}: no level of the encoder is left") };
            // The scores are part of the last level, whose result is then kept no longer than its inside.
            let score = skips.is_empty().then(|| self.score.clone());
            let up = move |[x, skip]: [Tensor; 2]| {
                let y = up.forward_t(&x, &skip, train)?;
                drop((x, skip));
                score.as_ref().map_or(Ok(y.clone()), |score| score.forward(&y))
            };
            x = memory_of(LEVELS - 1 - i).run([x, skip], up).with_context(|| format!("unet, up {i}"))?;
        }
        Ok(Output { logits: x, aux: None })
    }

    /// Takes the dropout masks of `seed` from now on, those of training pass `pass` next.
    pub fn restart_dropout(&self, seed: u64, pass: u64) {
        self.dropout.iter().for_each(|dropout| dropout.restart(seed, pass));
    }

    /// Trainable parameters and multiply-adds of each level for one image of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let level = |i: usize| (size.0 >> i, size.1 >> i);
        let mut stages = vec![("stem".to_owned(), self.stem.cost(size))];
        for (i, down) in self.down.iter().enumerate() {
            stages.push((format!("down {i}"), down.cost(level(i + 1))));
        }
        for (i, up) in self.up.iter().enumerate() {
            let fine = LEVELS - 1 - i;
            stages.push((format!("up {i}"), up.cost(level(fine + 1), level(fine))));
        }
        stages.push(("score".to_owned(), self.score.cost(size)));
        stages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    const SMALL: &str = "
        channels = 3
        classes = 1
        base-width = 8
        upsampling = 'deconv'
        dropout = 0.5
        memory = 'recompute'
    ";

    #[test]
    fn a_config_is_read_and_its_keys_are_checked() {
        let config: Config = toml::from_str(SMALL).unwrap();
        assert_eq!(
            config,
            Config { base_width: 8, dropout: 0.5, memory: Memory::Recompute, ..Config::deconv(1) }
        );
        let error = toml::from_str::<Config>(&SMALL.replace("deconv", "nearest")).unwrap_err().to_string();
        assert!(error.contains("`bilinear`") && error.contains("line 5"), "{error}");
        let error = toml::from_str::<Config>(&SMALL.replace("base-width", "width")).unwrap_err().to_string();
        assert!(error.contains("`width`") && error.contains("`base-width`"), "{error}");
    }

    #[test]
    fn dropout_drops_in_training_alone_and_begins_again_where_asked() {
        let config = Config { base_width: 2, dropout: 0.5, ..Config::bilinear(1) };
        let parameters = sconce_tensors::Parameters::new(1, &Device::Cpu);
        let network = Unet::new(&config, parameters.builder()).unwrap();
        let image = sconce_tensors::testing::hashed_uniform("image", (1, 3, 64, 64));
        let pass = |train: bool| -> Vec<f32> {
            network.forward_t(&image, train).unwrap().logits.flatten_all().unwrap().to_vec1().unwrap()
        };
        let (first, second) = (pass(true), pass(true));
        assert_ne!(first, second);
        network.restart_dropout(0, 1);
        assert_eq!(pass(true), second);
        let before = pass(false);
        assert_eq!(pass(false), before);
        let wrong = Config { dropout: 1.5, ..config };
        let error = Unet::new(&wrong, parameters.builder()).unwrap_err().to_string();
        assert!(error.contains("dropout"), "{error}");
    }

    #[test]
    fn a_size_of_zero_is_refused_by_name() {
        let config = Config { base_width: 0, ..Config::bilinear(1) };
        let error = Unet::new(&config, VarBuilder::zeros(DType::F32, &Device::Cpu)).unwrap_err().to_string();
        assert!(error.contains("unet: base-width is 0"), "{error}");
    }
}
