//! Pixels on the vertices of a graph and back, with one matrix of vertices × pixels in memory at a time.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, InplaceOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::blocks::{self, Block, PIXELS};
use crate::checked::{Watched, seen};
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
    pixel_classes::Pixels,
};
use crate::filled::zeros;
use crate::host;
use crate::simd::{exp, vectorised};

const NAME: &str = "project_on_vertices";
const BACKWARD: &str = "project_on_vertices backward";

/// How much of every pixel projects on each vertex: the softmax over the vertices of ⟨vertex, feature · e⟩, times e, where e is the
/// pixel's edge probability. A pixel's column sums to e.
///
/// The energies ⟨vertex, feature⟩ become the result in their place, and the backward pass makes them again, so that no other matrix of
/// this size is kept.
///
/// # Shapes
/// vertices (N, V, D), features (N, D, P), edge (N, 1, P), all f32 -> (N, V, P).
///
/// # Errors
/// If shapes or types do not fit, or an axis is empty.
pub fn project_on_vertices(vertices: &Tensor, features: &Tensor, edge: &Tensor) -> Result<Tensor> {
    for x in [vertices, features, edge] {
        host::check_f32(x, NAME)?;
    }
    let ((n, v, d), (_, _, pixels)) = (vertices.dims3()?, features.dims3()?);
    if features.dims() != [n, d, pixels] || edge.dims() != [n, 1, pixels] || n * v * d * pixels == 0 {
        let (vertices, features, edge) = (vertices.shape(), features.shape(), edge.shape());
        bail!(
            "{NAME}: expected vertices (N, V, D), features (N, D, P) and edge (N, 1, P) without an empty axis, got {vertices:?}, \
             {features:?} and {edge:?}"
        );
    }
    vertices.contiguous()?.watched_op3(&features.contiguous()?, &edge.contiguous()?, Projection)
}

/// Images, vertices and pixels of (N, V, ...) and (N, D, P).
fn sizes(vertices: &Layout, features: &Layout) -> Result<(usize, usize, usize)> {
    let ((n, v, _), (_, _, pixels)) = (vertices.shape().dims3()?, features.shape().dims3()?);
    Ok((n, v, pixels))
}

struct Projection;

impl CustomOp3 for Projection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        vertices: &CpuStorage,
        lv: &Layout,
        features: &CpuStorage,
        lf: &Layout,
        edge: &CpuStorage,
        le: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((n, v, pixels), d) = (sizes(lv, lf)?, lv.dims()[2]);
        let edge = host::slice::<f32>(edge, le, NAME)?;
        let mut energies = vertices.matmul(features, (n, v, pixels, d), lv, lf)?;
        let CpuStorage::F32(values) = &mut energies else { bail!("{NAME}: the energies are not f32") };
        each_block(values, (n, v, pixels), |block, rows| project_block(block.pixels(edge), rows));
        Ok((energies, (n, v, pixels).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        vertices: &CudaStorage,
        lv: &Layout,
        features: &CudaStorage,
        lf: &Layout,
        edge: &CudaStorage,
        le: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let ((n, v, pixels), d) = (sizes(lv, lf)?, lv.dims()[2]);
        let edge = card::pointer::<f32>(edge, le, NAME)?;
        let energies = vertices.matmul(features, (n, v, pixels, d), lv, lf)?;
        let at = card::pointer::<f32>(&energies, &Layout::contiguous((n, v, pixels)), NAME)?;
        let of = Pixels::new(&[n, v, pixels], NAME)?;
        // SAFETY: a float for every pixel and vertex, which nothing else holds, and an edge probability for every pixel.
        unsafe { cuda::projection::project(&Card(&energies.device), of, [at, edge]) }?;
        Ok((energies, (n, v, pixels).into()))
    }

    fn bwd(
        &self,
        vertices: &Tensor,
        features: &Tensor,
        edge: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (wanted, gradient) = (edge.track_op(), gradient.contiguous()?);
        let [vertices, features, edge] = [vertices, features, edge].map(Tensor::detach);
        let energies = vertices.matmul(&features)?;
        let edge_gradient = || energies.watched_op3_no_bwd(&edge, &gradient, &EdgeGradient);
        let for_edge = wanted.then(edge_gradient).transpose()?;
        let for_energies = seen(BACKWARD, &[&energies, &edge, &gradient], || {
            energies.inplace_op3(&edge, &gradient, &EnergyGradient)?;
            Ok(energies.clone())
        })?;
        let for_vertices = for_energies.matmul(&features.transpose(1, 2)?)?;
        let for_features = vertices.transpose(1, 2)?.matmul(&for_energies)?;
        Ok((Some(for_vertices), Some(for_features), for_edge))
    }
}

