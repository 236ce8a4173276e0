//! How far the probabilities of pixels overlap with label maps, in one pass.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::blocks::{self, Block, PIXELS};
use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
    pixel_classes::Pixels,
};
use crate::filled::zeros;
use crate::host;
use crate::labels;
use crate::simd::{exp, vectorised};

const NAME: &str = "overlap_sums";

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverlapConfig {
    /// What makes a pixel's logits probabilities.
    pub probabilities: Probabilities,
    /// The label of channel 0; the next channels have the next labels. With 1, label 0 is a background without a channel.
    pub first: u8,
    /// The label of pixels that count nowhere.
    pub ignore: u8,
    /// Whether probabilities at ignored pixels count all the same: then these pixels are of none of the channels.
    pub ignored_count: bool,
}

/// What makes a pixel's logits probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probabilities {
    /// Each channel by itself.
    Sigmoid,
    /// All channels together.
    Softmax,
}

/// Three sums over all channels and all pixels that count, accumulated in f64: of the probabilities where the truth is 1, of all
/// probabilities, and of the truth, which is 1 in the channel of the pixel's label and 0 in the others. The gradient for the logits is
/// that of the first two.
///
/// # Shapes
/// logits (N, C, H, W) f32, labels (N, H, W) u8 -> (3) f32.
///
/// # Errors
/// If shapes or types do not fit, or a label is neither `ignore` nor below `first` + C: the error names the first such pixel. On a GPU,
/// where looking for one would hold up every step, the first sum is NaN instead.
pub fn overlap_sums(logits: &Tensor, labels: &Tensor, of: OverlapConfig) -> Result<Tensor> {
    let (_, channels, _, _) = host::dims4(logits, NAME)?;
    let labels = labels::of_scores(logits, labels, usize::from(of.first) + channels, of.ignore, NAME)?;
    logits.contiguous()?.watched_op2(&labels, Overlap(of))
}

struct Overlap(OverlapConfig);

impl CustomOp2 for Overlap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = host::slice::<f32>(logits, logits_layout, NAME)?;
        let labels = host::slice::<u8>(labels, labels_layout, NAME)?;
        let (n, c, h, w) = logits_layout.shape().dims4()?;
        let parts: Vec<[f64; 3]> = Block::all(n, c, h * w)
            .into_par_iter()
            .with_min_len(host::items_per_job(c * PIXELS.min(h * w)))
            .map(|block| sums_of_block(self.0, block, c, logits, block.pixels(labels)))
            .collect();
        let sum = |number: usize| parts.iter().map(|part| part[number]).sum::<f64>() as f32;
        Ok((CpuStorage::F32(vec![sum(0), sum(1), sum(2)]), Shape::from(3)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        logits: &CudaStorage,
        logits_layout: &Layout,
        labels: &CudaStorage,
        labels_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let pixels = Pixels::new(logits_layout.dims(), NAME)?;
        let at = card::pointer::<f32>(logits, logits_layout, NAME)?;
        let labels = card::pointer::<u8>(labels, labels_layout, NAME)?;
        let fill = |card: &Card, sums| {
            // SAFETY: a float for every pixel and channel, a label for every pixel, three sums.
            unsafe { cuda::overlap::sums(card, pixels, &self.0, [at, labels, sums]) }
        };
        // SAFETY: the kernels write the three sums.
        Ok((unsafe { card::filled::<f32>(&logits.device, 3, fill) }?, Shape::from(3)))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        labels: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = logits.watched_op3_no_bwd(labels, &gradient.contiguous()?, &OverlapBackward(self.0))?;
        Ok((Some(dx), None))
    }
}

/// From logits, labels and the gradient of the sums: that for the logits.
struct OverlapBackward(OverlapConfig);

