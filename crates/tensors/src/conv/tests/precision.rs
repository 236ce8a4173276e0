//! Convolutions in `bfloat16` against exact ones of rounded values.

use candle_core::{DType, Result, Tensor, Var};

use crate::testing::{assert_close, assert_close_within, devices, hashed_signed};
use crate::{
    Arithmetic, Conv2dConfig, ConvTranspose2dConfig, Precision, conv_transpose2d, conv2d,
    conv2d_input_gradient, conv2d_weight_gradient,
};

/// The values that `bfloat16` has.
fn rounded(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(DType::BF16)?.to_dtype(DType::F32)
}

/// Equal but for a last bit of `bfloat16`, which sums of another order may turn.
fn assert_close_bf16(got: &Tensor, want: &Tensor, what: &str) {
    assert_close_within(got, want, 1e-5, 2_f64.powi(-7), what);
}

#[test]
fn in_bf16_factors_and_results_are_rounded_in_all_passes_and_the_bias_is_not() -> Result<()> {
    let bf16 = Arithmetic { precision: Precision::Bf16, ..Arithmetic::default() };
    let config = Conv2dConfig { padding: 1, groups: 2, ..Conv2dConfig::default() };
    for device in devices() {
        let x = hashed_signed("x", (2, 6, 9, 8), 1.0).to_device(&device)?;
        let weight = Var::from_tensor(&hashed_signed("weight", (4, 3, 3, 3), 1.0).to_device(&device)?)?;
        let bias = Var::from_tensor(&hashed_signed("bias", 4, 1.0).to_device(&device)?)?;
        let x = Var::from_tensor(&x)?;
        let y = bf16.scope(|| conv2d(&x, &weight, Some(&bias), config))?;
        let products = rounded(&conv2d(&rounded(&x)?, &rounded(&weight)?, None, config)?)?;
        assert_close_bf16(&y, &products.broadcast_add(&bias.reshape((1, 4, 1, 1))?)?, "output");
        let exact = conv2d(&x, &weight, Some(&bias), config)?;
        assert!((&y - exact)?.abs()?.max_all()?.to_scalar::<f32>()? > 1e-3);

        // The backward pass runs outside of the scope.
        let seed = hashed_signed("seed", y.shape(), 1.0).to_device(&device)?;
        let gradients = (&y * &seed)?.sum_all()?.backward()?;
        let of = |var: &Var| gradients.get(var).cloned().expect("a gradient");
        let dx = conv2d_input_gradient(&rounded(&weight)?, &rounded(&seed)?, (9, 8), config)?;
        let dw = conv2d_weight_gradient(&rounded(&x)?, &rounded(&seed)?, (3, 3), config)?;
        assert_close_bf16(&of(&x), &rounded(&dx)?, "gradient for the input");
        assert_close_bf16(&of(&weight), &rounded(&dw)?, "gradient for the weights");
        assert_close(&of(&bias), &seed.sum((0, 2, 3))?, "gradient for the bias");

        let transposed = ConvTranspose2dConfig { stride: 2, padding: 0, output_padding: 0 };
        let kernel = hashed_signed("kernel", (6, 2, 2, 2), 1.0).to_device(&device)?;
        let up = bf16.scope(|| conv_transpose2d(&x, &kernel, None, transposed))?;
        let want = rounded(&conv_transpose2d(&rounded(&x)?, &rounded(&kernel)?, None, transposed)?)?;
        assert_close_bf16(&up, &want, "transposed");
    }
    Ok(())
}
