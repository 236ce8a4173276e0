//! Launches of batch_norm.cu.

use candle_core::Result;

use super::channels::Channels;
use super::rectifier::CurveCode;
use super::runtime::Argument::{Double, Float, Int, Pointer, Unsigned};
use super::runtime::{Kernel, Runtime, blocks};

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "batch_norm", name }
}

/// What a normalisation reads: maps are laid out as [`Channels`] says, moments (3, channels), weight and bias (channels).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    pub(crate) of: Channels,
    pub(crate) curve: CurveCode,
    pub(crate) x: u64,
    pub(crate) moments: u64,
    pub(crate) weight: u64,
    pub(crate) bias: u64,
}

/// Writes mean, biased variance and inverse deviation of every channel of `x` to `moments`, (3, channels).
///
/// # Safety
///
/// The pointers lead to as many floats.
pub(crate) unsafe fn moments(
    runtime: &impl Runtime,
    of: Channels,
    x: u64,
    moments: u64,
    epsilon: f64,
) -> Result<()> {
    let (_memory, found) = runtime.scratch(2 * of.parts() * size_of::<f64>())?;
    let [channels, pixels, count, parts] = of.for_parts();
    let arguments = [Pointer(x), Pointer(found), channels, pixels, count, parts];
    // SAFETY: a block writes its double of each half of `found`, and reads what lies within the map.
    unsafe { runtime.launch(kernel("moments_parts"), of.parts(), &arguments) }?;
    let [channels, count, parts] = of.for_channels();
    let arguments = [Pointer(found), Pointer(moments), channels, count, parts, Float(epsilon as f32)];
    // SAFETY: a thread reads the parts of its channel and writes its three floats.
    unsafe { runtime.launch(kernel("moments"), blocks(of.channels()), &arguments) }
}

/// Writes the same of running statistics.
///
/// # Safety
///
/// `mean` and `variance` point to `channels` floats, `moments` to three times as many.
pub(crate) unsafe fn running_moments(
    runtime: &impl Runtime,
    [mean, variance, moments]: [u64; 3],
    channels: usize,
    epsilon: f64,
) -> Result<()> {
    let arguments = [
        Pointer(mean),
        Pointer(variance),
        Pointer(moments),
        Unsigned(channels as u32),
        Float(epsilon as f32),
    ];
    // SAFETY: a thread touches the floats of its channel.
    unsafe { runtime.launch(kernel("running_moments"), blocks(channels), &arguments) }
}

/// Moves running statistics by a share `momentum` towards `scale` times those of a batch.
///
/// # Safety
///
/// `running` and `batch` point to `channels` floats.
pub(crate) unsafe fn move_towards(
    runtime: &impl Runtime,
    [running, batch]: [u64; 2],
    channels: usize,
    (momentum, scale): (f64, f64),
) -> Result<()> {
    let arguments =
        [Pointer(running), Pointer(batch), Unsigned(channels as u32), Double(momentum), Double(scale)];
    // SAFETY: a thread touches the floats of its channel.
    unsafe { runtime.launch(kernel("move_towards"), blocks(channels), &arguments) }
}

/// Writes the normalised map to `y`; with a residual, that is not 0, what is positive of their sum.
///
/// # Safety
///
/// `residual` and `y` point to the floats of a map like `x`; those of `norm` are as they should be.
pub(crate) unsafe fn normalize(runtime: &impl Runtime, norm: Norm, residual: u64, y: u64) -> Result<()> {
    let Norm { of, curve, x, moments, weight, bias } = norm;
    let [channels, pixels, count] = of.for_elements();
    let arguments = [
        Pointer(x),
        Pointer(moments),
        Pointer(weight),
        Pointer(bias),
        Pointer(residual),
        Pointer(y),
        channels,
        pixels,
        count,
        Int(curve.0),
        Float(curve.1),
    ];
    // SAFETY: a thread touches its own element of the maps, if there is one, and the floats of its channel.
    unsafe { runtime.launch(kernel("normalize"), blocks(of.elements()), &arguments) }
}

/// Writes the gradients for weight and bias to the first two of the four rows of `sums`, (4, channels), and that for `x` to `dx`,
/// given that for the normalised map. `train` tells whether the moments are those of `x`.
///
/// # Safety
///
/// `upstream` and `dx` point to the floats of a map like `x`; those of `norm` are as they should be.
pub(crate) unsafe fn gradients(
    runtime: &impl Runtime,
    norm: Norm,
    train: bool,
    [upstream, sums, dx]: [u64; 3],
) -> Result<()> {
    let Norm { of, curve, x, moments, weight, bias } = norm;
    let (_memory, found) = runtime.scratch(2 * of.parts() * size_of::<f64>())?;
    let maps = [Pointer(x), Pointer(upstream), Pointer(moments), Pointer(weight), Pointer(bias)];
    let curve = [Int(curve.0), Float(curve.1)];
    let arguments = [&maps[..], &[Pointer(found)], &of.for_parts(), &curve].concat();
    // SAFETY: a block writes its double of each half of `found`, and reads what lies within the maps.
    unsafe { runtime.launch(kernel("norm_gradient_parts"), of.parts(), &arguments) }?;
    let [channels, count, parts] = of.for_channels();
    let arguments =
        [Pointer(found), Pointer(moments), Pointer(sums), channels, count, parts, Int(train.into())];
    // SAFETY: a thread reads the parts of its channel and writes its four floats.
    unsafe { runtime.launch(kernel("norm_gradient"), blocks(of.channels()), &arguments) }?;
    let arguments = [&maps[..], &[Pointer(sums), Pointer(dx)], &of.for_elements(), &curve].concat();
    // SAFETY: a thread touches its own element of the maps, if there is one, and the floats of its channel.
    unsafe { runtime.launch(kernel("norm_input_gradient"), blocks(of.elements()), &arguments) }
}
