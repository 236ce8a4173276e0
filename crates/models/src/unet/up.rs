//! One level of the decoder.

use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_tensors::{ConvTranspose2d, ConvTranspose2dConfig, Corners, Cost, resize_bilinear};

use super::double_conv::DoubleConv;
use super::{Config, LEVELS, Upsampling};

/// A transposed convolution whose 2x2 kernels lie side by side.
const DOUBLE: ConvTranspose2dConfig = ConvTranspose2dConfig { stride: 2, padding: 0, output_padding: 0 };

/// The coarser level doubled, beside the encoder's level of that size, through two convolutions.
#[derive(Debug)]
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
        let x = centred(&self.doubled(x)?, skip)?;
        self.convs.forward_t(&Tensor::cat(&[skip, &x], 1)?, train)
    }

    /// The cost between these sizes (height, width) of the coarser and the finer level.
    pub(super) fn cost(&self, coarse: (usize, usize), fine: (usize, usize)) -> Cost {
        let deconv = self.deconv.as_ref().map(|deconv| deconv.cost(coarse));
        Cost::sum(deconv.into_iter().chain([self.convs.cost(fine)]), fine)
    }

    fn doubled(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        match &self.deconv {
            Some(deconv) => deconv.forward(x),
            None => resize_bilinear(x, (2 * height, 2 * width), Corners::Aligned),
        }
    }
}

/// `x` in the middle of zeros of the size of `like`, which is a pixel larger where the encoder halved an odd
/// size.
fn centred(x: &Tensor, like: &Tensor) -> Result<Tensor> {
    let ((_, _, h, w), (_, _, height, width)) = (x.dims4()?, like.dims4()?);
    let (above, left) = ((height - h) / 2, (width - w) / 2);
    x.pad_with_zeros(2, above, height - h - above)?.pad_with_zeros(3, left, width - w - left)
}
