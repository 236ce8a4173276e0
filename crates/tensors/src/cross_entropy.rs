//! Cross entropy of every pixel: log-softmax and the choice of the label's class in one pass.

use crate::blocks::{self, Block, PIXELS};
use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
    pixel_classes::{Pixels, Targets},
};
use crate::filled::zeros;
use crate::host;
use crate::kept::{self, Kept, Values};
use crate::labels;
use crate::simd::{exp, vectorised};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use std::sync::Arc;

const NAME: &str = "pixel_cross_entropy";

/// The cross entropy `-w log softmax(logits)[label]` of every pixel, in nats, with gradient for the logits; w is the
/// label's class weight, 1 without `class_weights`. Pixels labelled `ignore` have loss 0 and gradient 0.
///
/// # Shapes
/// logits (N, C, H, W) f32, labels (N, H, W) u8, class_weights (C) -> (N, H, W) f32.
///
/// # Errors
/// If shapes or types do not fit, or a label is neither a class nor `ignore`: the error names the first such pixel. On a GPU, where
/// looking for one would hold up every step, such a pixel's loss is NaN instead.
pub fn pixel_cross_entropy(
    logits: &Tensor,
    labels: &Tensor,
    class_weights: Option<&[f32]>,
    ignore: u8,
) -> Result<Tensor> {
    let (_, c, _, _) = host::dims4(logits, NAME)?;
    let labels = labels::of_scores(logits, labels, c, ignore, NAME)?;
    if let Some(weights) = class_weights.filter(|weights| weights.len() != c) {
        bail!("{NAME}: {} class weights for {c} classes", weights.len());
    }
    let classes = Classes::new(c, class_weights, ignore);
    logits.contiguous()?.watched_op2(&labels, CrossEntropy { classes, log_sums: Arc::default() })
}

/// What the labels mean: `weights[label]` is the class weight, 0 for the ignored label.
#[derive(Clone)]
struct Classes {
    count: usize,
    weights: Arc<[f32; 256]>,
    ignore: u8,
}

impl Classes {
    fn new(classes: usize, class_weights: Option<&[f32]>, ignore: u8) -> Self {
        let mut weights = [0f32; 256];
        for (class, weight) in weights.iter_mut().enumerate().take(classes) {
            *weight = class_weights.map_or(1.0, |weights| weights[class]);
        }
        weights[usize::from(ignore)] = 0.0;
        Self { count: classes, weights: Arc::new(weights), ignore }
    }

    #[cfg(feature = "cuda")]
    fn on_card(&self, labels: &CudaStorage, layout: &Layout) -> Result<Targets<'_>> {
        let labels = card::pointer::<u8>(labels, layout, NAME)?;
        Ok(Targets { labels, weights: &self.weights, ignore: self.ignore })
    }
}

/// `log_sums` is filled by the forward pass: log of the sum of exp(logit) of every pixel.
struct CrossEntropy {
    classes: Classes,
    log_sums: Kept<f32>,
}

