//! The projection against its definition and finite differences.

use super::*;
use crate::checks::assert_same_on_any_threads;
use crate::softmax_channels;
use crate::testing::{assert_close, check_gradient, devices, hashed_signed, hashed_uniform};
use candle_core::{DType, Var};
use proptest::prelude::*;

fn inputs(n: usize, v: usize, d: usize, pixels: usize) -> [Tensor; 3] {
    [
        hashed_signed("vertices", (n, v, d), 2.0),
        hashed_signed("features", (n, d, pixels), 2.0),
        hashed_uniform("edge", (n, 1, pixels)),
    ]
}

/// From the definition, in steps.
fn plain(x: &[Tensor; 3]) -> Result<Tensor> {
    let energy = x[0].matmul(&x[1].broadcast_mul(&x[2])?)?;
    softmax_channels(&energy)?.broadcast_mul(&x[2])
}

/// The result and the gradients for all three inputs.
fn with_gradients(x: &[Tensor; 3], f: impl Fn(&[Tensor; 3]) -> Result<Tensor>) -> Result<Vec<Tensor>> {
    let vars = x.clone().map(|x| Var::from_tensor(&x).unwrap());
    let y = f(&vars.clone().map(|var| var.as_tensor().clone()))?;
    let seed = hashed_signed("seed", y.shape(), 1.0).to_device(y.device())?;
    let mut gradients = (&y * seed)?.sum_all()?.backward()?;
    let of = |var: &Var| gradients.remove(var.as_tensor()).expect("a gradient");
    Ok(std::iter::once(y.detach()).chain(vars.iter().map(of)).collect())
}

#[test]
fn bad_input_is_named() -> Result<()> {
    let [vertices, features, edge] = inputs(2, 3, 4, 5);
    let error = project_on_vertices(&vertices, &features, &features).unwrap_err().to_string();
    assert!(error.contains("edge (N, 1, P)") && error.contains("[2, 4, 5]"), "{error}");
    let error =
        project_on_vertices(&vertices.to_dtype(DType::F64)?, &features, &edge).unwrap_err().to_string();
    assert!(error.contains("expected f32, got F64"), "{error}");
    Ok(())
}

#[test]
fn threads_change_nothing() -> Result<()> {
    let [vertices, features, edge] = inputs(2, 7, 9, 5000);
    assert_same_on_any_threads(&features, |x| project_on_vertices(&vertices, x, &edge))
}

#[test]
fn without_an_edge_nothing_projects() -> Result<()> {
    let [vertices, features, edge] = inputs(1, 3, 4, 5);
    let found = with_gradients(&[vertices, features, edge.zeros_like()?], |x| {
        project_on_vertices(&x[0], &x[1], &x[2])
    })?;
    assert_eq!(found[0].abs()?.max_all()?.to_scalar::<f32>()?, 0.0);
    assert!(found[3].flatten_all()?.to_vec1::<f32>()?.iter().all(|de| de.is_finite()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn equals_its_definition(n in 1usize..3, v in 1usize..20, d in 1usize..12, pixels in 1usize..1200) {
        let x = inputs(n, v, d, pixels);
        let want = with_gradients(&x, plain)?;
        for device in devices() {
            let x = [x[0].to_device(&device)?, x[1].to_device(&device)?, x[2].to_device(&device)?];
            let found = with_gradients(&x, |x| project_on_vertices(&x[0], &x[1], &x[2]))?;
            for ((found, want), what) in found.iter().zip(&want).zip(["projection", "vertices", "features", "edge"]) {
                assert_close(found, want, what);
            }
        }
    }

    #[test]
    fn gradients_equal_finite_differences(v in 1usize..6, d in 1usize..5, pixels in 1usize..8, seed in 0u64..99) {
        check_gradient(|x| project_on_vertices(&x[0], &x[1], &x[2]), &inputs(2, v, d, pixels), seed)?;
    }
}
