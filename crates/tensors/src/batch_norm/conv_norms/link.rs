//! One layer of several.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::{CpuStorage, Device, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

use super::NAME;
use crate::activation::{Activation, Curve, Identity, Leaky, Relu};
use crate::arithmetic::Arithmetic;
use crate::batch_norm::channel::Moments;
use crate::batch_norm::{BatchNorm, EPSILON, Gradients, Planes, normalized};
use crate::checked::{Watched, seen};
use crate::conv::{Forward, Geometry, InputGradient, WeightGradient};
use crate::gradients::collect;
use crate::{Conv2d, ConvNorm, host};

/// A layer and what its convolution gave.
pub(super) struct Link {
    layer: ConvNorm,
    train: bool,
    moments: Arc<OnceLock<Vec<Moments>>>,
    /// Of the forward pass.
    arithmetic: Arithmetic,
    /// Of what the convolution reads.
    input: [usize; 4],
    shape: Shape,
    /// What the convolution gave, from the forward to the backward pass.
    convolved: Mutex<Option<Tensor>>,
}

impl Link {
    /// Convolves `x`, finds the moments of the result and moves the running statistics.
    pub(super) fn new(layer: &ConvNorm, x: &Tensor, train: bool) -> Result<Self> {
        let ConvNorm { conv: Conv2d { weight, config, .. }, norm } = layer;
        let geometry = Geometry::of_convolution(x.dims(), weight.dims(), None, *config)?;
        host::check_f32(weight, NAME)?;
        let shape = Shape::from(geometry.output_shape());
        norm.check(&shape, train)?;
        let convolved = x.watched_op2_no_bwd(&weight.contiguous()?, &Forward(geometry))?;
        let (moments, first) = norm.moments(train)?;
        if first {
            let found = with_values(&convolved, |values| Ok(moments_of(Planes::new(values, &shape)?)))?;
            moments.get_or_init(|| found);
            norm.update(&moments, shape.elem_count() / norm.weight.elem_count())?;
        }
        let (input, convolved) = (x.dims4()?.into(), Mutex::new(Some(convolved)));
        let arithmetic = geometry.arithmetic;
        Ok(Self { layer: layer.clone(), train, moments, arithmetic, input, shape, convolved })
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Channels that the convolution reads.
    pub(super) fn inputs(&self) -> usize {
        self.input[1]
    }

    /// The layer's result, without a graph.
    pub(super) fn normalised(&self) -> Result<Tensor> {
        let make = || Tensor::from_vec(self.values()?, self.shape.clone(), &Device::Cpu);
        seen(NAME, &self.layer.variables(), make)
    }

    /// The values of the layer's result.
    pub(super) fn values(&self) -> Result<Vec<f32>> {
        match self.layer.norm.activation {
            Activation::None => self.values_with(Identity),
            Activation::Relu => self.values_with(Relu),
            Activation::Leaky(slope) => self.values_with(Leaky(slope)),
        }
    }

    fn values_with(&self, curve: impl Curve) -> Result<Vec<f32>> {
        let norm = &self.layer.norm;
        let (scale, bias) = (norm.weight.to_vec1::<f32>()?, norm.bias.to_vec1::<f32>()?);
        let convolved = self.convolved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        with_values(&used(convolved)?, |values| {
            let planes = Planes::new(values, &self.shape)?;
            Ok(normalized(planes, (&scale, &bias), curve, &self.moments, None))
        })
    }

    /// The gradient for what the convolution gave, which is freed; those of the norm's variables are collected.
    pub(super) fn inner_gradient(&self, upstream: &Tensor) -> Result<Tensor> {
        match self.layer.norm.activation {
            Activation::None => self.inner_gradient_with(Identity, upstream),
            Activation::Relu => self.inner_gradient_with(Relu, upstream),
            Activation::Leaky(slope) => self.inner_gradient_with(Leaky(slope), upstream),
        }
    }

    fn inner_gradient_with(&self, curve: impl Curve, upstream: &Tensor) -> Result<Tensor> {
        let BatchNorm { weight, bias, .. } = &self.layer.norm;
        let convolved = self.convolved.lock().unwrap_or_else(PoisonError::into_inner).take();
        let op = Gradients::new(curve, self.train, &self.moments);
        let (inner, of_weight, of_bias) = op.of(&used(convolved)?, weight, bias, upstream)?;
        for (variable, gradient) in [(weight, of_weight), (bias, of_bias)] {
            if variable.track_op() {
                collect(variable, gradient)?;
            }
        }
        Ok(inner)
    }

    /// Collects the gradient of the convolution's weight, which reads the channels of the parts one after another.
    pub(super) fn collect_weight(&self, parts: &[&Tensor], inner: &Tensor) -> Result<()> {
        let weight = &self.layer.conv.weight;
        if !weight.track_op() {
            return Ok(());
        }
        let of_part = |part: &&Tensor| {
            let op = WeightGradient(self.geometry(part.dim(1)?)?);
            part.watched_op2_no_bwd(inner, &op)
        };
        let gradients = parts.iter().map(of_part).collect::<Result<Vec<_>>>()?;
        collect(weight, Tensor::cat(&gradients, 1)?)
    }

    /// The gradient for some of the channels that the convolution reads.
    pub(super) fn input_gradient(&self, first: usize, channels: usize, inner: &Tensor) -> Result<Tensor> {
        let weight = self.layer.conv.weight.detach().narrow(1, first, channels)?.contiguous()?;
        weight.watched_op2_no_bwd(inner, &InputGradient(self.geometry(channels)?))
    }

    /// The convolution of so many of its channels.
    fn geometry(&self, channels: usize) -> Result<Geometry> {
        let Conv2d { weight, config, .. } = &self.layer.conv;
        let ([n, _, h, w], (outputs, _, rows, columns)) = (self.input, weight.dims4()?);
        let (x, weight) = ([n, channels, h, w], [outputs, channels, rows, columns]);
        self.arithmetic.scope(|| Geometry::of_convolution(&x, &weight, None, *config))
    }
}

/// What a convolution gave, while it is there.
fn used(convolved: Option<Tensor>) -> Result<Tensor> {
    match convolved {
        Some(convolved) => Ok(convolved),
        None => bail!(
            "{NAME}: a second backward pass through the same graph, whose values the first one has freed"
        ),
    }
}

fn moments_of(planes: Planes) -> Vec<Moments> {
    let of_channel = |channel| Moments::of(planes.channel(channel), EPSILON);
    let channels = (0..planes.channels).into_par_iter();
    channels.with_min_len(host::items_per_job(planes.count())).map(of_channel).collect()
}

/// Calls `work` with the values of a contiguous tensor.
pub(super) fn with_values<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("{NAME}: {layout:?} is not in main memory") };
    let storage: &CpuStorage = storage;
    work(host::slice(storage, layout, NAME)?)
}