/// Turns energies into the gradient for them, given edge and the gradient for the projection: e² softmax (gradient - its mean), where
/// the vertices weigh their softmax.
struct EnergyGradient;

impl InplaceOp3 for EnergyGradient {
    fn name(&self) -> &'static str {
        BACKWARD
    }

    fn cpu_fwd(
        &self,
        energies: &mut CpuStorage,
        layout: &Layout,
        edge: &CpuStorage,
        le: &Layout,
        gradient: &CpuStorage,
        lg: &Layout,
    ) -> Result<()> {
        let edge = host::slice::<f32>(edge, le, BACKWARD)?;
        let gradient = host::slice::<f32>(gradient, lg, BACKWARD)?;
        let CpuStorage::F32(values) = energies else { bail!("{BACKWARD}: the energies are not f32") };
        each_block(values, layout.shape().dims3()?, |block, rows| {
            energy_gradient_block(block, block.pixels(edge), gradient, rows);
        });
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        energies: &mut CudaStorage,
        layout: &Layout,
        edge: &CudaStorage,
        le: &Layout,
        gradient: &CudaStorage,
        lg: &Layout,
    ) -> Result<()> {
        let at = [(&*energies, layout), (edge, le), (gradient, lg)];
        let [energies_at, edge, gradient] =
            at.map(|(storage, layout)| card::pointer::<f32>(storage, layout, BACKWARD));
        let (of, at) = (Pixels::new(layout.dims(), BACKWARD)?, [energies_at?, edge?, gradient?]);
        // SAFETY: floats for every pixel and vertex, of which nothing else holds the energies, and an edge probability for every pixel.
        unsafe { cuda::projection::gradient(&Card(&energies.device), of, at) }
    }
}

/// From energies, edge and the gradient for the projection: that for edge.
struct EdgeGradient;

