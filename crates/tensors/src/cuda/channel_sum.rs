//! Launches of channel_sum.cu.

use candle_core::Result;

use super::channels::Channels;
use super::runtime::Argument::Pointer;
use super::runtime::{Kernel, Runtime, blocks};

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "channel_sum", name }
}

/// Writes the sum of every channel of `x` to `sums`.
///
/// # Safety
///
/// `x` points to the floats of the map, `sums` to a float a channel.
pub(crate) unsafe fn channel_sum(runtime: &impl Runtime, of: Channels, x: u64, sums: u64) -> Result<()> {
    let (_memory, found) = runtime.scratch(of.parts() * size_of::<f64>())?;
    let [channels, pixels, count, parts] = of.for_parts();
    let arguments = [Pointer(x), Pointer(found), channels, pixels, count, parts];
    // SAFETY: block b writes double b of `parts()`, and reads what lies within the map.
    unsafe { runtime.launch(kernel("channel_sum_parts"), of.parts(), &arguments) }?;
    let arguments = [Pointer(found), Pointer(sums), channels, parts];
    // SAFETY: a thread reads the parts of its channel and writes its float.
    unsafe { runtime.launch(kernel("channel_sum"), blocks(of.channels()), &arguments) }
}

/// Adds the channel's bias to every value of `y`.
///
/// # Safety
///
/// `y` points to the floats of the map, `bias` to a float a channel.
pub(crate) unsafe fn add_bias(runtime: &impl Runtime, of: Channels, y: u64, bias: u64) -> Result<()> {
    let [channels, pixels, count] = of.for_elements();
    let arguments = [Pointer(y), Pointer(bias), channels, pixels, count];
    // SAFETY: a thread touches its own element, if there is one, and the bias of a channel.
    unsafe { runtime.launch(kernel("add_bias"), blocks(of.elements()), &arguments) }
}
