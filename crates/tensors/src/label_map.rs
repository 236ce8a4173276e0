//! Logits to label maps.

use crate::blocks::{Block, PIXELS};
use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
    pixel_classes::Pixels,
};
use crate::filled::zeros;
use crate::host;
use crate::simd::vectorised;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// The class with the highest logit at each pixel, the lower one of equals. NaN never wins. No gradient.
///
/// # Shapes
/// logits (N, C, H, W) f32, C at most 256 -> (N, H, W) u8.
///
/// # Errors
/// If `logits` is not f32 of rank 4 or has more than 256 channels.
pub fn label_map(logits: &Tensor) -> Result<Tensor> {
    logits.contiguous()?.watched_op1_no_bwd(&LabelMap)
}

struct LabelMap;

impl CustomOp1 for LabelMap {
    fn name(&self) -> &'static str {
        "label_map"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = sizes(layout)?;
        let logits = host::slice::<f32>(storage, layout, self.name())?;
        let mut labels = zeros(n * h * w);
        let blocks = Block::all(n, c, h * w);
        let slices: Vec<&mut [u8]> =
            labels.chunks_exact_mut((h * w).max(1)).flat_map(|image| image.chunks_mut(PIXELS)).collect();
        slices.into_par_iter().zip(blocks).for_each(|(labels, block)| highest(logits, block, c, labels));
        Ok((CpuStorage::U8(labels), (n, h, w).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, _, h, w) = sizes(layout)?;
        let (of, from) =
            (Pixels::new(layout.dims(), self.name())?, card::pointer::<f32>(x, layout, self.name())?);
        // SAFETY: a float for every pixel and channel, of which `sizes` allows 256, and a label for every pixel.
        let fill = |card: &Card, labels| unsafe { cuda::pixel_classes::label_map(card, of, [from, labels]) };
        // SAFETY: the kernel writes every label.
        let labels = unsafe { card::filled::<u8>(&x.device, of.count(), fill) }?;
        Ok((labels, (n, h, w).into()))
    }
}

/// Of logits whose channels a byte can tell apart.
fn sizes(layout: &Layout) -> Result<(usize, usize, usize, usize)> {
    let (n, c, h, w) = layout.shape().dims4()?;
    if c == 0 || c > 256 {
        bail!("label_map: {c} channels do not fit labels of 8 bits, {:?}", layout.shape());
    }
    Ok((n, c, h, w))
}

vectorised! {
    fn highest(logits: &[f32], block: Block, channels: usize, labels: &mut [u8]) {
        let mut best = [f32::NEG_INFINITY; PIXELS];
        for channel in 0..channels {
            let values = block.channel(logits, channel);
            for ((best, label), value) in best.iter_mut().zip(labels.iter_mut()).zip(values) {
                let higher = *value > *best;
                *best = if higher { *value } else { *best };
                *label = if higher { channel as u8 } else { *label };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hashed_signed;
    use candle_core::Device;

    #[test]
    fn each_pixel_gets_its_highest_class() -> Result<()> {
        let logits = hashed_signed("logits", (2, 19, 33, 47), 1.0);
        let want = logits.argmax(1)?.to_vec3::<u32>()?;
        let got = label_map(&logits)?.to_vec3::<u8>()?;
        let got: Vec<Vec<Vec<u32>>> = got
            .into_iter()
            .map(|image| image.into_iter().map(|row| row.into_iter().map(u32::from).collect()).collect())
            .collect();
        assert_eq!(got, want);
        Ok(())
    }

    #[test]
    fn equal_logits_take_the_lower_class_and_nan_never_wins() -> Result<()> {
        let logits = Tensor::from_vec(vec![1.0f32, f32::NAN, 1.0, 0.5], (1, 2, 1, 2), &Device::Cpu)?;
        assert_eq!(label_map(&logits)?.flatten_all()?.to_vec1::<u8>()?, [0, 1]);
        Ok(())
    }

    #[test]
    fn more_than_256_classes_are_an_error() {
        let logits = Tensor::zeros((1, 257, 1, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(label_map(&logits).unwrap_err().to_string().contains("257"));
    }
}
