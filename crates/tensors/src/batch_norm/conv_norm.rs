//! A convolution, batch normalisation, its activation and the end of a residual block as one node of the graph.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, Device, Layout, Module, ModuleT, Result, Shape, Storage, Tensor, bail,
};

use super::channel::{self, Affine, Moments};
use super::{BatchNorm, Gradients, Planes, normalized};
use crate::activation::{Activation, Curve, Identity, Leaky, Relu, add_relu, rectified_gradient};
use crate::checked::{Watched, seen};
use crate::conv::{Forward, Geometry, InputGradient, WeightGradient, predicts};
use crate::gradients::collect;
use crate::recompute::nothing_is_kept;
use crate::{Conv2d, host};

/// `norm(conv(x))`, with the norm's activation; with a residual, `max(norm(conv(x)) + residual, 0)`.
///
/// One node of candle's graph instead of two or three: the backward pass adds up fewer gradients, and of the values
/// between the operations only the convolution's are kept, until the backward pass has used them: there is one backward
/// pass a graph, as PyTorch's without `retain_graph`. Without anything to train nothing is kept, and the
/// convolution's result becomes the layer's in place.
///
/// Train it with [`backward`](crate::backward).
///
/// # Shapes
///
/// `x` (N, inputs, H, W) as for [`conv2d`](crate::conv2d); `residual` and the result as the convolution's.
///
/// # Errors
///
/// Those of the convolution and of the batch norm, and a residual of another shape.
pub fn conv_norm(
    x: &Tensor,
    conv: &Conv2d,
    norm: &BatchNorm,
    residual: Option<&Tensor>,
    train: bool,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if x.device().is_cuda() {
        let convolved = conv.forward(x)?;
        norm.check(convolved.shape(), train)?;
        return super::on_card::normalize(norm, &convolved, residual, train, norm.activation.code());
    }
    if conv.bias.is_some() || !is_leaf(&conv.weight) || !is_leaf(&norm.bias) {
        return composed(x, conv, norm, residual, train);
    }
    match norm.activation {
        Activation::None => fused(x, conv, norm, residual, train, Identity),
        Activation::Relu => fused(x, conv, norm, residual, train, Relu),
        Activation::Leaky(slope) => fused(x, conv, norm, residual, train, Leaky(slope)),
    }
}

/// Whether a gradient ends at the tensor.
pub(super) fn is_leaf(tensor: &Tensor) -> bool {
    tensor.is_variable() || !tensor.track_op()
}

/// The same of single operations, whose gradients flow on through weights that are results themselves.
fn composed(
    x: &Tensor,
    conv: &Conv2d,
    norm: &BatchNorm,
    residual: Option<&Tensor>,
    train: bool,
) -> Result<Tensor> {
    let y = norm.forward_t(&conv.forward(x)?, train)?;
    residual.map_or(Ok(y.clone()), |residual| add_relu(&y, residual))
}

fn fused(
    x: &Tensor,
    conv: &Conv2d,
    norm: &BatchNorm,
    residual: Option<&Tensor>,
    train: bool,
    curve: impl Curve,
) -> Result<Tensor> {
    let geometry = Geometry::of_convolution(x.dims(), conv.weight.dims(), None, conv.config)?;
    let shape = Shape::from(geometry.output_shape());
    norm.check(&shape, train)?;
    [x, &conv.weight].into_iter().try_for_each(|tensor| host::check_f32(tensor, NAME))?;
    if let Some(residual) = residual {
        host::check_f32(residual, NAME)?;
        if residual.shape() != &shape {
            bail!("{NAME}: the shapes {:?} and {:?} of a sum differ", shape, residual.shape());
        }
    }
    let parts = [Some(x), Some(&conv.weight), Some(&norm.weight), Some(&norm.bias), residual];
    let tracked = parts.into_iter().flatten().any(Tensor::track_op) && !nothing_is_kept();
    let (moments, first) = norm.moments(train)?;
    let op = ConvNorm {
        geometry: geometry.with_larger_tiles(predicts(parts) && !train),
        curve,
        train,
        weight: conv.weight.contiguous()?,
        bias: norm.bias.clone(),
        moments: moments.clone(),
        tracked,
        convolved: Mutex::new(None),
    };
    let (x, scale) = (x.contiguous()?, &norm.weight);
    let residual = residual.map(Tensor::contiguous).transpose()?;
    let parts: Vec<&Tensor> = parts.into_iter().flatten().collect();
    let y = seen(NAME, &parts, || match (&residual, tracked) {
        (None, true) => x.apply_op2(scale, op),
        (None, false) => x.apply_op2_no_bwd(scale, &op),
        (Some(residual), true) => x.apply_op3(scale, residual, op),
        (Some(residual), false) => x.apply_op3_no_bwd(scale, residual, &op),
    })?;
    if first {
        norm.update(&moments, y.elem_count() / scale.elem_count())?;
    }
    Ok(y)
}

