//! Cross entropy of edge maps, balanced between edge and rest.

use candle_core::{DType, Result, Tensor};
use sconce_tensors::{pixel_cross_entropy, sum_all, weighted_sum};

use crate::cross_entropy::cross_entropy_weighted;
use crate::targets::Map;

/// Cross entropy of two classes, not an edge and edge, where a pixel weighs as much as the share of the pixels of the *other* class
/// in the whole batch: the few edge pixels together weigh as much as all others. 0 when all pixels or none are edge pixels.
///
/// The edge loss of CE2P (Ruan et al. 2019, "Devil in the Details: Towards Accurate Single and Multiple Human Parsing"), which AGRNet
/// uses.
///
/// # Shapes
///
/// edge_logits (N, 2, H, W) f32, edges (N, H, W) u8 of 0 and 1 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or an edge is neither 0 nor 1: image, row, column and value are named. On a GPU, where looking for one would
/// hold up every step, such edges are not found.
pub fn edge_cross_entropy(edge_logits: &Tensor, edges: &Tensor) -> Result<Tensor> {
    if !edges.device().is_cpu() {
        return balanced_where_they_are(edge_logits, edges);
    }
    let map = Map::read_edges(edges)?;
    let on = map.valid(0) as f64 / map.values.len().max(1) as f64;
    // No edge has the value that is ignored.
    cross_entropy_weighted(edge_logits, edges, &[on as f32, (1.0 - on) as f32], u8::MAX)
}

/// The same where edges are dear to read: they are counted where they are.
fn balanced_where_they_are(edge_logits: &Tensor, edges: &Tensor) -> Result<Tensor> {
    let losses = pixel_cross_entropy(edge_logits, edges, None, u8::MAX)?;
    let edges = edges.to_dtype(DType::F32)?;
    let on = (sum_all(&edges)? / edges.elem_count() as f64)?;
    let weights = edges.broadcast_mul(&on.affine(-2.0, 1.0)?)?.broadcast_add(&on)?;
    // The weights sum to 1 or more, or to 0, and then so do the losses.
    weighted_sum(&losses, &weights)? / sum_all(&weights)?.maximum(0.5)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use proptest::prelude::*;
    use sconce_tensors::testing::{assert_close, check_gradient, hashed_signed};

    /// One image row whose first `on` pixels are edge pixels.
    fn row(on: usize, width: usize) -> Result<Tensor> {
        Tensor::from_vec(
            (0..width).map(|x| u8::from(x < on)).collect::<Vec<_>>(),
            (1, 1, width),
            &Device::Cpu,
        )
    }

    #[test]
    fn both_classes_weigh_the_same_in_sum() -> Result<()> {
        // Edge pixels right, the others wrong by 2 nats, whatever their numbers: the mean of about 0 and 2.
        for on in [1, 3, 9] {
            let logits = Tensor::new(&[0f32, 10.0], &Device::Cpu)?.reshape((1, 2, 1, 1))?;
            let logits = logits.broadcast_as((1, 2, 1, 10))?.contiguous()?;
            let loss = edge_cross_entropy(&logits, &row(on, 10)?)?.to_scalar::<f32>()?;
            assert!((loss - 5.0).abs() < 1e-3, "{on} edge pixels: {loss}");
        }
        Ok(())
    }

    #[test]
    fn all_edge_and_no_edge_are_zero_with_zero_gradient() -> Result<()> {
        for on in [0, 6] {
            let logits = Var::from_tensor(&hashed_signed("edge", (1, 2, 1, 6), 3.0))?;
            let loss = edge_cross_entropy(&logits, &row(on, 6)?)?;
            assert_eq!(loss.to_scalar::<f32>()?, 0.0);
            let gradients = loss.backward()?;
            let gradient = gradients.get(&logits).map(|g| g.flatten_all()?.to_vec1::<f32>()).transpose()?;
            assert_eq!(gradient, Some(vec![0.0; 12]));
        }
        Ok(())
    }

    #[test]
    fn counting_elsewhere_gives_the_same_loss() -> Result<()> {
        for on in [0, 1, 3, 8, 9] {
            let (logits, edges) = (Var::from_tensor(&hashed_signed("edge", (1, 2, 1, 9), 3.0))?, row(on, 9)?);
            let of = |loss: Tensor| {
                let gradient = loss.backward()?.remove(&logits);
                Ok::<_, candle_core::Error>((loss, gradient.expect("a gradient")))
            };
            let (here, gradient) = of(edge_cross_entropy(&logits, &edges)?)?;
            let (there, other) = of(balanced_where_they_are(&logits, &edges)?)?;
            assert_close(&there, &here, "loss");
            assert_close(&other, &gradient, "gradient");
        }
        Ok(())
    }

    #[test]
    fn edges_are_zero_or_one() -> Result<()> {
        let logits = hashed_signed("edge", (1, 2, 1, 6), 3.0);
        let edges = (row(2, 6)?.to_dtype(DType::F32)? * 255.0)?.to_dtype(DType::U8)?;
        let error = edge_cross_entropy(&logits, &edges).unwrap_err().to_string();
        assert!(error.contains("edge 255 at image 0, row 0, column 0"), "{error}");
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gradients_agree_with_finite_differences(width in 2..12usize, share in 0.0..1.0f64, seed in 0..1000u64) {
            let edges = row((share * width as f64) as usize, width).unwrap();
            let logits = [hashed_signed(&format!("edge {seed}"), (1, 2, 1, width), 3.0)];
            check_gradient(|x| edge_cross_entropy(&x[0], &edges), &logits, seed).unwrap();
        }
    }
}
