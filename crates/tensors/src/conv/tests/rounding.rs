//! How far minimal filtering rounds from the exact sums.

use candle_core::{Result, Tensor};

use super::plain::plain;
use super::{Case, inputs};
use crate::testing::hashed_signed;
use crate::vector_width::tests::with_lanes;
use crate::{Conv2dConfig, conv2d, conv2d_weight_gradient};

/// Plain sums of as many terms in f32, one after the other, are 0.6e-6 (root of the mean square) and 5e-6 (largest) of the results'
/// root mean square away.
#[test]
fn tiles_of_all_sizes_stay_near_the_exact_sums() -> Result<()> {
    let config = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
    for (outputs, size) in [(128, 24), (128, 21), (16, 30)] {
        let case = Case { x: [1, 128, size, size], weight: [outputs, 128, 3, 3], config };
        let (x, weight) = inputs(&case);
        let [want, ..] = plain(&x, &weight, &conv2d(&x, &weight, None, config)?, config);
        for lanes in [4, 8, 16] {
            let y = with_lanes(lanes, || conv2d(&x, &weight, None, config))?;
            let (typical, largest) = errors(&y, &want)?;
            assert!(
                typical < 2e-6 && largest < 2e-5,
                "{outputs} outputs, {lanes} lanes: {typical} {largest}"
            );
        }
    }
    Ok(())
}

/// Plain sums as above are 0.94e-6 (root of the mean square) and 9e-6 (largest) away.
#[test]
fn gradients_for_weights_round_less_than_plain_sums() -> Result<()> {
    let config = Conv2dConfig::default();
    let case = Case { x: [2, 64, 33, 46], weight: [64, 64, 3, 3], config };
    let (x, weight) = inputs(&case);
    let dy = hashed_signed("dy", (2, 64, 31, 44), 1.0);
    let [.., want] = plain(&x, &weight, &dy, config);
    for lanes in [4, 8, 16] {
        let dw = with_lanes(lanes, || conv2d_weight_gradient(&x, &dy, (3, 3), config))?;
        let (typical, largest) = errors(&dw, &want)?;
        assert!(typical < 8e-7 && largest < 5e-6, "{lanes} lanes: {typical:e} {largest:e}");
    }
    Ok(())
}

/// The root of the mean square of the errors, and the largest, over the root of the mean square of `want`.
fn errors(got: &Tensor, want: &Tensor) -> Result<(f32, f32)> {
    let mean_square = |x: &Tensor| x.sqr()?.mean_all()?.to_scalar::<f32>();
    let (error, scale) = ((got - want)?, mean_square(want)?.sqrt());
    Ok((mean_square(&error)?.sqrt() / scale, error.abs()?.max_all()?.to_scalar::<f32>()? / scale))
}
