//! Launches of pixel_classes.cu.

use candle_core::{Result, bail};

use super::runtime::Argument::{self, Pointer, Size, Unsigned};
use super::runtime::{Kernel, Runtime, blocks};

/// The sizes of (images, channels, …).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pixels {
    channels: u32,
    /// Of one image.
    pixels: usize,
    /// Of all images.
    count: usize,
}

impl Pixels {
    /// An error for sizes that are none.
    pub(crate) fn new(dims: &[usize], op: &str) -> Result<Self> {
        let [images, channels, rest @ ..] = dims else { bail!("{op}: expected (N, C, …), got {dims:?}") };
        let Ok(channels) = u32::try_from(*channels) else { bail!("{op}: {dims:?} is too large") };
        let pixels = rest.iter().product();
        Ok(Self { channels, pixels, count: images * pixels })
    }

    /// Of all images.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Of every pixel.
    pub(crate) fn channels(&self) -> u32 {
        self.channels
    }

    /// channels, pixels, count
    pub(crate) fn arguments(&self) -> [Argument; 3] {
        [Unsigned(self.channels), Size(self.pixels), Size(self.count)]
    }

    /// Of all channels.
    #[cfg(feature = "cuda")]
    pub(crate) fn elements(&self) -> usize {
        self.count * self.channels as usize
    }

    /// Launches a kernel with a thread for each pixel.
    ///
    /// # Safety
    ///
    /// `pointers` and `more` are the kernel's arguments before and after the sizes; each pointer leads to an element of its map for every
    /// pixel and, where the map has channels, every channel.
    unsafe fn launch(
        &self,
        runtime: &impl Runtime,
        name: &'static str,
        pointers: &[u64],
        more: &[Argument],
    ) -> Result<()> {
        let pointers: Vec<Argument> = pointers.iter().copied().map(Pointer).collect();
        let arguments = [&pointers[..], &self.arguments(), more].concat();
        // SAFETY: by contract; a thread touches its own pixel, if there is one.
        unsafe { runtime.launch(Kernel { file: "pixel_classes", name }, blocks(self.count), &arguments) }
    }
}

/// Writes the softmax over the channels of `x` to `y`.
///
/// # Safety
///
/// `x` and `y` point to floats for every pixel and channel.
pub(crate) unsafe fn softmax(runtime: &impl Runtime, of: Pixels, [x, y]: [u64; 2]) -> Result<()> {
    // SAFETY: as the caller says.
    unsafe { of.launch(runtime, "softmax", &[x, y], &[]) }
}

/// Writes the gradient for the argument of the softmax with the result `y` to `dx`.
///
/// # Safety
///
/// `y`, `upstream` and `dx` point to floats for every pixel and channel.
pub(crate) unsafe fn softmax_gradient(
    runtime: &impl Runtime,
    of: Pixels,
    [y, upstream, dx]: [u64; 3],
) -> Result<()> {
    // SAFETY: as the caller says.
    unsafe { of.launch(runtime, "softmax_gradient", &[y, upstream, dx], &[]) }
}

/// Weights of the classes in 256 places, and the label that does not count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets<'a> {
    /// `u8` for every pixel.
    pub(crate) labels: u64,
    pub(crate) weights: &'a [f32; 256],
    pub(crate) ignore: u8,
}

/// Writes the loss of every pixel to `losses`, and the logarithm of the sum of its exponentials to `log_sums`.
///
/// # Safety
///
/// `logits` points to floats for every pixel and channel, `losses` and `log_sums` to a float for every pixel.
pub(crate) unsafe fn cross_entropy(
    runtime: &impl Runtime,
    of: Pixels,
    targets: Targets,
    [logits, losses, log_sums]: [u64; 3],
) -> Result<()> {
    let (_weights, weights) = runtime.upload(targets.weights)?;
    let pointers = [logits, targets.labels, weights, losses, log_sums];
    // SAFETY: as the caller says; labels are below 256.
    unsafe { of.launch(runtime, "cross_entropy", &pointers, &[Unsigned(targets.ignore.into())]) }
}

/// Writes the gradient for the logits to `dx`, given that for the losses.
///
/// # Safety
///
/// `logits` and `dx` point to floats for every pixel and channel, `upstream` and `log_sums` to a float for every pixel.
pub(crate) unsafe fn cross_entropy_gradient(
    runtime: &impl Runtime,
    of: Pixels,
    targets: Targets,
    [logits, upstream, log_sums, dx]: [u64; 4],
) -> Result<()> {
    let (_weights, weights) = runtime.upload(targets.weights)?;
    let pointers = [logits, targets.labels, upstream, weights, log_sums, dx];
    // SAFETY: as the caller says; labels are below 256.
    unsafe { of.launch(runtime, "cross_entropy_gradient", &pointers, &[Unsigned(targets.ignore.into())]) }
}

/// Writes the channel with the highest value, a `u8`, of every pixel to `labels`.
///
/// # Safety
///
/// `x` points to floats for every pixel and channel, of which there are 256 at most, `labels` to a byte for every pixel.
pub(crate) unsafe fn label_map(runtime: &impl Runtime, of: Pixels, [x, labels]: [u64; 2]) -> Result<()> {
    // SAFETY: as the caller says.
    unsafe { of.launch(runtime, "label_map", &[x, labels], &[]) }
}