impl CustomOp3 for EdgeGradient {
    fn name(&self) -> &'static str {
        "project_on_vertices backward to edge"
    }

    fn cpu_fwd(
        &self,
        energies: &CpuStorage,
        layout: &Layout,
        edge: &CpuStorage,
        le: &Layout,
        gradient: &CpuStorage,
        lg: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let energies = host::slice::<f32>(energies, layout, self.name())?;
        let edge = host::slice::<f32>(edge, le, self.name())?;
        let gradient = host::slice::<f32>(gradient, lg, self.name())?;
        let (n, v, pixels) = layout.shape().dims3()?;
        let mut de = zeros(edge.len());
        Block::all(n, v, pixels)
            .into_par_iter()
            .zip(blocks::split_pixels_mut(&mut de, pixels))
            .with_min_len(host::items_per_job(v * PIXELS.min(pixels)))
            .for_each(|(block, de)| {
                edge_gradient_block(block, v, block.pixels(edge), energies, gradient, de)
            });
        Ok((CpuStorage::F32(de), le.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        energies: &CudaStorage,
        layout: &Layout,
        edge: &CudaStorage,
        le: &Layout,
        gradient: &CudaStorage,
        lg: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let of = Pixels::new(layout.dims(), self.name())?;
        let at = card::pointer::<f32>(energies, layout, self.name())?;
        let (edge, gradient) =
            (card::pointer::<f32>(edge, le, self.name())?, card::pointer::<f32>(gradient, lg, self.name())?);
        let fill = |card: &Card, de| {
            // SAFETY: floats for every pixel and vertex, edge probabilities and their gradients for every pixel.
            unsafe { cuda::projection::edge_gradient(card, of, [at, edge, gradient, de]) }
        };
        // SAFETY: the kernel writes every element.
        let de = unsafe { card::filled::<f32>(&energies.device, of.count(), fill) }?;
        Ok((de, le.shape().clone()))
    }
}

/// Runs `work` on every block of a matrix (images, vertices, pixels), with its rows.
fn each_block(
    values: &mut [f32],
    (n, v, pixels): (usize, usize, usize),
    work: impl Fn(Block, &mut [&mut [f32]]) + Sync,
) {
    Block::all(n, v, pixels)
        .into_par_iter()
        .zip(blocks::split_channels_mut(values, v, pixels))
        .with_min_len(host::items_per_job(v * PIXELS.min(pixels)))
        .for_each(|(block, mut rows)| work(block, &mut rows));
}

/// The softmax over the rows of what they hold times `edge`, in their place, without its denominators, which it returns.
#[inline(always)]
fn exponentials(edge: &[f32], rows: &mut [&mut [f32]]) -> [f32; PIXELS] {
    let (mut largest, mut sums) = ([f32::NEG_INFINITY; PIXELS], [0f32; PIXELS]);
    for row in rows.iter_mut() {
        for ((x, e), m) in row.iter_mut().zip(edge).zip(&mut largest) {
            *x *= e;
            *m = if *x > *m { *x } else { *m };
        }
    }
    for row in rows.iter_mut() {
        for ((x, m), sum) in row.iter_mut().zip(&largest).zip(&mut sums) {
            *x = exp(*x - m);
            *sum += *x;
        }
    }
    sums
}

vectorised! {
    fn project_block(edge: &[f32], rows: &mut [&mut [f32]]) {
        let mut scales = exponentials(edge, rows);
        for (scale, e) in scales.iter_mut().zip(edge) {
            *scale = e / *scale;
        }
        for row in rows.iter_mut() {
            row.iter_mut().zip(&scales).for_each(|(x, scale)| *x *= scale);
        }
    }
}

vectorised! {
    fn energy_gradient_block(block: Block, edge: &[f32], gradient: &[f32], rows: &mut [&mut [f32]]) {
        let (mut scales, mut means) = (exponentials(edge, rows), [0f32; PIXELS]);
        for (v, row) in rows.iter().enumerate() {
            for ((mean, x), g) in means.iter_mut().zip(row.iter()).zip(block.channel(gradient, v)) {
                *mean += x * g;
            }
        }
        for ((scale, mean), e) in scales.iter_mut().zip(&mut means).zip(edge) {
            *mean /= *scale;
            *scale = e * e / *scale;
        }
        for (v, row) in rows.iter_mut().enumerate() {
            let factors = scales.iter().zip(&means).zip(block.channel(gradient, v));
            for (x, ((scale, mean), g)) in row.iter_mut().zip(factors) {
                *x *= scale * (g - mean);
            }
        }
    }
}

vectorised! {
    fn edge_gradient_block(
        block: Block,
        vertices: usize,
        edge: &[f32],
        energies: &[f32],
        gradient: &[f32],
        de: &mut [f32],
    ) {
        let (mut largest, mut sums) = ([f32::NEG_INFINITY; PIXELS], [0f32; PIXELS]);
        for v in 0..vertices {
            for ((x, e), m) in block.channel(energies, v).iter().zip(edge).zip(&mut largest) {
                *m = if x * e > *m { x * e } else { *m };
            }
        }
        let mut means = [0f32; PIXELS];
        for v in 0..vertices {
            let energies = block.channel(energies, v).iter().zip(edge).zip(&largest);
            for ((((x, e), m), g), (sum, mean)) in
                energies.zip(block.channel(gradient, v)).zip(sums.iter_mut().zip(&mut means))
            {
                let part = exp(x * e - m);
                *sum += part;
                *mean += part * g;
            }
        }
        means.iter_mut().zip(&sums).for_each(|(mean, sum)| *mean /= sum);
        for v in 0..vertices {
            let energies = block.channel(energies, v).iter().zip(edge).zip(&largest);
            for ((((x, e), m), g), (mean, de)) in
                energies.zip(block.channel(gradient, v)).zip(means.iter().zip(de.iter_mut()))
            {
                *de += x * exp(x * e - m) * (g - mean);
            }
        }
        for (((de, e), sum), mean) in de.iter_mut().zip(edge).zip(&sums).zip(&means) {
            *de = mean + e * (*de / sum);
        }
    }
}

#[cfg(test)]
mod tests;
