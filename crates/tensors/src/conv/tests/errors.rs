//! Shapes that do not fit are named.

use candle_core::{DType, Device, Result, Tensor};

use crate::{Conv2dConfig, ConvTranspose2dConfig, conv_transpose2d, conv2d};

#[track_caller]
fn assert_error(result: Result<Tensor>, parts: &[&str]) {
    let error = result.expect_err("an error").to_string();
    for part in parts {
        assert!(error.contains(part), "'{part}' is not in: {error}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
    let (x, weight) = (zeros(&[1, 4, 5, 6]), zeros(&[6, 4, 3, 3]));
    let plain = Conv2dConfig::default();
    let check = |x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, config: Conv2dConfig, parts: &[&str]| {
        assert_error(conv2d(x, weight, bias, config), parts);
    };
    check(&zeros(&[4, 5, 6]), &weight, None, plain, &["[4, 5, 6]", "(N, C, H, W)"]);
    check(&x, &zeros(&[6, 4, 3]), None, plain, &["[6, 4, 3]"]);
    check(&zeros(&[1, 3, 5, 6]), &weight, None, plain, &["[1, 3, 5, 6]", "3 channels", "[6, 4, 3, 3]"]);
    check(&x, &weight, None, Conv2dConfig { groups: 2, ..plain }, &["4 channels", "2 groups", "8"]);
    check(&x, &zeros(&[5, 2, 3, 3]), None, Conv2dConfig { groups: 2, ..plain }, &["5 outputs", "2 groups"]);
    check(&x, &weight, Some(&zeros(&[5])), plain, &["[5]", "6 outputs"]);
    check(&x, &zeros(&[6, 4, 6, 3]), None, plain, &["[6, 4, 6, 3]", "larger", "[1, 4, 5, 6]"]);
    check(&x, &weight, None, Conv2dConfig { dilation: 3, ..plain }, &["larger", "dilation 3"]);
    check(&x, &weight, None, Conv2dConfig { stride: 0, ..plain }, &["at least 1"]);
    check(&x.to_dtype(DType::F64).unwrap(), &weight, None, plain, &["f32", "F64"]);
}

#[test]
fn transposed_shapes_that_do_not_fit_are_named() {
    let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
    let (x, weight) = (zeros(&[1, 4, 5, 6]), zeros(&[4, 6, 3, 3]));
    let plain = ConvTranspose2dConfig::default();
    let check = |x: &Tensor,
                 weight: &Tensor,
                 bias: Option<&Tensor>,
                 config: ConvTranspose2dConfig,
                 parts: &[&str]| {
        assert_error(conv_transpose2d(x, weight, bias, config), parts);
    };
    check(&zeros(&[4, 5, 6]), &weight, None, plain, &["[4, 5, 6]", "(N, C, H, W)"]);
    check(&zeros(&[1, 6, 5, 6]), &weight, None, plain, &["6 channels", "[4, 6, 3, 3]", "takes 4"]);
    check(&x, &weight, Some(&zeros(&[4])), plain, &["[4]", "6 outputs"]);
    check(
        &x,
        &weight,
        None,
        ConvTranspose2dConfig { output_padding: 1, ..plain },
        &["padding 1", "stride 1"],
    );
    check(&x, &weight, None, ConvTranspose2dConfig { padding: 4, ..plain }, &["padding 4", "[1, 4, 5, 6]"]);
}
