use candle_core::{Device, ModuleT, Result, Tensor, Var};
use candle_nn::VarBuilder;

use super::{at, at_mut, emulation, filled, floats};
use crate::cuda::batch_norm::{self, Norm};
use crate::cuda::channel_sum;
use crate::cuda::channels::Channels;
use crate::cuda::rectifier::CurveCode;
use crate::testing::{assert_close, fill, hashed_signed};
use crate::{Activation, BatchNorm, Parameters, add_relu, backward};

/// A layer of so many channels, and its tensors by name.
fn layer(channels: usize, activation: Activation) -> Result<(BatchNorm, Parameters)> {
    let parameters = Parameters::new(0, &Device::Cpu);
    let vb: VarBuilder = parameters.builder();
    let norm = BatchNorm::new(channels, activation, vb)?;
    fill(&parameters)?;
    Ok((norm, parameters))
}

/// Kernels against the layer: result, gradients and running statistics.
fn compare(
    dims: (usize, usize, usize, usize),
    curve: (CurveCode, Activation),
    residual: bool,
    train: bool,
) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let channels = dims.1;
    let (norm, parameters) = layer(channels, curve.1)?;
    let before = parameters.tensors();
    let offset = hashed_signed("mean", (1, channels, 1, 1), 30.0); // so that a careless variance cancels
    let x = Var::from_tensor(&hashed_signed("x", dims, 2.0).broadcast_add(&offset)?)?;
    let beside = Var::from_tensor(&hashed_signed("residual", dims, 1.0))?;
    let y = norm.forward_t(&x, train)?;
    let y = if residual { add_relu(&y, &beside)? } else { y };
    let seed = hashed_signed("seed", dims, 1.0);
    let gradients = backward(&(&y * &seed)?.sum_all()?)?;
    let after = parameters.tensors();

    let of = Channels::new(x.shape(), "test")?;
    let [weight, bias, mean, variance] =
        ["weight", "bias", "running_mean", "running_var"].map(|name| floats(&before[name]));
    let values = floats(&x);
    // SAFETY: every vector has the size of its tensor.
    let moments = filled((3, channels), |moments| unsafe {
        match train {
            true => batch_norm::moments(card, of, at(&values), moments, 1e-5),
            false => batch_norm::running_moments(card, [at(&mean), at(&variance), moments], channels, 1e-5),
        }
    })?;
    let moments = floats(&moments);
    let norm = Norm {
        of,
        curve: curve.0,
        x: at(&values),
        moments: at(&moments),
        weight: at(&weight),
        bias: at(&bias),
    };
    let residual_values = floats(&beside);
    let residual_at = if residual { at(&residual_values) } else { 0 };
    // SAFETY: as above.
    let got = filled(dims, |y| unsafe { batch_norm::normalize(card, norm, residual_at, y) })?;
    assert_close(&got, &y, "normalised");

    let upstream = match residual {
        true => (&seed * got.gt(0.0)?.to_dtype(candle_core::DType::F32)?)?,
        false => seed,
    };
    let (upstream, mut sums) = (floats(&upstream), vec![f32::NAN; 4 * channels]);
    let sums_at = at_mut(&mut sums);
    // SAFETY: as above.
    let dx =
        filled(dims, |dx| unsafe { batch_norm::gradients(card, norm, train, [at(&upstream), sums_at, dx]) })?;
    assert_close(&dx, gradients.get(&x).expect("a gradient"), "gradient for x");
    for (row, name) in ["weight", "bias"].into_iter().enumerate() {
        let got = Tensor::new(&sums[row * channels..][..channels], &Device::Cpu)?;
        let (_, var) = parameters.trainable().into_iter().find(|(found, _)| found == name).expect(name);
        assert_close(&got, gradients.get(&var).expect("a gradient"), name);
    }
    if train {
        let count = (values.len() / channels) as f64;
        statistics(&moments, mean, &after["running_mean"], 0, 1.0)?;
        statistics(&moments, variance, &after["running_var"], 1, count / (count - 1.0))?;
    }
    Ok(())
}

/// A running statistic moved towards a row of the moments against the layer's.
fn statistics(moments: &[f32], mut running: Vec<f32>, want: &Tensor, row: usize, scale: f64) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let channels = running.len();
    let batch = at(&moments[row * channels..]);
    // SAFETY: both have a float for each channel.
    unsafe { batch_norm::move_towards(card, [at_mut(&mut running), batch], channels, (0.1, scale)) }?;
    assert_close(&Tensor::new(&running[..], &Device::Cpu)?, want, "running statistics");
    Ok(())
}

#[test]
fn normalisation_and_its_gradients() -> Result<()> {
    let curves = [
        (CurveCode(0, 1.0), Activation::None),
        (CurveCode(1, 0.0), Activation::Relu),
        (CurveCode(2, 0.1), Activation::Leaky(0.1)),
    ];
    for dims in [(2, 3, 5, 7), (1, 1, 1, 2), (2, 2, 43, 48)] {
        for curve in curves {
            for train in [true, false] {
                compare(dims, curve, false, train)?;
            }
        }
        compare(dims, curves[0], true, true)?;
    }
    Ok(())
}

#[test]
fn sums_of_channels_and_a_bias() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    for dims in [(1, 1, 1, 1), (2, 3, 5, 7), (3, 2, 61, 53)] {
        let (x, bias) = (hashed_signed("x", dims, 1.0), hashed_signed("bias", dims.1, 1.0));
        let of = Channels::new(x.shape(), "test")?;
        let (mut values, addends) = (floats(&x), floats(&bias));
        let want = x.sum((0, 2, 3))?;
        // SAFETY: the map has the floats of its shape, the others one for each channel.
        let got = filled(dims.1, |sums| unsafe { channel_sum::channel_sum(card, of, at(&values), sums) })?;
        assert_close(&got, &want, "sums");
        // SAFETY: the map has the floats of its shape, the others one for each channel.
        unsafe { channel_sum::add_bias(card, of, at_mut(&mut values), at(&addends)) }?;
        let want = x.broadcast_add(&bias.reshape((1, dims.1, 1, 1))?)?;
        assert_close(&Tensor::from_vec(values, dims, &Device::Cpu)?, &want, "bias");
    }
    Ok(())
}
