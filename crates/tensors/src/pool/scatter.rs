//! The way back through a maximum: each output's gradient goes to the pixel that its maximum came from.

use crate::host;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape};
use rayon::prelude::*;
use std::sync::{Arc, OnceLock};

/// For each output, the index of its maximum in the input plane; filled by the forward pass.
pub(super) type Sources = Arc<OnceLock<Vec<u32>>>;

/// Adds every output's gradient to its source.
pub(super) struct Scatter {
    pub(super) name: &'static str,
    /// Height and width of the pooled map's input.
    pub(super) input: (usize, usize),
    pub(super) sources: Sources,
}

impl CustomOp1 for Scatter {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let gradient = host::slice::<f32>(storage, layout, self.name)?;
        let (n, c, height, width) = layout.shape().dims4()?;
        let ((h, w), outputs) = (self.input, height * width);
        let sources = self.sources.get().map_or(&[][..], Vec::as_slice);
        let mut dst = vec![0f32; n * c * h * w];
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
}
