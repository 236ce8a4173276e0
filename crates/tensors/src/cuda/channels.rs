//! The sizes of maps whose channels are summed: channels.cuh.

use candle_core::{Result, Shape, bail};

use super::runtime::Argument::{self, Size, Unsigned};

/// Values of a part of a sum: CHUNK in channels.cuh.
const CHUNK: usize = super::runtime::THREADS * 16;

/// Of (images, channels, …).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channels {
    channels: u32,
    pixels: u32,
    /// Values of one channel.
    count: usize,
    parts: u32,
}

impl Channels {
    /// An error for sizes that the kernels' numbers cannot hold.
    pub(crate) fn new(shape: &Shape, op: &str) -> Result<Self> {
        let (images, channels, height, width) = shape.dims4()?;
        let (pixels, count) = (height * width, images * height * width);
        let parts = count.div_ceil(CHUNK);
        let sizes = (u32::try_from(channels), u32::try_from(pixels), u32::try_from(parts));
        let (Ok(channels), Ok(pixels), Ok(parts)) = sizes else { bail!("{op}: {shape:?} is too large") };
        Ok(Self { channels, pixels, count, parts })
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels as usize
    }

    /// Of the whole map.
    pub(crate) fn elements(&self) -> usize {
        self.channels() * self.count
    }

    /// Of all channels.
    pub(crate) fn parts(&self) -> usize {
        self.channels() * self.parts as usize
    }

    /// channels, pixels, count, parts
    pub(crate) fn for_parts(&self) -> [Argument; 4] {
        [Unsigned(self.channels), Unsigned(self.pixels), Size(self.count), Unsigned(self.parts)]
    }

    /// channels, count, parts
    pub(crate) fn for_channels(&self) -> [Argument; 3] {
        [Unsigned(self.channels), Size(self.count), Unsigned(self.parts)]
    }

    /// channels, pixels, elements of the map
    pub(crate) fn for_elements(&self) -> [Argument; 3] {
        [Unsigned(self.channels), Unsigned(self.pixels), Size(self.elements())]
    }
}
