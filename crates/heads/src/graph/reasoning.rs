//! Among the vertices.

use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use sconce_tensors::{Cost, relu};

/// One graph convolution with a learned adjacency.
///
/// With vertices G (V, D): H = ReLU((A·G + b − G)·Wᵀ), a Laplacian smoothing followed by a mixing of the state's channels.
/// Parameters: `vertex_mix.weight` A (V, V, 1), `vertex_mix.bias` b (V) and `state_mix.weight` W (D, D, 1).
#[derive(Debug)]
pub struct GraphReasoning {
    vertex_weight: Tensor,
    vertex_bias: Tensor,
    state_weight: Tensor,
}

impl GraphReasoning {
    /// Builds the layer for this number of vertices and width of their state; its parameters are named under `vb`'s prefix.
    ///
    /// # Errors
    ///
    /// When the builder lacks a tensor.
    pub fn new(vertices: usize, state: usize, vb: VarBuilder) -> Result<Self> {
        let (vertex, mix) = (vb.pp("vertex_mix"), vb.pp("state_mix"));
        let vertex_weight = vertex.get_with_hints((vertices, vertices, 1), "weight", uniform(vertices))?;
        let vertex_bias = vertex.get_with_hints(vertices, "bias", uniform(vertices))?;
        let state_weight = mix.get_with_hints((state, state, 1), "weight", uniform(state))?;
        Ok(Self { vertex_weight, vertex_bias, state_weight })
    }

    /// What each vertex learns from the others.
    ///
    /// # Shapes
    ///
    /// `vertices` (N, V, D) to the same shape.
    ///
    /// # Errors
    ///
    /// When V or D are not those the layer was built for.
    pub fn forward(&self, vertices: &Tensor) -> Result<Tensor> {
        let adjacency = self.vertex_weight.squeeze(2)?;
        let bias = self.vertex_bias.reshape((1, (), 1))?;
        let vertices = vertices.contiguous()?;
        let smoothed = (adjacency.broadcast_matmul(&vertices)?.broadcast_add(&bias)? - &vertices)?;
        relu(&smoothed.broadcast_matmul(&self.state_weight.squeeze(2)?.t()?)?)
    }

    /// Trainable parameters and multiply-adds; `size` passes through.
    pub fn cost(&self, size: (usize, usize)) -> Cost {
        let (v, d) = (self.vertex_bias.elem_count() as u64, self.state_weight.dims()[0] as u64);
        Cost { parameters: v * v + v + d * d, multiply_adds: v * v * d + v * d * d, size }
    }
}

/// PyTorch's initial values of a convolution's weight and bias.
fn uniform(fan_in: usize) -> Init {
    let bound = 1. / (fan_in as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use proptest::prelude::*;
    use sconce_tensors::Parameters;
    use sconce_tensors::testing::{assert_close, check_gradient, hashed_signed, hashed_uniform};

    use crate::reproject_to_pixels;

    /// A layer with these parameters: A (V, V), b (V), W (D, D).
    fn layer(a: &Tensor, b: &Tensor, w: &Tensor) -> Result<GraphReasoning> {
        let tensors = [
            ("vertex_mix.weight", a.unsqueeze(2)?),
            ("vertex_mix.bias", b.clone()),
            ("state_mix.weight", w.unsqueeze(2)?),
        ];
        let tensors = tensors.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
        GraphReasoning::new(a.dim(0)?, w.dim(0)?, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn an_identity_adjacency_leaves_the_pixels_alone(
            (n, v, d, h, w) in (1..3usize, 1..6usize, 1..6usize, 1..5usize, 1..5usize)
        ) {
            let identity = Tensor::eye(v, DType::F32, &Device::Cpu).unwrap();
            let bias = Tensor::zeros(v, DType::F32, &Device::Cpu).unwrap();
            let layer = layer(&identity, &bias, &hashed_signed("w", (d, d), 1.)).unwrap();
            let told = layer.forward(&hashed_signed("vertices", (n, v, d), 3.)).unwrap();
            let x = hashed_signed("x", (n, d, h, w), 2.);
            let y = reproject_to_pixels(&x, &told, &hashed_uniform("projection", (n, v, h * w))).unwrap();
            assert_close(&y, &x, "pixels");
        }

        #[test]
        fn the_layer_is_its_formula((n, v, d) in (1..3usize, 1..6usize, 1..6usize)) {
            let (a, b, w) = (hashed_signed("a", (v, v), 1.), hashed_signed("b", v, 1.), hashed_signed("w", (d, d), 1.));
            let g = hashed_signed("g", (n, v, d), 2.);
            let want = formula(&g, &a, &b, &w).unwrap();
            assert_close(&layer(&a, &b, &w).unwrap().forward(&g).unwrap(), &want, "reasoning");
        }
    }

    /// ReLU((A·G + b − G)·Wᵀ), element by element.
    fn formula(g: &Tensor, a: &Tensor, b: &Tensor, w: &Tensor) -> Result<Tensor> {
        let (n, v, d) = g.dims3()?;
        let (g, a, b, w) =
            (g.to_vec3::<f32>()?, a.to_vec2::<f32>()?, b.to_vec1::<f32>()?, w.to_vec2::<f32>()?);
        let mut out = Vec::with_capacity(n * v * d);
        for (g, o) in g.iter().flat_map(|g| (0..v).map(move |o| (g, o))) {
            let smooth = |c: usize| (0..v).map(|i| a[o][i] * g[i][c]).sum::<f32>() + b[o] - g[o][c];
            out.extend(
                w.iter().map(|row| row.iter().enumerate().map(|(c, w)| w * smooth(c)).sum::<f32>().max(0.)),
            );
        }
        Tensor::from_vec(out, (n, v, d), &Device::Cpu)
    }

    #[test]
    fn gradients_are_those_of_finite_differences() -> Result<()> {
        let positive = |name: &str, shape: &[usize]| hashed_uniform(name, shape) + 0.1;
        let bias = (hashed_uniform("b", 4) + 3.)?; // away from the rectifier's corner
        let inputs =
            [hashed_signed("g", (2, 4, 3), 1.), positive("a", &[4, 4])?, bias, positive("w", &[3, 3])?];
        check_gradient(|x| layer(&x[1], &x[2], &x[3])?.forward(&x[0]), &inputs, 1)
    }

    #[test]
    fn a_cost_counts_the_parameters_there_are() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let cost = GraphReasoning::new(76, 256, parameters.builder())?.cost((128, 128));
        assert_eq!((parameters.count(), cost.parameters), (71_388, 71_388));
        Ok(())
    }
}
