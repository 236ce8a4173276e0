//! Batch normalisation and the activation after it, in one operation.

mod channel;
mod conv_norm;
mod conv_norms;
#[cfg(feature = "cuda")]
mod on_card;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;
use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, Layout, ModuleT, Result, Shape, Tensor, Var, bail};
use candle_nn::{Init, VarBuilder};
use rayon::prelude::*;

use crate::activation::{Activation, Curve, Identity, Leaky, Relu};
use crate::checked::Watched;
use crate::filled::filled;
use crate::host;
use crate::recompute::{once, record, replayed};
use channel::{Affine, Correction, Moments, Sums};
pub use conv_norm::conv_norm;
pub use conv_norms::{Beside, conv_norms};

const EPSILON: f64 = 1e-5;
/// The share of a batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Batch normalisation over images and pixels, followed by an activation (Ioffe & Szegedy 2015, algorithms 1
/// and 2).
///
/// With the mean and variance of each channel, `y = activation((x - mean) / sqrt(variance + 1e-5) * weight +
/// bias)`. Training takes them from the batch and moves the running statistics by a tenth towards them, the
/// variance with `count / (count - 1)`; evaluation takes the running statistics, and gradients flow there
/// too.
///
/// Tensors: `weight`, `bias`, `running_mean`, `running_var`, each (C). The running statistics change in the
/// store from which the `VarBuilder` takes its variables; given plain tensors, the layer changes copies of
/// its own.
///
/// # Shapes
///
/// (N, C, H, W) f32 to the same.
///
/// # Errors
///
/// One value per channel in training: its deviation is unknown.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    name: String,
    activation: Activation,
    weight: Tensor,
    bias: Tensor,
    running_mean: Var,
    running_var: Var,
}

impl BatchNorm {
    /// A layer for `channels` channels, which starts with weight 1, bias 0, running mean 0 and running
    /// variance 1.
    pub fn new(channels: usize, activation: Activation, vb: VarBuilder) -> Result<Self> {
        let tensor = |name, value| vb.get_with_hints(channels, name, Init::Const(value))?.contiguous();
        Ok(Self {
            name: vb.prefix(),
            activation,
            weight: tensor("weight", 1.0)?,
            bias: tensor("bias", 0.0)?,
            // The variable of the store itself where there is one.
            running_mean: Var::from_tensor(&tensor("running_mean", 0.0)?)?,
            running_var: Var::from_tensor(&tensor("running_var", 1.0)?)?,
        })
    }

    /// Trainable scalars.
    pub(crate) fn parameters(&self) -> u64 {
        (self.weight.elem_count() + self.bias.elem_count()) as u64
    }

    /// What is trained.
    pub(crate) fn variables(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    fn normalize(&self, x: &Tensor, train: bool, curve: impl Curve) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if x.device().is_cuda() {
            return on_card::normalize(self, x, None, train, curve.code());
        }
        let (moments, first) = self.moments(train)?;
        let op = Normalize { curve, train, moments: moments.clone() };
        let y = x.watched_op3(&self.weight, &self.bias, op)?;
        if first {
            self.update(&moments, x.elem_count() / self.weight.elem_count())?;
        }
        Ok(y)
    }

    /// The moments to normalise with, and whether they are still to be found, of the batch, and to move the running
    /// statistics: in training, unless a block runs again and they are those of its first run.
    fn moments(&self, train: bool) -> Result<(Arc<OnceLock<Vec<Moments>>>, bool)> {
        let known = if train { replayed()? } else { Some(once(|| self.running_moments())?) };
        let first = known.is_none();
        Ok((Arc::new(known.map_or_else(OnceLock::new, OnceLock::from)), first))
    }

    fn running_moments(&self) -> Result<Vec<Moments>> {
        let means = self.running_mean.to_vec1::<f32>()?;
        let variances = self.running_var.to_vec1::<f32>()?;
        let moments = means.into_iter().zip(variances);
        Ok(moments.map(|(mean, variance)| Moments::new(mean.into(), variance.into(), EPSILON)).collect())
    }

    /// Moves the running statistics towards those of a batch with `count` values per channel.
    fn update(&self, batch: &OnceLock<Vec<Moments>>, count: usize) -> Result<()> {
        let Some(batch) = batch.get() else { bail!("batch norm '{}' has not seen its batch", self.name) };
        record(batch);
        let unbiased = count as f64 / (count - 1) as f64;
        let means = batch.iter().map(|moments| f64::from(moments.mean));
        let variances = batch.iter().map(|moments| f64::from(moments.variance) * unbiased);
        move_towards(&self.running_mean, means)?;
        move_towards(&self.running_var, variances)
    }

