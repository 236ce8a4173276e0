//! The way back through a maximum: each output's gradient goes to the pixel that its maximum came from.

#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
    max_pool::Windows,
};
use crate::filled::zeros;
use crate::host;
use crate::kept::{self, Kept};
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape};
use rayon::prelude::*;

/// For each output, the index of its maximum in the input plane; filled by the forward pass.
pub(super) type Sources = Kept<u32>;

/// Adds every output's gradient to its source.
pub(super) struct Scatter {
    pub(super) name: &'static str,
    /// Height and width of the pooled map's input.
    pub(super) input: (usize, usize),
    pub(super) sources: Sources,
    #[cfg(feature = "cuda")]
    pub(super) windows: Windows,
}

impl CustomOp1 for Scatter {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let gradient = host::slice::<f32>(storage, layout, self.name)?;
        let (n, c, height, width) = layout.shape().dims4()?;
        let ((h, w), outputs) = (self.input, height * width);
        let sources = kept::on_host(&self.sources, self.name)?;
        let mut dst = zeros(n * c * h * w);
        dst.par_chunks_mut(h * w)
            .zip(gradient.par_chunks(outputs).zip(sources.par_chunks(outputs)))
            .with_min_len(host::items_per_job(h * w))
            .for_each(|(dst, (gradient, sources))| {
                for (g, source) in gradient.iter().zip(sources) {
                    dst[*source as usize] += g;
                }
            });
        Ok((CpuStorage::F32(dst), (n, c, h, w).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, upstream: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, c, _, _) = layout.shape().dims4()?;
        let (planes, (h, w)) = (n * c, self.input);
        let from = card::pointer::<f32>(upstream, layout, self.name)?;
        let sources = kept::on_card(&self.sources, self.name)?;
        let fill = |card: &Card, dx| {
            // SAFETY: the gradient has the shape of the pooled map, which has as many sources; dx that of the input.
            unsafe { cuda::max_pool::gradient(card, &self.windows, planes, [from, sources, dx]) }
        };
        // SAFETY: the kernel writes every element.
        let dx = unsafe { card::filled::<f32>(&upstream.device, planes * h * w, fill) }?;
        Ok((dx, (n, c, h, w).into()))
    }
}

/// The maxima of every plane of `x`; their places are kept.
#[cfg(feature = "cuda")]
pub(super) fn pooled_on_card(
    (x, layout): (&CudaStorage, &Layout),
    windows: &Windows,
    sources: &Sources,
    op: &str,
) -> Result<(CudaStorage, Shape)> {
    let (n, c, h, w) = layout.shape().dims4()?;
    if (h, w) != windows.input {
        candle_core::bail!("{op}: windows of {:?} pixels for {:?}", windows.input, layout.shape());
    }
    let (planes, rows, columns) = (n * c, windows.rows.len(), windows.columns.len());
    let (from, count) = (card::pointer::<f32>(x, layout, op)?, planes * rows * columns);
    let mut places = None;
    let pool = |card: &Card, y| {
        let fill = |card: &Card, places| {
            // SAFETY: `x` has so many planes, `y` and `places` one element for each window.
            unsafe { cuda::max_pool::max_pool(card, windows, planes, [from, y, places]) }
        };
        // SAFETY: the kernel writes every element.
        places = Some(unsafe { card::filled::<u32>(card.0, count, fill) }?);
        Ok(())
    };
    // SAFETY: the kernel writes every element.
    let y = unsafe { card::filled::<f32>(&x.device, count, pool) }?;
    if let Some(places) = places {
        let _ = sources.set(kept::Values::Card(places));
    }
    Ok((y, (n, c, rows, columns).into()))
}