const NAME: &str = "convolution with batch norm";

/// (x, norm's weight (, residual)) -> y
struct ConvNorm<C> {
    geometry: Geometry,
    curve: C,
    /// Whether the moments are those of the batch.
    train: bool,
    /// Of the convolution.
    weight: Tensor,
    /// Of the norm.
    bias: Tensor,
    moments: Arc<OnceLock<Vec<Moments>>>,
    /// Whether there will be a backward pass.
    tracked: bool,
    /// What the convolution gave, from the forward to the backward pass.
    convolved: Mutex<Option<Tensor>>,
}

impl<C: Curve> ConvNorm<C> {
    fn run(&self, x: &[f32], scale: &[f32], residual: Option<&[f32]>) -> Result<(CpuStorage, Shape)> {
        let shape = Shape::from(self.geometry.output_shape());
        let bias: Vec<f32> = self.bias.to_vec1()?;
        let convolved = {
            let (storage, layout) = self.weight.storage_and_layout();
            let Storage::Cpu(weight) = &*storage else { bail!("{NAME}: the weight is not in main memory") };
            Forward(self.geometry).values(x, host::slice(weight, layout, NAME)?)
        };
        let y = if self.tracked || self.train {
            let planes = Planes::new(&convolved, &shape)?;
            let y = normalized(planes, (scale, &bias), self.curve, &self.moments, residual);
            let convolved =
                self.tracked.then(|| Tensor::from_vec(convolved, shape.clone(), &Device::Cpu)).transpose()?;
            *self.convolved.lock().unwrap_or_else(PoisonError::into_inner) = convolved;
            y
        } else {
            self.in_place(convolved, &shape, scale, &bias, residual)?
        };
        Ok((CpuStorage::F32(y), shape))
    }

    fn in_place(
        &self,
        mut y: Vec<f32>,
        shape: &Shape,
        scale: &[f32],
        bias: &[f32],
        residual: Option<&[f32]>,
    ) -> Result<Vec<f32>> {
        let Some(moments) = self.moments.get() else { bail!("{NAME}: no running statistics") };
        let layout = Planes::new(&[], shape)?;
        let residual = residual.map(|residual| Planes { values: residual, ..layout });
        let planes = layout.by_channel_mut(&mut y);
        layout.for_each_channel(planes, |channel, planes| {
            let affine = Affine::new(moments[channel], scale[channel], bias[channel]);
            match residual {
                None => planes.iter_mut().for_each(|y| channel::renormalize(affine, self.curve, y)),
                Some(residual) => planes
                    .iter_mut()
                    .zip(residual.channel(channel))
                    .for_each(|(y, residual)| channel::renormalize_add(affine, self.curve, residual, y)),
            }
        });
        Ok(y)
    }

    /// The gradients for x and for the norm's weight, given the one for the norm's result. Frees what the convolution gave.
    fn gradients(&self, x: &Tensor, scale: &Tensor, upstream: &Tensor) -> Result<(Option<Tensor>, Tensor)> {
        let convolved = self.convolved.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(convolved) = convolved else {
            bail!(
                "{NAME}: a second backward pass through the same graph, whose values the first one has freed"
            )
        };
        let op = Gradients::new(self.curve, self.train, &self.moments);
        let (inner, dscale, dbias) = op.of(&convolved, scale, &self.bias, upstream)?;
        drop(convolved);
        if self.weight.track_op() {
            collect(&self.weight, x.watched_op2_no_bwd(&inner, &WeightGradient(self.geometry))?)?;
        }
        if self.bias.track_op() {
            collect(&self.bias, dbias)?;
        }
        let dx = || self.weight.watched_op2_no_bwd(&inner, &InputGradient(self.geometry));
        Ok((x.track_op().then(dx).transpose()?, dscale))
    }
}

impl<C: Curve> CustomOp2 for ConvNorm<C> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        scale: &CpuStorage,
        ls: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(host::slice(x, lx, NAME)?, host::slice(scale, ls, NAME)?, None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        _y: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dscale) = self.gradients(x, scale, &upstream.contiguous()?)?;
        Ok((dx, Some(dscale)))
    }
}

impl<C: Curve> CustomOp3 for ConvNorm<C> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        scale: &CpuStorage,
        ls: &Layout,
        residual: &CpuStorage,
        lr: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let residual = host::slice(residual, lr, NAME)?;
        self.run(host::slice(x, lx, NAME)?, host::slice(scale, ls, NAME)?, Some(residual))
    }

    /// The sum was positive where the result is.
    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        residual: &Tensor,
        y: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let upstream = rectified_gradient(y, &upstream.contiguous()?)?;
        let (dx, dscale) = self.gradients(x, scale, &upstream)?;
        Ok((dx, Some(dscale), residual.track_op().then_some(upstream)))
    }
}