    /// Checks the shape of the values to normalise.
    fn check(&self, shape: &Shape, train: bool) -> Result<()> {
        let (images, channels, height, width) = shape.dims4()?;
        if channels != self.weight.elem_count() {
            bail!(
                "batch norm '{}' has {} channels, its input {:?}",
                self.name,
                self.weight.elem_count(),
                shape.dims()
            );
        }
        if train && images * height * width == 1 {
            bail!(
                "batch norm '{}' cannot train on {:?}, one value per channel: use a larger batch or larger images",
                self.name,
                shape.dims()
            );
        }
        Ok(())
    }
}

impl ModuleT for BatchNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        host::dims4(x, "batch norm")?;
        self.check(x.shape(), train)?;
        let x = x.contiguous()?;
        match self.activation {
            Activation::None => self.normalize(&x, train, Identity),
            Activation::Relu => self.normalize(&x, train, Relu),
            Activation::Leaky(slope) => self.normalize(&x, train, Leaky(slope)),
        }
    }
}

fn move_towards(running: &Var, batch: impl Iterator<Item = f64>) -> Result<()> {
    let old = running.to_vec1::<f32>()?;
    let moved =
        old.iter().zip(batch).map(|(&old, new)| ((1.0 - MOMENTUM) * f64::from(old) + MOMENTUM * new) as f32);
    running.set(&Tensor::from_iter(moved, running.device())?)
}

/// (x, weight, bias) -> y. Keeps no tensor but its arguments: the backward pass finds the activation's
/// argument again from `x`.
struct Normalize<C> {
    curve: C,
    /// Whether the moments are those of `x`, and part of the gradient.
    train: bool,
    /// One per channel, from the forward pass unless they were given.
    moments: Arc<OnceLock<Vec<Moments>>>,
}

impl<C: Curve> CustomOp3 for Normalize<C> {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        weight: &CpuStorage,
        lw: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = Planes::new(host::slice(x, lx, self.name())?, lx.shape())?;
        let weight = host::slice::<f32>(weight, lw, self.name())?;
        let bias = host::slice::<f32>(bias, lb, self.name())?;
        let y = normalized(x, (weight, bias), self.curve, &self.moments, None);
        Ok((CpuStorage::F32(y), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let op = Gradients::new(self.curve, self.train, &self.moments);
        let (dx, dweight, dbias) = op.of(x, weight, bias, &upstream.contiguous()?)?;
        Ok((Some(dx), Some(dweight), Some(dbias)))
    }
}

/// The normalisation of `x` with (weight, bias), its activation and, with a residual, what is positive of their sum. Moments
/// that are not given are those of `x`, and are kept.
fn normalized(
    x: Planes,
    (weight, bias): (&[f32], &[f32]),
    curve: impl Curve,
    moments: &OnceLock<Vec<Moments>>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let residual = residual.map(|residual| Planes { values: residual, ..x });
    let mut found = Vec::new();
    let write = |y: &mut [MaybeUninit<f32>]| {
        found = x.for_each_channel(x.by_channel_mut(y), |channel, planes| {
            let moments = match moments.get() {
                Some(given) => given[channel],
                None => Moments::of(x.channel(channel), EPSILON),
            };
            let affine = Affine::new(moments, weight[channel], bias[channel]);
            let pairs = x.channel(channel).zip(planes);
            match residual {
                None => pairs.for_each(|(x, y)| channel::normalize(affine, curve, x, y)),
                Some(residual) => pairs
                    .zip(residual.channel(channel))
                    .for_each(|((x, y), residual)| channel::normalize_add(affine, curve, x, residual, y)),
            }
            moments
        });
    };
    // SAFETY: the planes of all channels cover the vector, and each is written as a whole.
    let y = unsafe { filled(x.values.len(), write) };
    moments.get_or_init(|| found);
    y
}

/// (x, upstream, weight and bias) -> the gradient for x, and those for weight and bias beside it: a result of all three
/// would be a little larger than the maps that are freed meanwhile, and fit into the place of none.
struct Gradients<C> {
    curve: C,
    train: bool,
    moments: Arc<OnceLock<Vec<Moments>>>,
    /// For weight and bias, from the forward pass of this operation on.
    of_parameters: OnceLock<(Vec<f32>, Vec<f32>)>,
}

impl<C: Curve> Gradients<C> {
    fn new(curve: C, train: bool, moments: &Arc<OnceLock<Vec<Moments>>>) -> Self {
        Self { curve, train, moments: moments.clone(), of_parameters: OnceLock::new() }
    }

