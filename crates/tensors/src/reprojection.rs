//! What the vertices of a graph tell every pixel, added to its features.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
};
use crate::host;

const NAME: &str = "reproject_from_vertices";

/// The features x plus what the vertices H tell each pixel by its projection P: x + Hᵀ·P. What they tell is not kept.
///
/// # Shapes
/// features (N, D, P), vertices (N, V, D), projection (N, V, P), all f32 -> (N, D, P).
///
/// # Errors
/// If shapes or types do not fit, or an axis is empty.
pub fn reproject_from_vertices(features: &Tensor, vertices: &Tensor, projection: &Tensor) -> Result<Tensor> {
    for x in [features, vertices, projection] {
        host::check_f32(x, NAME)?;
    }
    let ((n, d, pixels), (_, v, _)) = (features.dims3()?, vertices.dims3()?);
    if vertices.dims() != [n, v, d] || projection.dims() != [n, v, pixels] || n * v * d * pixels == 0 {
        let (features, vertices, projection) = (features.shape(), vertices.shape(), projection.shape());
        bail!(
            "{NAME}: expected features (N, D, P), vertices (N, V, D) and projection (N, V, P) without an empty axis, got {features:?}, \
             {vertices:?} and {projection:?}"
        );
    }
    features.contiguous()?.watched_op3(&vertices.contiguous()?, &projection.contiguous()?, Reprojection)
}

struct Reprojection;

impl CustomOp3 for Reprojection {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        lf: &Layout,
        vertices: &CpuStorage,
        lv: &Layout,
        projection: &CpuStorage,
        lp: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((n, d, pixels), v) = (lf.shape().dims3()?, lv.dims()[1]);
        let features = host::slice::<f32>(features, lf, NAME)?;
        let mut y = vertices.matmul(projection, (n, d, pixels, v), &lv.transpose(1, 2)?, lp)?;
        let CpuStorage::F32(values) = &mut y else { bail!("{NAME}: the result is not f32") };
        values.par_iter_mut().zip(features).with_min_len(host::items_per_job(1)).for_each(|(y, x)| *y += x);
        Ok((y, lf.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        features: &CudaStorage,
        lf: &Layout,
        vertices: &CudaStorage,
        lv: &Layout,
        projection: &CudaStorage,
        lp: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let ((n, d, pixels), v) = (lf.shape().dims3()?, lv.dims()[1]);
        let x = card::pointer::<f32>(features, lf, NAME)?;
        let y = vertices.matmul(projection, (n, d, pixels, v), &lv.transpose(1, 2)?, lp)?;
        let at = card::pointer::<f32>(&y, &Layout::contiguous(lf.shape()), NAME)?;
        // SAFETY: both have the floats of the features; nothing else holds `y`.
        unsafe { cuda::projection::add_to(&Card(&y.device), [at, x], n * d * pixels) }?;
        Ok((y, lf.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        vertices: &Tensor,
        projection: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let for_vertices = projection.detach().matmul(&gradient.transpose(1, 2)?)?;
        let for_projection = vertices.detach().matmul(&gradient)?;
        Ok((Some(gradient), Some(for_vertices), Some(for_projection)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::assert_same_on_any_threads;
    use crate::testing::{assert_close, check_gradient, devices, hashed_signed};
    use proptest::prelude::*;

    fn inputs(n: usize, d: usize, v: usize, pixels: usize) -> [Tensor; 3] {
        [
            hashed_signed("features", (n, d, pixels), 1.0),
            hashed_signed("vertices", (n, v, d), 1.0),
            hashed_signed("projection", (n, v, pixels), 1.0),
        ]
    }

    #[test]
    fn bad_input_is_named() {
        let [x, h, p] = inputs(2, 3, 4, 5);
        let error = reproject_from_vertices(&x, &p, &h).unwrap_err().to_string();
        assert!(error.contains("projection (N, V, P)") && error.contains("[2, 4, 3]"), "{error}");
    }

    #[test]
    fn threads_change_nothing() -> Result<()> {
        let [x, h, p] = inputs(2, 9, 7, 5000);
        assert_same_on_any_threads(&x, |x| reproject_from_vertices(x, &h, &p))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn equals_its_definition(n in 1usize..3, v in 1usize..20, d in 1usize..12, pixels in 1usize..600) {
            let [x, h, p] = inputs(n, d, v, pixels);
            let want = (&x + h.transpose(1, 2)?.matmul(&p)?)?;
            for device in devices() {
                let (x, h, p) = (x.to_device(&device)?, h.to_device(&device)?, p.to_device(&device)?);
                assert_close(&reproject_from_vertices(&x, &h, &p)?, &want, "pixels");
            }
        }

        #[test]
        fn gradients_equal_finite_differences(v in 1usize..6, d in 1usize..5, pixels in 1usize..8, seed in 0u64..99) {
            check_gradient(|x| reproject_from_vertices(&x[0], &x[1], &x[2]), &inputs(2, d, v, pixels), seed)?;
        }
    }
}
