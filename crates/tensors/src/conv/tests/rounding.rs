//! How far minimal filtering rounds from the exact sums.

use candle_core::Result;

use super::plain::plain;
use super::{Case, inputs};
use crate::vector_width::tests::with_lanes;
use crate::{Conv2dConfig, conv2d};

/// Plain sums of as many terms in f32, one after the other, are 0.6e-6 (root of the mean square) and 5e-6 (largest) of the results'
/// root mean square away.
#[test]
fn tiles_of_either_size_stay_near_the_exact_sums() -> Result<()> {
    let config = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
    for (outputs, size) in [(128, 24), (16, 30)] {
        let case = Case { x: [1, 128, size, size], weight: [outputs, 128, 3, 3], config };
        let (x, weight) = inputs(&case);
        let [want, ..] = plain(&x, &weight, &conv2d(&x, &weight, None, config)?, config);
        for lanes in [4, 8, 16] {
            let y = with_lanes(lanes, || conv2d(&x, &weight, None, config))?;
            let scale = want.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt();
            let error = (y - &want)?;
            let typical = error.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt() / scale;
            let largest = error.abs()?.max_all()?.to_scalar::<f32>()? / scale;
            assert!(
                typical < 2e-6 && largest < 2e-5,
                "{outputs} outputs, {lanes} lanes: {typical} {largest}"
            );
        }
    }
    Ok(())
}
