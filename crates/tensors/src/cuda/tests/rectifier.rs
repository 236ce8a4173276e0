use candle_core::{Result, Tensor};

use super::{at, emulation, filled, floats};
use crate::checks::{bits, with_gradient};
use crate::cuda::rectifier::{self, CurveCode};
use crate::testing::hashed_signed;
use crate::{add_relu, leaky_relu, relu};

fn compare(curve: CurveCode, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    for count in [1, 255, 256, 1000] {
        let x = hashed_signed("x", count, 1.0);
        let seed = hashed_signed("seed", count, 1.0);
        let (want, want_gradient) = with_gradient(&x, &seed, &f)?;
        let (x, seed) = (floats(&x), floats(&seed));
        // SAFETY: all vectors have `count` floats.
        let y = filled(count, |y| unsafe { rectifier::values(card, curve, at(&x), y, count) })?;
        // SAFETY: as above.
        let dx =
            filled(count, |dx| unsafe { rectifier::gradients(card, curve, [at(&x), at(&seed), dx], count) })?;
        assert_eq!((bits(&y)?, bits(&dx)?), (bits(&want)?, bits(&want_gradient)?));
    }
    Ok(())
}

#[test]
fn rectifiers_and_their_gradients() -> Result<()> {
    compare(CurveCode(1, 0.0), relu)?;
    compare(CurveCode(2, 0.125), |x| leaky_relu(x, 0.125))
}

#[test]
fn the_end_of_a_residual_block() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (a, b) = (hashed_signed("a", 777, 1.0), hashed_signed("b", 777, 1.0));
    let (va, vb) = (floats(&a), floats(&b));
    // SAFETY: all vectors have 777 floats.
    let y = filled(777, |y| unsafe { rectifier::add_relu(card, [at(&va), at(&vb), y], 777) })?;
    assert_eq!(bits(&y)?, bits(&add_relu(&a, &b)?)?);
    Ok(())
}
