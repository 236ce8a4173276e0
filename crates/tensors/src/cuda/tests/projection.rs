use candle_core::{Result, Tensor, Var};
use proptest::prelude::*;

use super::{at, at_mut, emulation, filled, floats};
use crate::cuda::pixel_classes::Pixels;
use crate::cuda::projection;
use crate::project_on_vertices;
use crate::testing::{assert_close, hashed_signed, hashed_uniform};

/// With the unit vectors as vertices, so that features are their energies: the operation's result, and its gradients for both.
fn want(energies: &Tensor, edge: &Tensor, seed: &Tensor) -> Result<[Tensor; 3]> {
    let (n, v, _) = energies.dims3()?;
    let unit = Tensor::eye(v, energies.dtype(), energies.device())?.broadcast_as((n, v, v))?;
    let (x, e) = (Var::from_tensor(energies)?, Var::from_tensor(edge)?);
    let y = project_on_vertices(&unit, &x, &e)?;
    let mut gradients = (&y * seed)?.sum_all()?.backward()?;
    let mut of = |var: &Var| gradients.remove(var.as_tensor()).expect("a gradient");
    Ok([y.detach(), of(&x), of(&e)])
}

fn compare(energies: &Tensor, edge: &Tensor) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let seed = hashed_signed("seed", energies.shape(), 1.0);
    let [want, want_gradient, want_edge] = want(energies, edge, &seed)?;
    let (of, e, upstream) = (Pixels::new(energies.dims(), "test")?, floats(edge), floats(&seed));
    let in_place = |work: &dyn Fn(u64) -> Result<()>| {
        let mut values = floats(energies);
        work(at_mut(&mut values))?;
        Tensor::from_vec(values, energies.shape(), energies.device())
    };
    // SAFETY: all vectors have the sizes of their tensors.
    let got = in_place(&|x| unsafe { projection::project(card, of, [x, at(&e)]) })?;
    assert_close(&got, &want, "projection");
    // SAFETY: as above.
    let got = in_place(&|x| unsafe { projection::gradient(card, of, [x, at(&e), at(&upstream)]) })?;
    assert_close(&got, &want_gradient, "energies");
    let energies = floats(energies);
    // SAFETY: as above.
    let de = filled(edge.shape(), |de| unsafe {
        projection::edge_gradient(card, of, [at(&energies), at(&e), at(&upstream), de])
    })?;
    assert_close(&de, &want_edge, "edge");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn projection_and_its_gradients(n in 1usize..3, v in 1usize..80, pixels in 1usize..700, scale in 0.1f64..20.0) {
        compare(&hashed_signed("energies", (n, v, pixels), scale), &hashed_uniform("edge", (n, 1, pixels)))?;
    }
}

#[test]
fn adding_in_place() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (mut y, x) = (vec![1f32; 300], vec![2f32; 300]);
    // SAFETY: both have 300 floats.
    unsafe { projection::add_to(card, [at_mut(&mut y), at(&x)], 299) }?;
    assert!(y[..299].iter().all(|y| *y == 3.0) && y[299] == 1.0);
    Ok(())
}
