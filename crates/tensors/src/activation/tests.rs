use super::*;
use crate::testing::{check_gradient, hashed_signed};
use candle_core::{DType, Device, Var};
use proptest::prelude::*;

fn values_and_gradients(x: &[f32], f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<(Vec<f32>, Vec<f32>)> {
    let x = Var::new(x, &Device::Cpu)?;
    let y = f(&x)?;
    let gradients = (&y * 3.0)?.sum_all()?.backward()?;
    Ok((y.to_vec1()?, gradients.get(&x).expect("a gradient").to_vec1()?))
}

#[test]
fn values_and_gradients_at_the_kink() -> Result<()> {
    let x = [-2.0, -0.0, 0.0, 1e-30, 5.0];
    assert_eq!(
        values_and_gradients(&x, relu)?,
        (vec![0.0, 0.0, 0.0, 1e-30, 5.0], vec![0.0, 0.0, 0.0, 3.0, 3.0])
    );
    let (y, dx) = values_and_gradients(&x, |x| leaky_relu(x, 0.25))?;
    assert_eq!((y, dx), (vec![-0.5, 0.0, 0.0, 1e-30, 5.0], vec![0.75, 0.75, 0.75, 3.0, 3.0]));
    let (y, dx) = values_and_gradients(&x, |x| add_relu(x, &x.detach()))?;
    assert_eq!((y, dx), (vec![0.0, 0.0, 0.0, 2e-30, 10.0], vec![0.0, 0.0, 0.0, 3.0, 3.0]));
    Ok(())
}

#[test]
fn not_a_number_is_not_hidden() -> Result<()> {
    let (y, dx) = values_and_gradients(&[f32::NAN], relu)?;
    assert!(y[0].is_nan() && dx[0] == 3.0);
    assert_eq!(values_and_gradients(&[f32::NEG_INFINITY], relu)?.0, [0.0]);
    Ok(())
}

#[test]
fn different_shapes_and_types_are_errors() -> Result<()> {
    let (a, b) = (hashed_signed("a", (2, 3), 1.0), hashed_signed("b", (3, 2), 1.0));
    let error = add_relu(&a, &b).unwrap_err().to_string();
    assert!(error.contains("[2, 3]") && error.contains("[3, 2]"), "{error}");
    assert!(relu(&a.to_dtype(DType::F64)?).unwrap_err().to_string().contains("F64"));
    Ok(())
}

/// Values at least 0.05 away from zero, further than finite differences move.
fn away_from_zero(name: &str, shape: (usize, usize)) -> Tensor {
    let x = hashed_signed(name, shape, 1.0);
    (&x + x.sign().unwrap() * 0.05).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(
        shape in (1usize..5, 1usize..70), slope in -0.5..1.0, seed: u64,
    ) {
        let x = away_from_zero(&format!("{seed}"), shape);
        check_gradient(|x| relu(&x[0]), std::slice::from_ref(&x), seed).unwrap();
        check_gradient(|x| leaky_relu(&x[0], slope), std::slice::from_ref(&x), seed).unwrap();
        // A view, and a sum that is as far from zero.
        check_gradient(|x| relu(&x[0].t()?), std::slice::from_ref(&x), seed).unwrap();
        check_gradient(|x| add_relu(&x[0], &x[1]), &[x.clone(), x], seed).unwrap();
    }

    #[test]
    fn the_fast_versions_agree_with_the_definitions(count in 1usize..100_000) {
        let (a, b) = (hashed_signed("a", count, 1.0), hashed_signed("b", count, 1.0));
        let (va, vb): (Vec<f32>, Vec<f32>) = (a.to_vec1().unwrap(), b.to_vec1().unwrap());
        let pairs = || va.iter().copied().zip(vb.iter().copied());
        let check = |y: Result<Tensor>, plain: &dyn Fn((f32, f32)) -> f32| {
            assert_eq!(y.unwrap().to_vec1::<f32>().unwrap(), pairs().map(plain).collect::<Vec<_>>());
        };
        check(relu(&a), &|(a, _)| a.max(0.0));
        check(leaky_relu(&a, 0.1), &|(a, _)| a.max(0.1 * a));
        check(add_relu(&a, &b), &|(a, b)| (a + b).max(0.0));
    }
}
