//! How far probabilities and label maps overlap: what soft F1 and Dice have in common.

use candle_core::{Result, Tensor, bail};
use sconce_tensors::{OverlapConfig, Probabilities, overlap_sums};

/// Sums over the counted pixels of all channels and images, scalars.
pub(crate) struct Overlap {
    /// Of the probabilities where the truth is 1.
    pub(crate) both: Tensor,
    /// Of all probabilities.
    pub(crate) predicted: Tensor,
    /// Of the truth.
    pub(crate) truth: Tensor,
}

impl Overlap {
    /// Of one channel with the label 1.
    pub(crate) fn of_foreground(logits: &Tensor, labels: &Tensor, ignore: u8) -> Result<Self> {
        if logits.rank() != 4 || logits.dim(1)? != 1 {
            bail!("one channel of logits (N, 1, H, W) is needed, not {:?}", logits.dims());
        }
        let probabilities = Probabilities::Sigmoid;
        Self::new(logits, labels, OverlapConfig { probabilities, first: 1, ignore, ignored_count: false })
    }

    /// Of each channel with the label of its number; where `ignored_count`, the ignored pixels count as pixels of none of the channels.
    pub(crate) fn of_classes(
        logits: &Tensor,
        labels: &Tensor,
        probabilities: Probabilities,
        (ignore, ignored_count): (u8, bool),
    ) -> Result<Self> {
        Self::new(logits, labels, OverlapConfig { probabilities, first: 0, ignore, ignored_count })
    }

    fn new(logits: &Tensor, labels: &Tensor, of: OverlapConfig) -> Result<Self> {
        let sums = overlap_sums(logits, labels, of)?;
        Ok(Self { both: sums.get(0)?, predicted: sums.get(1)?, truth: sums.get(2)?.detach() })
    }
}
