//! The layer on a GPU, where its moments stay too: nothing is copied to the processor.

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, InplaceOp2, Layout, Result, Shape, Tensor, bail,
};

use super::conv_norm::is_leaf;
use super::{BatchNorm, EPSILON, MOMENTUM};
use crate::activation::{add_relu, rectified_gradient};
use crate::checked::{Watched, seen};
use crate::cuda::batch_norm::{self, Norm};
use crate::cuda::card::{Card, filled, pointer};
use crate::cuda::channels::Channels;
use crate::cuda::rectifier::CurveCode;
use crate::gradients::collect;
use crate::recompute::once;

const NAME: &str = "batch norm";

/// The normalised `x` after its curve; with a residual, what is positive of their sum.
pub(super) fn normalize(
    norm: &BatchNorm,
    x: &Tensor,
    residual: Option<&Tensor>,
    train: bool,
    curve: CurveCode,
) -> Result<Tensor> {
    // In a block that runs again these are the first run's moments, and the running statistics move once.
    let moments = once(|| if train { batch_moments(norm, x) } else { running_moments(norm) })?;
    let (weight, bias, affine) = (&norm.weight, &norm.bias, Affine { curve, train, moments });
    match residual {
        None => seen(NAME, &[x, weight, bias], || x.apply_op3(weight, bias, Normalize(affine))),
        Some(residual) if is_leaf(bias) && residual.dims() == x.dims() => {
            let residual = residual.contiguous()?;
            let op = NormalizeAdd { affine, bias: bias.clone() };
            seen(NAME, &[x, weight, bias, &residual], || x.apply_op3(weight, &residual, op))
        }
        Some(residual) => {
            let y = seen(NAME, &[x, weight, bias], || x.apply_op3(weight, bias, Normalize(affine)))?;
            add_relu(&y, residual)
        }
    }
}

/// Those of the batch, (3, C), towards which the running statistics move.
fn batch_moments(norm: &BatchNorm, x: &Tensor) -> Result<Tensor> {
    let moments = x.detach().watched_op1_no_bwd(&BatchMoments)?;
    let count = (x.elem_count() / norm.weight.elem_count()) as f64;
    norm.running_mean.inplace_op2(&moments, &MoveTowards { row: 0, scale: 1.0 })?;
    norm.running_var.inplace_op2(&moments, &MoveTowards { row: 1, scale: count / (count - 1.0) })?;
    Ok(moments)
}

fn running_moments(norm: &BatchNorm) -> Result<Tensor> {
    let variance = norm.running_var.as_detached_tensor();
    norm.running_mean.as_detached_tensor().apply_op2_no_bwd(&variance, &RunningMoments)
}

/// What the CPU forms of these operations would be is in the module above.
fn not_here<T>() -> Result<T> {
    bail!("{NAME}: the tensors are not on one GPU")
}

/// (N, C, H, W) -> (3, C)
struct BatchMoments;

impl CustomOp1 for BatchMoments {
    fn name(&self) -> &'static str {
        "moments of a batch"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here()
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let of = Channels::new(layout.shape(), NAME)?;
        let at = pointer::<f32>(x, layout, NAME)?;
        // SAFETY: `x` has the floats of its shape, `moments` three for each channel.
        let fill = |card: &Card, moments| unsafe { batch_norm::moments(card, of, at, moments, EPSILON) };
        // SAFETY: the kernels write all moments.
        let moments = unsafe { filled::<f32>(&x.device, 3 * of.channels(), fill) }?;
        Ok((moments, (3, of.channels()).into()))
    }
}

/// running mean, running variance -> (3, C)
struct RunningMoments;

impl CustomOp2 for RunningMoments {
    fn name(&self) -> &'static str {
        "moments of running statistics"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here()
    }

    fn cuda_fwd(
        &self,
        mean: &CudaStorage,
        lm: &Layout,
        variance: &CudaStorage,
        lv: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let channels = crate::cuda::card::same_count([lm, lv], NAME)?;
        let at = [pointer::<f32>(mean, lm, NAME)?, pointer::<f32>(variance, lv, NAME)?];
        // SAFETY: both statistics have a float for each channel, `moments` three.
        let fill = |card: &Card, moments| unsafe {
            batch_norm::running_moments(card, [at[0], at[1], moments], channels, EPSILON)
        };
        // SAFETY: the kernel writes all moments.
        let moments = unsafe { filled::<f32>(&mean.device, 3 * channels, fill) }?;
        Ok((moments, (3, channels).into()))
    }
}

/// Moves a running statistic towards a row of a batch's moments.
struct MoveTowards {
    row: usize,
    scale: f64,
}

impl InplaceOp2 for MoveTowards {
    fn name(&self) -> &'static str {
        "running statistics"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<()> {
        not_here()
    }

    fn cuda_fwd(
        &self,
        running: &mut CudaStorage,
        lr: &Layout,
        batch: &CudaStorage,
        lb: &Layout,
    ) -> Result<()> {
        let channels = lr.shape().elem_count();
        if lb.dims() != [3, channels] {
            bail!("{NAME}: moments {:?} for {channels} channels", lb.shape());
        }
        let row = pointer::<f32>(batch, lb, NAME)? + (self.row * channels * size_of::<f32>()) as u64;
        let at = [pointer::<f32>(running, lr, NAME)?, row];
        // SAFETY: both have a float for each channel.
        unsafe { batch_norm::move_towards(&Card(&batch.device), at, channels, (MOMENTUM, self.scale)) }
    }
}

/// All of a normalisation but its tensors.
struct Affine {
    curve: CurveCode,
    /// Whether the moments are those of the batch, and part of the gradient.
    train: bool,
    /// (3, C)
    moments: Tensor,
}

