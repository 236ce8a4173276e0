//! How far probabilities and label maps overlap: what soft F1 and Dice have in common.

use candle_core::{Result, Tensor, bail};
use sconce_tensors::{sum_all, weighted_sum};

use crate::targets::Map;

/// Sums over the counted pixels of all channels and images.
pub(crate) struct Overlap {
    /// Of the probabilities where the truth is 1, a scalar.
    pub(crate) both: Tensor,
    /// Of all probabilities, a scalar.
    pub(crate) predicted: Tensor,
    /// Of the truth.
    pub(crate) truth: f64,
}

impl Overlap {
    /// Of one channel with the label 1.
    pub(crate) fn of_foreground(logits: &Tensor, labels: &Tensor, ignore: u8) -> Result<Self> {
        if logits.rank() != 4 || logits.dim(1)? != 1 {
            bail!("one channel of logits (N, 1, H, W) is needed, not {:?}", logits.dims());
        }
        let map = Map::read(labels, "labels")?;
        map.check("label", "0, 1 or ignored", |label| label <= 1 || label == ignore)?;
        Self::new(&candle_nn::ops::sigmoid(logits)?, &map, &[1], (ignore, false))
    }

    /// Of each channel with the label of its number.
    pub(crate) fn of_classes(logits: &Tensor, labels: &Tensor, ignore: u8) -> Result<Self> {
        Self::of_probabilities(&candle_nn::ops::sigmoid(logits)?, labels, ignore, false)
    }

    /// The same of probabilities; where `ignored_count`, the ignored pixels count as pixels of none of the channels.
    pub(crate) fn of_probabilities(
        probability: &Tensor,
        labels: &Tensor,
        ignore: u8,
        ignored_count: bool,
    ) -> Result<Self> {
        let classes = probability.dim(1)?;
        let map = Map::read(labels, "labels")?;
        let wanted = format!("one of the {classes} classes nor ignored");
        map.check("label", &wanted, |label| usize::from(label) < classes || label == ignore)?;
        let channels: Vec<u8> = (0..=u8::MAX).take(classes).collect();
        Self::new(probability, &map, &channels, (ignore, ignored_count))
    }

    /// Of each channel with the label that `channels` names.
    fn new(
        probability: &Tensor,
        labels: &Map,
        channels: &[u8],
        (ignore, ignored_count): (u8, bool),
    ) -> Result<Self> {
        let (n, h, w) = labels.dims;
        if probability.dims() != [n, channels.len(), h, w] {
            bail!("logits are {:?}, but labels are ({n}, {h}, {w})", probability.dims());
        }
        let planes = |value: &dyn Fn(u8, u8) -> bool| {
            let plane = |image: &[u8], channel: u8| -> Vec<f32> {
                image.iter().map(|&label| f32::from(u8::from(value(label, channel)))).collect()
            };
            let all: Vec<f32> = labels
                .images()
                .flat_map(|image| channels.iter().flat_map(move |&c| plane(image, c)))
                .collect();
            Tensor::from_vec(all, probability.shape(), probability.device())
        };
        let truth = planes(&|label, channel| label == channel && label != ignore)?;
        let predicted = match ignored_count || labels.valid(ignore) == labels.values.len() {
            true => sum_all(probability)?,
            false => weighted_sum(probability, &planes(&|label, _| label != ignore)?)?,
        };
        let both = weighted_sum(probability, &truth)?;
        let of_channels = |label: &u8| *label != ignore && channels.contains(label);
        let truth = labels.values.iter().filter(|label| of_channels(label)).count() as f64;
        Ok(Self { both, predicted, truth })
    }
}
