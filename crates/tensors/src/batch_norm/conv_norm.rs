//! A convolution, batch normalisation, its activation and the end of a residual block as one node of the graph.

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::{
    CpuStorage, CustomOp2, CustomOp3, Device, Layout, Module, ModuleT, Result, Shape, Storage, Tensor, bail,
};

use super::channel::{self, Affine, Moments};
use super::{BatchNorm, EPSILON, Gradients, Planes};
use crate::activation::{Activation, Curve, Identity, Leaky, Relu, add_relu, rectified_gradient};
use crate::conv::{Forward, Geometry, InputGradient, WeightGradient};
use crate::filled::filled;
use crate::gradients::collect;
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
fn is_leaf(tensor: &Tensor) -> bool {
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
    let tracked = parts.into_iter().flatten().any(Tensor::track_op);
    let moments = Arc::new(OnceLock::new());
    if !train {
        let running = norm.running_moments()?;
        moments.get_or_init(|| running);
    }
    let op = ConvNorm {
        geometry,
        curve,
        train,
        weight: conv.weight.contiguous()?,
        bias: norm.bias.clone(),
        moments: moments.clone(),
        tracked,
        convolved: Mutex::new(None),
    };
    let (x, scale) = (x.contiguous()?, &norm.weight);
    let y = match (residual.map(Tensor::contiguous).transpose()?, tracked) {
        (None, true) => x.apply_op2(scale, op)?,
        (None, false) => x.apply_op2_no_bwd(scale, &op)?,
        (Some(residual), true) => x.apply_op3(scale, &residual, op)?,
        (Some(residual), false) => x.apply_op3_no_bwd(scale, &residual, &op)?,
    };
    if train {
        norm.update(moments.get().map_or(&[], Vec::as_slice), y.elem_count() / scale.elem_count())?;
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
        let y = if self.tracked {
            let y = self.normalize(&convolved, &shape, scale, &bias, residual)?;
            let convolved = Tensor::from_vec(convolved, shape.clone(), &Device::Cpu)?;
            *self.convolved.lock().unwrap_or_else(PoisonError::into_inner) = Some(convolved);
            y
        } else {
            self.in_place(convolved, &shape, scale, &bias, residual)?
        };
        Ok((CpuStorage::F32(y), shape))
    }

    fn normalize(
        &self,
        x: &[f32],
        shape: &Shape,
        scale: &[f32],
        bias: &[f32],
        residual: Option<&[f32]>,
    ) -> Result<Vec<f32>> {
        let x = Planes::new(x, shape)?;
        let residual = residual.map(|residual| Planes { values: residual, ..x });
        let mut found = Vec::new();
        let write = |y: &mut [MaybeUninit<f32>]| {
            found = x.for_each_channel(x.by_channel_mut(y), |channel, planes| {
                let moments = match self.moments.get() {
                    Some(given) => given[channel],
                    None => Moments::of(x.channel(channel), EPSILON),
                };
                let affine = Affine::new(moments, scale[channel], bias[channel]);
                match residual {
                    None => x
                        .channel(channel)
                        .zip(planes)
                        .for_each(|(x, y)| channel::normalize(affine, self.curve, x, y)),
                    Some(residual) => x.channel(channel).zip(residual.channel(channel)).zip(planes).for_each(
                        |((x, residual), y)| channel::normalize_add(affine, self.curve, x, residual, y),
                    ),
                }
                moments
            });
        };
        // SAFETY: the planes of all channels cover the vector, and each is written as a whole.
        let y = unsafe { filled(x.values.len(), write) };
        self.moments.get_or_init(|| found);
        Ok(y)
    }

    fn in_place(
        &self,
        mut y: Vec<f32>,
        shape: &Shape,
        scale: &[f32],
        bias: &[f32],
        residual: Option<&[f32]>,
    ) -> Result<Vec<f32>> {
        if self.train {
            let written = self.normalize(&y, shape, scale, bias, residual)?; // its moments come first
            return Ok(written);
        }
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
        let affine = Tensor::stack(&[scale.detach(), self.bias.detach()], 0)?;
        let op = Gradients { curve: self.curve, train: self.train, moments: self.moments.clone() };
        let packed = convolved.apply_op3_no_bwd(upstream, &affine, &op)?;
        let (size, channels) = (convolved.elem_count(), scale.elem_count());
        let inner = packed.narrow(0, 0, size)?.reshape(convolved.shape())?;
        drop(convolved);
        if self.weight.track_op() {
            collect(&self.weight, x.apply_op2_no_bwd(&inner, &WeightGradient(self.geometry))?)?;
        }
        if self.bias.track_op() {
            collect(&self.bias, packed.narrow(0, size + channels, channels)?.copy()?)?;
        }
        let dx = || self.weight.apply_op2_no_bwd(&inner, &InputGradient(self.geometry));
        Ok((x.track_op().then(dx).transpose()?, packed.narrow(0, size, channels)?.copy()?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, check_gradient, fill, hashed_signed};
    use crate::{Conv2dConfig, Parameters, backward};
    use proptest::prelude::*;

    struct Layer {
        parameters: Parameters,
        conv: Conv2d,
        norm: BatchNorm,
    }

    fn layer(activation: Activation, config: Conv2dConfig) -> Result<Layer> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let conv = Conv2d::new(4, 6, 3, config, parameters.builder().pp("conv"))?;
        let norm = BatchNorm::new(6, activation, parameters.builder().pp("norm"))?;
        fill(&parameters)?;
        Ok(Layer { parameters, conv, norm })
    }

    type Form = fn(&Tensor, &Conv2d, &BatchNorm, Option<&Tensor>, bool) -> Result<Tensor>;

    /// The result, the gradients for x, residual and parameters, and the running statistics afterwards.
    fn everything(
        form: Form,
        layer: &Layer,
        x: &Tensor,
        plus: bool,
        train: bool,
    ) -> Result<Vec<(String, Tensor)>> {
        fill(&layer.parameters)?;
        let x = candle_core::Var::from_tensor(x)?;
        let shape = conv_norm(&x.detach(), &layer.conv, &layer.norm, None, false)?.shape().clone();
        let residual = candle_core::Var::from_tensor(&hashed_signed("residual", shape, 1.0))?;
        let y = form(&x, &layer.conv, &layer.norm, plus.then_some(residual.as_tensor()), train)?;
        let gradients = backward(&(&y * hashed_signed("seed", y.shape(), 1.0))?.sum_all()?)?;
        let mut found = vec![("y".to_owned(), y.detach())];
        let mut variables = layer.parameters.trainable();
        variables.push(("x".to_owned(), x));
        if plus {
            variables.push(("residual".to_owned(), residual));
        }
        for (name, variable) in variables {
            found
                .push((format!("gradient of {name}"), gradients.get(&variable).expect("a gradient").clone()));
        }
        found.extend(layer.parameters.tensors());
        Ok(found)
    }

    fn activations() -> impl Strategy<Value = Activation> {
        prop::sample::select(vec![Activation::None, Activation::Relu, Activation::Leaky(0.01)])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn one_node_equals_its_operations(
            (n, h, w) in (1usize..3, 3usize..12, 3usize..20),
            (stride, padding, dilation) in (1usize..3, 1usize..3, 1usize..2),
            activation in activations(),
            plus: bool,
            train: bool,
        ) {
            let layer = layer(activation, Conv2dConfig { stride, padding, dilation, groups: 1 })?;
            let x = hashed_signed("x", (n, 4, h, w), 1.0);
            let one = everything(conv_norm, &layer, &x, plus, train)?;
            let parts = everything(composed, &layer, &x, plus, train)?;
            for ((name, one), (_, parts)) in one.iter().zip(&parts) {
                assert_close(one, parts, name);
            }
        }
    }

    #[test]
    fn gradients_equal_finite_differences() -> Result<()> {
        let layer = layer(Activation::None, Conv2dConfig { padding: 1, ..Default::default() })?;
        let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
        for train in [false, true] {
            check_gradient(
                |x| conv_norm(&x[0], &layer.conv, &layer.norm, None, train),
                std::slice::from_ref(&x),
                3,
            )?;
        }
        Ok(())
    }

    #[test]
    fn without_anything_to_train_the_result_is_the_same() -> Result<()> {
        let layer = layer(Activation::Relu, Conv2dConfig::default())?;
        let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
        let residual = hashed_signed("residual", (2, 6, 3, 4), 1.0);
        let plain = |tensor: &Tensor| tensor.detach();
        let conv = Conv2d { weight: plain(&layer.conv.weight), ..layer.conv.clone() };
        let norm = BatchNorm {
            weight: plain(&layer.norm.weight),
            bias: plain(&layer.norm.bias),
            ..layer.norm.clone()
        };
        for residual in [None, Some(&residual)] {
            let y = conv_norm(&x, &conv, &norm, residual, false)?;
            assert!(!y.track_op());
            let tracked = conv_norm(&x, &layer.conv, &layer.norm, residual, false)?;
            assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, tracked.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(())
    }

    #[test]
    fn weights_that_are_results_receive_gradients() -> Result<()> {
        let layer = layer(Activation::Relu, Conv2dConfig::default())?;
        let halved = Conv2d { weight: (&layer.conv.weight * 0.5)?, ..layer.conv.clone() };
        let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
        let y = conv_norm(&x, &halved, &layer.norm, None, true)?;
        assert!(y.sum_all()?.backward()?.get(&layer.conv.weight).is_some());
        Ok(())
    }

    #[test]
    fn another_backward_pass_is_refused_with_the_remedy() -> Result<()> {
        let layer = layer(Activation::Relu, Conv2dConfig::default())?;
        let y = conv_norm(&hashed_signed("x", (2, 4, 5, 6), 1.0), &layer.conv, &layer.norm, None, true)?;
        let loss = y.sqr()?.sum_all()?;
        backward(&loss)?;
        let error = backward(&loss).unwrap_err().to_string();
        assert!(error.contains("a second backward pass"), "{error}");
        let y = conv_norm(&hashed_signed("x", (2, 4, 5, 6), 1.0), &layer.conv, &layer.norm, None, true)?;
        let error = y.sqr()?.sum_all()?.backward().unwrap_err().to_string();
        assert!(error.contains("sconce_tensors::backward(&loss)"), "{error}");
        Ok(())
    }

    #[test]
    fn a_residual_of_another_shape_is_named() -> Result<()> {
        let layer = layer(Activation::Relu, Conv2dConfig::default())?;
        let x = hashed_signed("x", (2, 4, 5, 6), 1.0);
        let error = conv_norm(&x, &layer.conv, &layer.norm, Some(&x), true).unwrap_err().to_string();
        assert!(error.contains("[2, 6, 3, 4]") && error.contains("[2, 4, 5, 6]"), "{error}");
        Ok(())
    }
}
