//! Cross entropy on edge pixels alone.

use candle_core::{DType, Result, Tensor, bail};
use sconce_tensors::{pixel_cross_entropy, weighted_sum};

use crate::targets::Map;

/// Boundary attention: the cross entropy of the labels at edge pixels, summed in each image and divided by the number of its edge
/// pixels plus 1, then averaged over the images. Edge pixels labelled `ignore` add nothing but count. 0 without edge pixels.
///
/// The boundary-attention loss of EAGRNet (Te et al. 2020, "Edge-aware Graph Representation Learning and Reasoning for Face Parsing")
/// with the plus 1 of AGRNet's published code, which EAGRNet lacks.
///
/// # Shapes
///
/// logits (N, C, H, W) f32, labels (N, H, W) u8, edges (N, H, W) u8 of 0 and 1 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, a label is neither a class nor `ignore`, or an edge is neither 0 nor 1: image, row, column and value are
/// named. On a GPU, where looking for one would hold up every step, such labels make the loss NaN, and such edges are not found.
pub fn boundary_attention(logits: &Tensor, labels: &Tensor, edges: &Tensor, ignore: u8) -> Result<Tensor> {
    mean_over_edges(&pixel_cross_entropy(logits, labels, None, ignore)?, edges)
}

/// The same of a (N, H, W) map of losses.
pub(crate) fn mean_over_edges(losses: &Tensor, edges: &Tensor) -> Result<Tensor> {
    if losses.dims() != edges.dims() {
        bail!("edges are {:?}, but the logits need {:?}", edges.dims(), losses.dims());
    }
    if !edges.device().is_cpu() {
        return weighted_sum(losses, &weights_where_they_are(edges)?);
    }
    let map = Map::read_edges(edges)?;
    let mut weights = Vec::with_capacity(map.values.len());
    for image in map.images() {
        let on = image.iter().filter(|&&edge| edge == 1).count();
        let weight = 1.0 / ((on + 1) * map.dims.0) as f64;
        weights.extend(image.iter().map(|&edge| f32::from(edge) * weight as f32));
    }
    weighted_sum(losses, &Tensor::from_vec(weights, map.dims, losses.device())?)
}

/// The weight of every pixel where edges are dear to read: they are counted where they are.
fn weights_where_they_are(edges: &Tensor) -> Result<Tensor> {
    let edges = edges.to_dtype(DType::F32)?;
    let (images, _, _) = edges.dims3()?;
    let on = edges.sum_keepdim((1, 2))?;
    edges.broadcast_div(&((on + 1.0)? * images as f64)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cross_entropy;
    use candle_core::Device;
    use proptest::prelude::*;
    use sconce_tensors::testing::{assert_close, check_gradient, hashed_signed, hashed_uniform};

    fn bytes(name: &str, shape: (usize, usize, usize), below: usize) -> Result<Tensor> {
        let u: Vec<f32> = hashed_uniform(name, shape).flatten_all()?.to_vec1()?;
        let values: Vec<u8> = u.into_iter().map(|u| (u * below as f32) as u8).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }

    #[test]
    fn with_edges_everywhere_it_is_the_cross_entropy_up_to_the_plus_one() -> Result<()> {
        let (logits, labels) = (hashed_signed("x", (3, 4, 5, 7), 3.0), bytes("labels", (3, 5, 7), 4)?);
        let edges = labels.ones_like()?;
        let boundary = boundary_attention(&logits, &labels, &edges, 255)?.to_scalar::<f32>()?;
        let plain = cross_entropy(&logits, &labels, 255)?.to_scalar::<f32>()?;
        assert!((boundary - plain * 35.0 / 36.0).abs() < 1e-5, "{boundary} {plain}");
        Ok(())
    }

    #[test]
    fn each_image_counts_its_own_edges() -> Result<()> {
        // Loss ln 2 at every pixel; 3, 1 and 0 edge pixels.
        let logits = Tensor::zeros((3, 2, 1, 4), DType::F32, &Device::Cpu)?;
        let labels = Tensor::zeros((3, 1, 4), DType::U8, &Device::Cpu)?;
        let edges = Tensor::new(&[[[1u8, 1, 1, 0]], [[0, 0, 0, 1]], [[0, 0, 0, 0]]], &Device::Cpu)?;
        let loss = boundary_attention(&logits, &labels, &edges, 255)?.to_scalar::<f32>()?;
        let want = 2f32.ln() * (3.0 / 4.0 + 1.0 / 2.0) / 3.0;
        assert!((loss - want).abs() < 1e-6, "{loss} {want}");
        let third = 1.0 / 3.0;
        let want =
            [[0.25f32, 0.25, 0.25, 0.0], [0.0, 0.0, 0.0, 0.5], [0.0; 4]].map(|row| [row.map(|w| w * third)]);
        assert_close(&weights_where_they_are(&edges)?, &Tensor::new(&want, &Device::Cpu)?, "weights");
        Ok(())
    }

    #[test]
    fn edges_of_another_size_are_refused() -> Result<()> {
        let (logits, labels) = (hashed_signed("x", (1, 2, 3, 4), 1.0), bytes("labels", (1, 3, 4), 2)?);
        let error = boundary_attention(&logits, &labels, &labels.t()?, 255).unwrap_err().to_string();
        assert!(error.contains("[1, 4, 3]") && error.contains("[1, 3, 4]"), "{error}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gradients_agree_with_finite_differences(
            n in 1..4usize, c in 2..5usize, h in 1..6usize, w in 1..6usize, seed in 0..1000u64,
        ) {
            let logits = [hashed_signed(&format!("logits {seed}"), (n, c, h, w), 3.0)];
            let labels = bytes(&format!("labels {seed}"), (n, h, w), c).unwrap();
            let edges = bytes(&format!("edges {seed}"), (n, h, w), 2).unwrap();
            check_gradient(|x| boundary_attention(&x[0], &labels, &edges, 0), &logits, seed).unwrap();
        }
    }
}