impl Affine {
    /// The normalised map, given x, weight and bias.
    fn value(
        &self,
        arguments: [(&CudaStorage, &Layout); 3],
        residual: Option<(&CudaStorage, &Layout)>,
    ) -> Result<(CudaStorage, Shape)> {
        let [(x, lx), ..] = arguments;
        on_card(&self.moments, |moments, lm| {
            let norm = self.norm(arguments, (moments, lm))?;
            let residual =
                residual.map_or(Ok(0), |(storage, layout)| pointer::<f32>(storage, layout, NAME))?;
            // SAFETY: `norm` has checked the sizes, and a residual has the shape of x.
            let fill = |card: &Card, y| unsafe { batch_norm::normalize(card, norm, residual, y) };
            // SAFETY: the kernel writes every element.
            let y = unsafe { filled::<f32>(&x.device, norm.of.elements(), fill) }?;
            Ok((y, lx.shape().clone()))
        })
    }

    fn norm(
        &self,
        [(x, lx), (weight, lw), (bias, lb)]: [(&CudaStorage, &Layout); 3],
        (moments, lm): (&CudaStorage, &Layout),
    ) -> Result<Norm> {
        let of = Channels::new(lx.shape(), NAME)?;
        let channels = of.channels();
        if lw.dims() != [channels] || lb.dims() != [channels] || lm.dims() != [3, channels] {
            bail!("{NAME}: weight {:?}, bias {:?} and moments {:?} for {:?}", lw, lb, lm, lx.shape());
        }
        Ok(Norm {
            of,
            curve: self.curve,
            x: pointer::<f32>(x, lx, NAME)?,
            moments: pointer::<f32>(moments, lm, NAME)?,
            weight: pointer::<f32>(weight, lw, NAME)?,
            bias: pointer::<f32>(bias, lb, NAME)?,
        })
    }

    /// The gradients for x, weight and bias; `upstream` is contiguous.
    fn gradients(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        upstream: &Tensor,
    ) -> Result<[Tensor; 3]> {
        let channels = weight.elem_count();
        // Room for the sums, which are results of the operation beside dx.
        let sums = Tensor::zeros((4, channels), x.dtype(), x.device())?;
        let op = Gradients { affine: self, weight: weight.detach(), bias: bias.detach(), sums: sums.clone() };
        let dx = x.watched_op2_no_bwd(upstream, &op)?;
        Ok([dx, sums.get(0)?, sums.get(1)?])
    }
}

/// Calls `work` with the storage of a tensor on a GPU.
fn on_card<T>(tensor: &Tensor, work: impl FnOnce(&CudaStorage, &Layout) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cuda(storage) => work(storage, layout),
        _ => not_here(),
    }
}

/// (x, weight, bias) -> y
struct Normalize(Affine);

impl CustomOp3 for Normalize {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        not_here()
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        weight: &CudaStorage,
        lw: &Layout,
        bias: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.0.value([(x, lx), (weight, lw), (bias, lb)], None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dweight, dbias] = self.0.gradients(x, weight, bias, &upstream.contiguous()?)?;
        Ok((Some(dx), Some(dweight), Some(dbias)))
    }
}

/// (x, weight, residual) -> y; the gradient for the bias is collected, since a node has three arguments at most.
struct NormalizeAdd {
    affine: Affine,
    bias: Tensor,
}

impl CustomOp3 for NormalizeAdd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        not_here()
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        weight: &CudaStorage,
        lw: &Layout,
        residual: &CudaStorage,
        lr: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        on_card(&self.bias, |bias, lb| {
            self.affine.value([(x, lx), (weight, lw), (bias, lb)], Some((residual, lr)))
        })
    }

    /// The sum was positive where the result is.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        residual: &Tensor,
        y: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let upstream = rectified_gradient(y, &upstream.contiguous()?)?;
        let [dx, dweight, dbias] = self.affine.gradients(x, weight, &self.bias, &upstream)?;
        if self.bias.track_op() {
            collect(&self.bias, dbias)?;
        }
        Ok((Some(dx), Some(dweight), residual.track_op().then_some(upstream)))
    }
}

/// (x, upstream) -> dx, and the gradients of the parameters into `sums`
struct Gradients<'a> {
    affine: &'a Affine,
    weight: Tensor,
    bias: Tensor,
    /// (4, C), which nothing else reads before the operation has ended.
    sums: Tensor,
}

impl CustomOp2 for Gradients<'_> {
    fn name(&self) -> &'static str {
        "batch norm gradients"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here()
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        upstream: &CudaStorage,
        lu: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        crate::cuda::card::same_count([lx, lu], NAME)?;
        let Self { affine, weight, bias, sums } = self;
        let norm = on_card(weight, |weight, lw| {
            on_card(bias, |bias, lb| {
                let moments = |moments: &CudaStorage, lm: &Layout| {
                    affine.norm([(x, lx), (weight, lw), (bias, lb)], (moments, lm))
                };
                on_card(&affine.moments, moments)
            })
        })?;
        let upstream = pointer::<f32>(upstream, lu, NAME)?;
        let sums = on_card(sums, |sums, ls| pointer::<f32>(sums, ls, NAME))?;
        let fill = |card: &Card, dx| {
            // SAFETY: `norm` has checked the sizes; the gradients have the shape of x, `sums` four floats for each channel, which
            // are this operation's own.
            unsafe { batch_norm::gradients(card, norm, affine.train, [upstream, sums, dx]) }
        };
        // SAFETY: the kernel writes every element.
        let dx = unsafe { filled::<f32>(&x.device, norm.of.elements(), fill) }?;
        Ok((dx, lx.shape().clone()))
    }
}
