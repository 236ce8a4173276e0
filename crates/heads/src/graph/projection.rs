//! From pixels to vertices.

use candle_core::{D, Result, Tensor, bail};
use sconce_tensors::{project_on_vertices, top_k_indices};

/// A few pixels chosen as the vertices of an image's graph, and how strongly every pixel belongs to each.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Features of the vertices, (N, V, D). Vertex `c * per_class + j` is the j-th surest pixel of class c.
    pub vertices: Tensor,
    /// How much of every pixel projects on each vertex, (N, V, H·W). Sums over the vertices to the pixel's edge probability.
    pub projection: Tensor,
}

/// Chooses the `per_class` pixels of highest score of each class as vertices, and projects the pixels on them.
///
/// With features x and edge probability e: the vertices are the chosen pixels of x · (1 − e), that is from inside the parts,
/// and the projection is softmax over the vertices of ⟨vertex, x · e⟩, times e: pixels near edges take part in the graph. The
/// choice itself carries no gradient, so none reaches `scores`.
///
/// # Shapes
///
/// `features` (N, D, H, W), `edge` (N, 1, H, W) in 0..=1, `scores` (N, C, H, W); V = C · `per_class`.
///
/// # Errors
///
/// When the sizes differ or an image has fewer than `per_class` pixels.
pub fn project_to_graph(
    features: &Tensor,
    edge: &Tensor,
    scores: &Tensor,
    per_class: usize,
) -> Result<Graph> {
    let (n, d, height, width) = features.dims4()?;
    let (_, classes, _, _) = scores.dims4()?;
    let pixels = height * width;
    if edge.dims() != [n, 1, height, width] || scores.dims() != [n, classes, height, width] {
        bail!(
            "the graph's features {:?}, edge {:?} and scores {:?} differ in size",
            features.shape(),
            edge.shape(),
            scores.shape()
        );
    }
    if per_class == 0 || per_class > pixels {
        bail!("{per_class} vertices per class cannot be chosen from {height}x{width} pixels");
    }
    let x = features.reshape((n, d, pixels))?;
    let e = edge.reshape((n, 1, pixels))?;
    let scores = scores.detach().reshape((n, classes, pixels))?;
    let chosen = top_k_indices(&scores, per_class)?.reshape((n, 1, classes * per_class))?;
    let vertices = inner_pixels(&x, &e, &chosen)?;
    let projection = project_on_vertices(&vertices, &x, &e)?;
    Ok(Graph { vertices, projection })
}

/// The chosen columns of x · (1 − e), as rows: (N, V, D).
fn inner_pixels(x: &Tensor, e: &Tensor, chosen: &Tensor) -> Result<Tensor> {
    let (n, d, _) = x.dims3()?;
    let outside = (1. - e.gather(chosen, D::Minus1)?)?;
    let wanted = chosen.broadcast_as((n, d, chosen.dim(D::Minus1)?))?.contiguous()?;
    x.gather(&wanted, D::Minus1)?.broadcast_mul(&outside)?.transpose(1, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};
    use proptest::prelude::*;
    use sconce_tensors::testing::{assert_close, check_gradient, hashed_signed, hashed_uniform};

    /// (N, D, H, W), the number of classes and the vertices of each.
    fn sizes() -> impl Strategy<Value = ((usize, usize, usize, usize), usize, usize)> {
        let shape = (1..3usize, 1..6usize, 1..6usize, 1..6usize);
        (shape, 1..5usize)
            .prop_flat_map(|(shape, classes)| (Just(shape), Just(classes), 1..=shape.2 * shape.3))
    }

    fn inputs((n, d, h, w): (usize, usize, usize, usize), classes: usize) -> [Tensor; 3] {
        [
            hashed_signed("features", (n, d, h, w), 2.),
            hashed_uniform("edge", (n, 1, h, w)),
            hashed_signed("scores", (n, classes, h, w), 1.),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn columns_sum_to_the_edge_probability((shape, classes, per_class) in sizes()) {
            let [features, edge, scores] = inputs(shape, classes);
            let graph = project_to_graph(&features, &edge, &scores, per_class).unwrap();
            let sum = graph.projection.sum(1).unwrap();
            assert_close(&sum, &edge.flatten_from(2).unwrap().squeeze(1).unwrap(), "columns");
        }

        #[test]
        fn vertices_are_the_surest_pixels_off_the_edge((shape, classes, per_class) in sizes()) {
            let [features, edge, scores] = inputs(shape, classes);
            let graph = project_to_graph(&features, &edge, &scores, per_class).unwrap();
            let want = surest(&features, &edge, &scores, per_class).unwrap();
            assert_close(&graph.vertices, &want, "vertices");
        }
    }

    /// By sorting, in the order of the definition.
    fn surest(features: &Tensor, edge: &Tensor, scores: &Tensor, per_class: usize) -> Result<Tensor> {
        let inner = features.broadcast_mul(&(1. - edge)?)?.flatten_from(2)?.to_vec3::<f32>()?;
        let mut rows = Vec::new();
        for (inner, scores) in inner.iter().zip(scores.flatten_from(2)?.to_vec3::<f32>()?) {
            for scores in scores {
                let mut order: Vec<_> = (0..scores.len()).collect();
                order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
                rows.extend(
                    order[..per_class].iter().flat_map(|&p| inner.iter().map(move |channel| channel[p])),
                );
            }
        }
        let (n, d, _, _) = features.dims4()?;
        Tensor::from_vec(rows, (n, scores.dim(1)? * per_class, d), features.device())
    }

    #[test]
    fn gradients_reach_features_and_edge_but_not_the_scores() -> Result<()> {
        let [features, edge, scores] = inputs((2, 3, 4, 5), 2);
        let both = |x: &[Tensor]| {
            let graph = project_to_graph(&x[0], &x[1], &scores, 3)?;
            Tensor::cat(&[graph.vertices.flatten_all()?, graph.projection.flatten_all()?], 0)
        };
        check_gradient(both, &[features.clone(), edge.clone()], 1)?;
        let (features, scores) = (Var::from_tensor(&features)?, Var::from_tensor(&scores)?);
        let gradients =
            project_to_graph(&features, &edge, &scores, 3)?.projection.sqr()?.sum_all()?.backward()?;
        assert!(gradients.get(&features).is_some() && gradients.get(&scores).is_none());
        Ok(())
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() -> Result<()> {
        let [features, edge, scores] = inputs((1, 3, 2, 2), 2);
        for per_class in [0, 5] {
            let error = project_to_graph(&features, &edge, &scores, per_class).unwrap_err().to_string();
            assert!(error.contains("2x2 pixels"), "{error}");
        }
        let wide = Tensor::zeros((1, 1, 2, 3), DType::F32, features.device())?;
        let error = project_to_graph(&features, &wide, &scores, 1).unwrap_err().to_string();
        assert!(error.contains("differ in size"), "{error}");
        Ok(())
    }
}