impl CustomOp3 for OverlapBackward {
    fn name(&self) -> &'static str {
        "overlap_sums backward"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = host::slice::<f32>(logits, logits_layout, self.name())?;
        let labels = host::slice::<u8>(labels, labels_layout, self.name())?;
        let upstream = host::slice::<f32>(gradient, gradient_layout, self.name())?;
        let (n, c, h, w) = logits_layout.shape().dims4()?;
        let mut dx = zeros(logits.len());
        Block::all(n, c, h * w)
            .into_par_iter()
            .zip(blocks::split_channels_mut(&mut dx, c, h * w))
            .with_min_len(host::items_per_job(c * PIXELS.min(h * w)))
            .for_each(|(block, mut dx)| {
                gradient_of_block(self.0, upstream, block, logits, block.pixels(labels), &mut dx);
            });
        Ok((CpuStorage::F32(dx), logits_layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        logits: &CudaStorage,
        logits_layout: &Layout,
        labels: &CudaStorage,
        labels_layout: &Layout,
        gradient: &CudaStorage,
        gradient_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let pixels = Pixels::new(logits_layout.dims(), self.name())?;
        let at = card::pointer::<f32>(logits, logits_layout, self.name())?;
        let labels = card::pointer::<u8>(labels, labels_layout, self.name())?;
        let upstream = card::pointer::<f32>(gradient, gradient_layout, self.name())?;
        let fill = |card: &Card, dx| {
            // SAFETY: floats for every pixel and channel, a label for every pixel, gradients of three sums.
            unsafe { cuda::overlap::gradient(card, pixels, &self.0, [at, labels, upstream, dx]) }
        };
        // SAFETY: the kernel writes every element.
        let dx = unsafe { card::filled::<f32>(&logits.device, pixels.elements(), fill) }?;
        Ok((dx, logits_layout.shape().clone()))
    }
}

/// In the place of a channel's number: none.
const NO_CHANNEL: u32 = u32::MAX;

/// The channel of every label, and where probabilities count, as factors.
#[inline(always)]
fn channels_and_counts(of: OverlapConfig, labels: &[u8]) -> ([u32; PIXELS], [f32; PIXELS]) {
    let (mut channels, mut counts) = ([NO_CHANNEL; PIXELS], [0f32; PIXELS]);
    for ((channel, count), label) in channels.iter_mut().zip(&mut counts).zip(labels) {
        let ignored = *label == of.ignore;
        *count = if ignored && !of.ignored_count { 0.0 } else { 1.0 };
        let none = ignored || *label < of.first;
        *channel = if none { NO_CHANNEL } else { u32::from(*label) - u32::from(of.first) };
    }
    (channels, counts)
}

/// What softmax needs of every pixel: its largest logit, and the inverse of the sum of exp(logit - largest).
#[inline(always)]
fn softmax_scales(block: Block, channels: usize, logits: &[f32]) -> ([f32; PIXELS], [f32; PIXELS]) {
    let mut largest = [f32::NEG_INFINITY; PIXELS];
    let mut scales = [0f32; PIXELS];
    for c in 0..channels {
        for (m, x) in largest.iter_mut().zip(block.channel(logits, c)) {
            *m = if *x > *m { *x } else { *m };
        }
    }
    for c in 0..channels {
        for ((sum, x), m) in scales.iter_mut().zip(block.channel(logits, c)).zip(&largest) {
            *sum += exp(x - m);
        }
    }
    for scale in &mut scales {
        *scale = 1.0 / *scale;
    }
    (largest, scales)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let small = exp(-x.abs());
    (if x < 0.0 { small } else { 1.0 }) / (1.0 + small)
}

/// The probabilities of one channel.
#[inline(always)]
fn probabilities(
    of: OverlapConfig,
    x: &[f32],
    largest: &[f32; PIXELS],
    scales: &[f32; PIXELS],
) -> [f32; PIXELS] {
    let mut p = [0f32; PIXELS];
    match of.probabilities {
        Probabilities::Sigmoid => p.iter_mut().zip(x).for_each(|(p, x)| *p = sigmoid(*x)),
        Probabilities::Softmax => {
            for (((p, x), m), scale) in p.iter_mut().zip(x).zip(largest).zip(scales) {
                *p = exp(x - m) * scale;
            }
        }
    }
    p
}

vectorised! {
    fn sums_of_block(of: OverlapConfig, block: Block, channels: usize, logits: &[f32], labels: &[u8]) -> [f64; 3] {
        let (channel_of, counts) = channels_and_counts(of, labels);
        let (largest, scales) = match of.probabilities {
            Probabilities::Sigmoid => ([0f32; PIXELS], [0f32; PIXELS]),
            Probabilities::Softmax => softmax_scales(block, channels, logits),
        };
        let (mut both, mut predicted) = ([0f32; PIXELS], [0f32; PIXELS]);
        for c in 0..channels {
            let p = probabilities(of, block.channel(logits, c), &largest, &scales);
            for (((both, predicted), p), channel) in both.iter_mut().zip(&mut predicted).zip(&p).zip(&channel_of) {
                *predicted += p;
                *both = if *channel == c as u32 { *p } else { *both };
            }
        }
        let mut sums = [0f64; 3];
        for (pixel, _) in labels.iter().enumerate().filter(|(pixel, _)| counts[*pixel] > 0.0) {
            sums[0] += f64::from(both[pixel]);
            sums[1] += f64::from(predicted[pixel]);
            sums[2] += if channel_of[pixel] == NO_CHANNEL { 0.0 } else { 1.0 };
        }
        sums
    }
}

vectorised! {
    fn gradient_of_block(
        of: OverlapConfig,
        upstream: &[f32],
        block: Block,
        logits: &[f32],
        labels: &[u8],
        dx: &mut [&mut [f32]],
    ) {
        let (channel_of, counts) = channels_and_counts(of, labels);
        match of.probabilities {
            Probabilities::Sigmoid => {
                for (c, dx) in dx.iter_mut().enumerate() {
                    let pixels = dx.iter_mut().zip(block.channel(logits, c)).zip(&channel_of).zip(&counts);
                    for (((dx, x), channel), count) in pixels {
                        let (p, hit) = (sigmoid(*x), if *channel == c as u32 { 1.0 } else { 0.0 });
                        let slope = (upstream[0] * hit + upstream[1] * count) * (1.0 - p);
                        *dx = if *count == 0.0 { 0.0 } else { p * slope };
                    }
                }
            }
            // Probabilities of softmax have the same sum at every pixel: only the first sum moves with their logits.
            Probabilities::Softmax => {
                let (largest, scales) = softmax_scales(block, dx.len(), logits);
                let mut of_label = [0f32; PIXELS];
                for (pixel, p) in of_label.iter_mut().enumerate() {
                    let channel = channel_of[pixel];
                    if channel != NO_CHANNEL {
                        *p = exp(block.channel(logits, channel as usize)[pixel] - largest[pixel]) * scales[pixel];
                    }
                }
                for (c, dx) in dx.iter_mut().enumerate() {
                    let p = probabilities(of, block.channel(logits, c), &largest, &scales);
                    for (((dx, p), channel), of_label) in dx.iter_mut().zip(&p).zip(&channel_of).zip(&of_label) {
                        let hit = if *channel == c as u32 { 1.0 } else { 0.0 };
                        let slope = upstream[0] * (hit - of_label);
                        *dx = if *channel == NO_CHANNEL { 0.0 } else { p * slope };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
