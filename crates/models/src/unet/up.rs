//! One level of the decoder.

use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_tensors::{Beside, ConvTranspose2d, ConvTranspose2dConfig, Cost};

use super::double_conv::DoubleConv;
use super::{Config, LEVELS, Upsampling};

/// A transposed convolution whose 2x2 kernels lie side by side.
const DOUBLE: ConvTranspose2dConfig = ConvTranspose2dConfig { stride: 2, padding: 0, output_padding: 0 };

/// The coarser level doubled, beside the encoder's level of that size, through two convolutions. Where the encoder halved
/// an odd size, zeros surround what is a pixel too small.
#[derive(Debug, Clone)]
pub(super) struct Up {
    /// None where the coarser level is resized instead.
    deconv: Option<ConvTranspose2d>,
    convs: DoubleConv,
}

impl Up {
    /// Level `number` of the decoder, 0 the coarsest.
    pub(super) fn new(number: usize, config: &Config, vb: &VarBuilder) -> Result<Self> {
        let level = LEVELS - 1 - number;
        let (skip, outputs) = (config.encoder_width(level), config.decoder_width(level));
        let (deconv, middle) = match config.upsampling {
            Upsampling::Bilinear => (None, skip),
            Upsampling::Deconv => {
                let deconv = ConvTranspose2d::new(2 * skip, skip, 2, DOUBLE, vb.pp("deconv").pp(number))?;
                (Some(deconv), outputs)
            }
        };
        Ok(Self { deconv, convs: DoubleConv::new([2 * skip, middle, outputs], vb.pp("up").pp(number))? })
    }

    pub(super) fn forward_t(&self, x: &Tensor, skip: &Tensor, train: bool) -> Result<Tensor> {
        match &self.deconv {
            Some(deconv) => self.convs.forward_t(skip, Some(Beside::Same(&deconv.forward(x)?)), train),
            None => self.convs.forward_t(skip, Some(Beside::Doubled(x)), train),
        }
    }

    /// The cost between these sizes (height, width) of the coarser and the finer level.
    pub(super) fn cost(&self, coarse: (usize, usize), fine: (usize, usize)) -> Cost {
        let deconv = self.deconv.as_ref().map(|deconv| deconv.cost(coarse));
        Cost::sum(deconv.into_iter().chain([self.convs.cost(fine)]), fine)
    }
}