    /// The three gradients; `x` and `upstream` are contiguous.
    fn of(
        mut self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let affine = Tensor::stack(&[weight.detach(), bias.detach()], 0)?;
        let dx = x.watched_op3_no_bwd(upstream, &affine, &self)?;
        let (dweight, dbias) = self.of_parameters.take().unwrap_or_default();
        let of_channels = |values| Tensor::from_vec(values, weight.shape(), x.device());
        Ok((dx, of_channels(dweight)?, of_channels(dbias)?))
    }
}

impl<C: Curve> CustomOp3 for Gradients<C> {
    fn name(&self) -> &'static str {
        "batch norm gradients"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        upstream: &CpuStorage,
        lu: &Layout,
        affine: &CpuStorage,
        la: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = Planes::new(host::slice(x, lx, self.name())?, lx.shape())?;
        let upstream = Planes::new(host::slice(upstream, lu, self.name())?, lu.shape())?;
        let (weight, bias) = host::slice::<f32>(affine, la, self.name())?.split_at(x.channels);
        if lx.shape() != lu.shape() {
            bail!("batch norm: a gradient {:?} for a result {:?}", lu.shape(), lx.shape());
        }
        let Some(moments) = self.moments.get() else {
            bail!("batch norm: the backward pass comes before the forward pass")
        };
        let of_channel = |channel: usize, planes: &mut [&mut [MaybeUninit<f32>]]| {
            let moments = moments[channel];
            let affine = Affine::new(moments, weight[channel], bias[channel]);
            let pairs = || x.channel(channel).zip(upstream.channel(channel));
            let sums = Sums::of(affine, self.curve, pairs());
            let correction =
                if self.train { Correction::new(sums, moments, x.count()) } else { Correction::default() };
            for ((x, upstream), dx) in pairs().zip(planes) {
                channel::input_gradient(affine, self.curve, correction, x, upstream, dx);
            }
            (sums, moments)
        };
        let mut sums = Vec::new();
        let write = |dx: &mut [MaybeUninit<f32>]| {
            sums = x.for_each_channel(x.by_channel_mut(dx), of_channel);
        };
        // SAFETY: the planes of all channels cover the vector, and each is written as a whole.
        let dx = unsafe { filled(x.values.len(), write) };
        let of_channel = |(sums, moments): (Sums, Moments)| {
            ((sums.centred * f64::from(moments.inverse_deviation)) as f32, sums.plain as f32)
        };
        let _ = self.of_parameters.set(sums.into_iter().map(of_channel).unzip());
        Ok((CpuStorage::F32(dx), lx.shape().clone()))
    }
}

/// The values of (images, channels, pixels) by channel.
#[derive(Clone, Copy)]
struct Planes<'a> {
    values: &'a [f32],
    channels: usize,
    pixels: usize,
}

impl<'a> Planes<'a> {
    fn new(values: &'a [f32], shape: &Shape) -> Result<Self> {
        let (_, channels, height, width) = shape.dims4()?;
        Ok(Self { values, channels, pixels: height * width })
    }

    /// Values of a channel.
    fn count(&self) -> usize {
        self.values.len() / self.channels
    }

    /// A channel's plane in each image.
    fn channel(&self, channel: usize) -> impl Iterator<Item = &'a [f32]> + Clone + use<'a> {
        let (first, pixels) = (channel * self.pixels, self.pixels);
        self.values.chunks_exact(self.channels * pixels).map(move |image| &image[first..first + pixels])
    }

    /// The planes of `values`, which is laid out likewise, channel after channel.
    fn by_channel_mut<'b, T>(&self, values: &'b mut [T]) -> Vec<&'b mut [T]> {
        let image = self.channels * self.pixels;
        let mut images: Vec<_> =
            values.chunks_exact_mut(image).map(|image| image.chunks_exact_mut(self.pixels)).collect();
        let mut planes = Vec::with_capacity(self.channels * images.len());
        for _ in 0..self.channels {
            planes.extend(images.iter_mut().filter_map(Iterator::next));
        }
        planes
    }

    /// Calls `work` in parallel with each channel and its planes of `outputs`, as [`Planes::by_channel_mut`]
    /// orders them.
    fn for_each_channel<T: Send, R: Send>(
        &self,
        mut outputs: Vec<&mut [T]>,
        work: impl Fn(usize, &mut [&mut [T]]) -> R + Sync,
    ) -> Vec<R> {
        let images = outputs.len() / self.channels;
        let channels = outputs.par_chunks_mut(images).enumerate();
        channels
            .with_min_len(host::items_per_job(images * self.pixels))
            .map(|(channel, planes)| work(channel, planes))
            .collect()
    }
}
