//! The passes of a convolution as candle operations.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::Geometry;
use super::channel_sum::channel_sum;
use super::products::{add_bias, forward, input_gradient, weight_gradient};
use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda;
use crate::host::slice;

/// x, weight (, bias) -> y
pub(crate) struct Forward(pub(crate) Geometry);

impl Forward {
    fn run(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> (CpuStorage, Shape) {
        (CpuStorage::F32(forward(&self.0, x, weight, bias)), self.0.output_shape().into())
    }

    #[cfg(feature = "cuda")]
    fn run_on_card(
        &self,
        x: (&CudaStorage, &Layout),
        weight: (&CudaStorage, &Layout),
        bias: Option<(&CudaStorage, &Layout)>,
    ) -> Result<(CudaStorage, Shape)> {
        let (y, shape) = (cuda::conv::forward(&self.0, x, weight)?, Shape::from(self.0.output_shape()));
        Ok((cuda::card::with_bias(y, &shape, bias, "conv2d")?, shape))
    }

    /// The output without a bias.
    pub(crate) fn values(&self, x: &[f32], weight: &[f32]) -> Vec<f32> {
        forward(&self.0, x, weight, None)
    }

    /// The gradients for input and weight, left out where nothing asks for them.
    fn gradients(
        &self,
        x: &Tensor,
        weight: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = || weight.watched_op2_no_bwd(dy, &InputGradient(self.0));
        let dw = || x.watched_op2_no_bwd(dy, &WeightGradient(self.0));
        Ok((x.track_op().then(dx).transpose()?, weight.track_op().then(dw).transpose()?))
    }
}

impl CustomOp2 for Forward {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let op = CustomOp2::name(self);
        Ok(self.run(slice(x, lx, op)?, slice(w, lw, op)?, None))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run_on_card((x, lx), (w, lw), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, weight, &dy.contiguous()?)
    }
}

impl CustomOp3 for Forward {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let op = CustomOp3::name(self);
        Ok(self.run(slice(x, lx, op)?, slice(w, lw, op)?, Some(slice(bias, lb, op)?)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
        bias: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run_on_card((x, lx), (w, lw), Some((bias, lb)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (dx, dw) = self.gradients(x, weight, &dy)?;
        let db = bias.track_op().then(|| dy.watched_op1_no_bwd(&ChannelSum)).transpose()?;
        Ok((dx, dw, db))
    }
}

/// x, weight (, bias) -> y of the transposed convolution, whose geometry leads from y to x
pub(crate) struct Transposed(pub(crate) Geometry);

impl Transposed {
    fn run(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> (CpuStorage, Shape) {
        let mut y = input_gradient(&self.0, weight, x);
        add_bias(&mut y, self.0.input_pixels(), bias);
        (CpuStorage::F32(y), self.0.input_shape().into())
    }

    #[cfg(feature = "cuda")]
    fn run_on_card(
        &self,
        x: (&CudaStorage, &Layout),
        weight: (&CudaStorage, &Layout),
        bias: Option<(&CudaStorage, &Layout)>,
    ) -> Result<(CudaStorage, Shape)> {
        let (y, shape) = (cuda::conv::input_gradient(&self.0, weight, x)?, Shape::from(self.0.input_shape()));
        Ok((cuda::card::with_bias(y, &shape, bias, "conv_transpose2d")?, shape))
    }

    /// The gradients for input and weight, left out where nothing asks for them.
    fn gradients(
        &self,
        x: &Tensor,
        weight: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = || dy.watched_op2_no_bwd(weight, &Forward(self.0));
        let dw = || dy.watched_op2_no_bwd(x, &WeightGradient(self.0));
        Ok((x.track_op().then(dx).transpose()?, weight.track_op().then(dw).transpose()?))
    }
}

impl CustomOp2 for Transposed {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let op = CustomOp2::name(self);
        Ok(self.run(slice(x, lx, op)?, slice(w, lw, op)?, None))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run_on_card((x, lx), (w, lw), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, weight, &dy.contiguous()?)
    }
}

impl CustomOp3 for Transposed {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let op = CustomOp3::name(self);
        Ok(self.run(slice(x, lx, op)?, slice(w, lw, op)?, Some(slice(bias, lb, op)?)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
        bias: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.run_on_card((x, lx), (w, lw), Some((bias, lb)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let (dx, dw) = self.gradients(x, weight, &dy)?;
        let db = bias.track_op().then(|| dy.watched_op1_no_bwd(&ChannelSum)).transpose()?;
        Ok((dx, dw, db))
    }
}

/// weight, dy -> dx
pub(crate) struct InputGradient(pub(crate) Geometry);

impl CustomOp2 for InputGradient {
    fn name(&self) -> &'static str {
        "conv2d, gradient for the input"
    }

    fn cpu_fwd(
        &self,
        w: &CpuStorage,
        lw: &Layout,
        dy: &CpuStorage,
        ly: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let geometry = self.0.with_larger_tiles(true);
        let dx = input_gradient(&geometry, slice(w, lw, self.name())?, slice(dy, ly, self.name())?);
        Ok((CpuStorage::F32(dx), self.0.input_shape().into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        w: &CudaStorage,
        lw: &Layout,
        dy: &CudaStorage,
        ly: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let dx = cuda::conv::input_gradient(&self.0, (w, lw), (dy, ly))?;
        Ok((dx, self.0.input_shape().into()))
    }
}

/// x, dy -> dweight
pub(crate) struct WeightGradient(pub(crate) Geometry);

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d, gradient for the weights"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        dy: &CpuStorage,
        ly: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let dw = weight_gradient(&self.0, slice(x, lx, self.name())?, slice(dy, ly, self.name())?);
        Ok((CpuStorage::F32(dw), self.0.weight_shape().into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        dy: &CudaStorage,
        ly: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let dw = cuda::conv::weight_gradient(&self.0, (x, lx), (dy, ly))?;
        Ok((dw, self.0.weight_shape().into()))
    }
}

/// (N, C, H, W) -> (C)
struct ChannelSum;

impl CustomOp1 for ChannelSum {
    fn name(&self) -> &'static str {
        "sum of each channel"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let sums = channel_sum(slice(storage, layout, self.name())?, batch, channels, height * width);
        Ok((CpuStorage::F32(sums), channels.into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let of = cuda::channels::Channels::new(layout.shape(), self.name())?;
        let at = cuda::card::pointer::<f32>(x, layout, self.name())?;
        // SAFETY: `x` has the floats of its shape, `sums` one for each channel.
        let fill =
            |card: &cuda::card::Card, sums| unsafe { cuda::channel_sum::channel_sum(card, of, at, sums) };
        // SAFETY: the kernels write every sum.
        let sums = unsafe { cuda::card::filled::<f32>(&x.device, of.channels(), fill) }?;
        Ok((sums, of.channels().into()))
    }
}