impl CustomOp2 for CrossEntropy {
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
        let mut losses = zeros(labels.len());
        let mut log_sums = zeros(labels.len());
        Block::all(n, c, h * w)
            .into_par_iter()
            .zip(blocks::split_pixels_mut(&mut losses, h * w))
            .zip(blocks::split_pixels_mut(&mut log_sums, h * w))
            .with_min_len(host::items_per_job(c * PIXELS.min(h * w)))
            .for_each(|((block, losses), log_sums)| {
                loss_block(&self.classes, block, logits, block.pixels(labels), log_sums, losses);
            });
        let _ = self.log_sums.set(Values::Host(log_sums));
        Ok((CpuStorage::F32(losses), (n, h, w).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        logits: &CudaStorage,
        logits_layout: &Layout,
        labels: &CudaStorage,
        labels_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let of = Pixels::new(logits_layout.dims(), NAME)?;
        let from = card::pointer::<f32>(logits, logits_layout, NAME)?;
        let targets = self.classes.on_card(labels, labels_layout)?;
        let mut log_sums = None;
        let losses = |card: &Card, losses| {
            let fill = |card: &Card, log_sums| {
                // SAFETY: logits have a float for every pixel and channel, the others one element for every pixel.
                unsafe { cuda::pixel_classes::cross_entropy(card, of, targets, [from, losses, log_sums]) }
            };
            // SAFETY: the kernel writes every element.
            log_sums = Some(unsafe { card::filled::<f32>(card.0, of.count(), fill) }?);
            Ok(())
        };
        // SAFETY: the kernel writes every element.
        let losses = unsafe { card::filled::<f32>(&logits.device, of.count(), losses) }?;
        if let Some(log_sums) = log_sums {
            let _ = self.log_sums.set(Values::Card(log_sums));
        }
        Ok((losses, labels_layout.shape().clone()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        labels: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let op = CrossEntropyBackward { classes: self.classes.clone(), log_sums: self.log_sums.clone() };
        Ok((Some(logits.watched_op3_no_bwd(labels, &gradient.contiguous()?, &op)?), None))
    }
}

/// From logits, labels and the gradient g of the losses: `w g (softmax - 1[label])`.
struct CrossEntropyBackward {
    classes: Classes,
    log_sums: Kept<f32>,
}

impl CustomOp3 for CrossEntropyBackward {
    fn name(&self) -> &'static str {
        "pixel_cross_entropy backward"
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
        let gradient = host::slice::<f32>(gradient, gradient_layout, self.name())?;
        let (n, c, h, w) = logits_layout.shape().dims4()?;
        let log_sums = kept::on_host(&self.log_sums, self.name())?;
        let mut dx = zeros(logits.len());
        Block::all(n, c, h * w)
            .into_par_iter()
            .zip(blocks::split_channels_mut(&mut dx, c, h * w))
            .with_min_len(host::items_per_job(c * PIXELS.min(h * w)))
            .for_each(|(block, mut dx)| {
                let labels = block.pixels(labels);
                let factors = factors(&self.classes, labels, block.pixels(gradient));
                gradient_block(block, logits, block.pixels(log_sums), &factors, &mut dx);
                for (pixel, label) in
                    labels.iter().enumerate().filter(|(_, label)| **label != self.classes.ignore)
                {
                    dx[usize::from(*label)][pixel] -= factors[pixel];
                }
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
        card::same_count([labels_layout, gradient_layout], self.name())?;
        let of = Pixels::new(logits_layout.dims(), self.name())?;
        let from = card::pointer::<f32>(logits, logits_layout, self.name())?;
        let upstream = card::pointer::<f32>(gradient, gradient_layout, self.name())?;
        let log_sums = kept::on_card(&self.log_sums, self.name())?;
        let targets = self.classes.on_card(labels, labels_layout)?;
        let fill = |card: &Card, dx| {
            // SAFETY: logits and dx have a float for every pixel and channel, the others one element for every pixel.
            unsafe {
                cuda::pixel_classes::cross_entropy_gradient(card, of, targets, [from, upstream, log_sums, dx])
            }
        };
        // SAFETY: the kernel writes every element.
        let dx = unsafe { card::filled::<f32>(&logits.device, of.elements(), fill) }?;
        Ok((dx, logits_layout.shape().clone()))
    }
}

/// The class weight times the incoming gradient; 0 at ignored pixels.
fn factors(classes: &Classes, labels: &[u8], gradient: &[f32]) -> [f32; PIXELS] {
    let mut factors = [0f32; PIXELS];
    for ((factor, label), g) in factors.iter_mut().zip(labels).zip(gradient) {
        *factor = if *label == classes.ignore { 0.0 } else { classes.weights[usize::from(*label)] * g };
    }
    factors
}

vectorised! {
    fn loss_block(
        classes: &Classes,
        block: Block,
        logits: &[f32],
        labels: &[u8],
        log_sums: &mut [f32],
        losses: &mut [f32],
    ) {
        let mut largest = [f32::NEG_INFINITY; PIXELS];
        let mut sums = [0f32; PIXELS];
        for c in 0..classes.count {
            for (m, x) in largest.iter_mut().zip(block.channel(logits, c)) {
                *m = if *x > *m { *x } else { *m };
            }
        }
        for c in 0..classes.count {
            for ((sum, x), m) in sums.iter_mut().zip(block.channel(logits, c)).zip(&largest) {
                *sum += exp(x - m);
            }
        }
        for (pixel, (label, (loss, log_sum))) in labels.iter().zip(losses.iter_mut().zip(log_sums)).enumerate() {
            let (m, log) = (largest[pixel], sums[pixel].ln());
            *log_sum = m + log;
            if *label != classes.ignore {
                let class = usize::from(*label);
                // In this order large logits cancel before the small logarithm is added.
                *loss = classes.weights[class] * ((m - block.channel(logits, class)[pixel]) + log);
            }
        }
    }
}

vectorised! {
    fn gradient_block(
        block: Block,
        logits: &[f32],
        log_sums: &[f32],
        factors: &[f32; PIXELS],
        dx: &mut [&mut [f32]],
    ) {
        for (c, dx) in dx.iter_mut().enumerate() {
            let logits = block.channel(logits, c);
            for (((dx, x), log_sum), factor) in dx.iter_mut().zip(logits).zip(log_sums).zip(factors) {
                let value = exp(x - log_sum) * factor;
                *dx = if *factor == 0.0 { 0.0 } else { value };
            }
        }
    }
}

#[cfg(test)]
mod tests;
