//! Keeps the vertices of a graph apart.

use candle_core::{Device, Result, Tensor};
use sconce_tensors::{relu, sum_all};

use crate::targets::divided;

/// The mean over all pairs of different vertices of an image, and over the images, of max(0, 2 margin - d)², where d is the Euclidean
/// distance of the two. 0 when all are 2 margin or more apart, (2 margin)² when all coincide, where the gradient is 0. 0 for fewer
/// than two vertices.
///
/// The distance term of De Brabandere et al. 2017, "Semantic Instance Segmentation with a Discriminative Loss Function", equation 2,
/// which AGRNet applies to its vertices with margin 1.
///
/// # Shapes
///
/// vertices (N, V, D) f32 -> scalar.
pub fn vertex_distance(vertices: &Tensor, margin: f64) -> Result<Tensor> {
    let (n, v, _) = vertices.dims3()?;
    if n == 0 || v < 2 {
        return divided(&sum_all(vertices)?, 0.0);
    }
    let vertices = vertices.contiguous()?;
    let [first, second] = pairs(v, vertices.device())?;
    let gap = (vertices.index_select(&first, 1)? - vertices.index_select(&second, 1)?)?;
    let overlap = relu(&((2.0 * margin) - distance(&gap)?)?)?;
    let pairs = overlap.elem_count() as f64;
    divided(&sum_all(&overlap.sqr()?)?, pairs)
}

/// The first and the second vertex of each unordered pair.
fn pairs(vertices: usize, device: &Device) -> Result<[Tensor; 2]> {
    let count = vertices as u32;
    let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
    let (first, second): (Vec<u32>, Vec<u32>) = pairs.unzip();
    Ok([Tensor::new(first, device)?, Tensor::new(second, device)?])
}

/// The length of each vector of the last axis, with gradient 0 for the vector of length 0, where the root has none.
fn distance(gap: &Tensor) -> Result<Tensor> {
    let square = gap.sqr()?.sum(2)?;
    let apart = square.gt(0.0)?;
    let root = apart.where_cond(&square, &square.ones_like()?)?.sqrt()?;
    apart.where_cond(&root, &root.zeros_like()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};
    use proptest::prelude::*;
    use sconce_tensors::testing::{check_gradient, hashed_signed};

    fn value(vertices: &Tensor) -> f32 {
        vertex_distance(vertices, 1.0).and_then(|loss| loss.to_scalar()).unwrap()
    }

    /// The definition, in f64 over ordered pairs.
    fn plain(vertices: &Tensor, margin: f64) -> Result<f64> {
        let (n, v, _) = vertices.dims3()?;
        let mut sum = 0.0;
        for image in vertices.to_dtype(DType::F64)?.to_vec3::<f64>()? {
            for (i, j) in (0..v).flat_map(|i| (0..v).map(move |j| (i, j))).filter(|(i, j)| i != j) {
                let square: f64 = image[i].iter().zip(&image[j]).map(|(a, b)| (a - b).powi(2)).sum();
                sum += (2.0 * margin - square.sqrt()).max(0.0).powi(2);
            }
        }
        Ok(sum / (n * v * (v - 1)) as f64)
    }

    #[test]
    fn far_vertices_cost_nothing_and_coinciding_ones_four() -> Result<()> {
        let far = (Tensor::eye(5, DType::F32, &Device::Cpu)? * 2.0)?.unsqueeze(0)?;
        assert_eq!(value(&far), 0.0);
        let together = hashed_signed("v", (2, 1, 7), 1.0).broadcast_as((2, 6, 7))?.contiguous()?;
        assert_eq!(value(&together), 4.0);
        Ok(())
    }

    #[test]
    fn the_gradient_of_coinciding_vertices_is_finite() -> Result<()> {
        let values = [[1f32, 2.0], [1.0, 2.0], [1.5, 2.0]];
        let vertices = Var::from_tensor(&Tensor::new(&[values], &Device::Cpu)?)?;
        let gradients = vertex_distance(&vertices, 1.0)?.backward()?;
        let gradient = gradients.get(&vertices).map(|g| g.squeeze(0)?.to_vec2::<f32>()).transpose()?;
        // 3 pairs; the two of distance 1/2 have slope -2 (2 - 1/2) / 3 = -1 along the first axis.
        assert_eq!(gradient, Some(vec![vec![1.0, 0.0], vec![1.0, 0.0], vec![-2.0, 0.0]]));
        Ok(())
    }

    #[test]
    fn one_vertex_has_no_pair() -> Result<()> {
        assert_eq!(value(&hashed_signed("v", (2, 1, 3), 1.0)), 0.0);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn it_is_the_definition_and_has_its_gradient(
            n in 1..4usize, v in 2..9usize, d in 1..9usize, scale in 0.1..2.0f64, seed in 0..1000u64,
        ) {
            let vertices = hashed_signed(&format!("v{seed}"), (n, v, d), scale);
            let (got, want) = (f64::from(value(&vertices)), plain(&vertices, 1.0).unwrap());
            prop_assert!((got - want).abs() <= 1e-5 + 1e-4 * want, "{} {}", got, want);
            // One axis has a kink where two vertices meet.
            if d > 2 && scale > 0.5 {
                check_gradient(|x| vertex_distance(&x[0], 1.0), &[vertices], seed).unwrap();
            }
        }
    }
}
