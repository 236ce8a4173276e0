//! Blocks of pixels over all channels: the unit of work of operations that look at one pixel's channels together.

/// Pixels of a block: its channels fit the first-level cache for the class counts of segmentation.
pub(crate) const PIXELS: usize = 512;

/// A block of up to [`PIXELS`] consecutive pixels of one image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    image: usize,
    first: usize,
    pixels: usize,
    channels: usize,
    image_pixels: usize,
}

impl Block {
    /// All blocks of a tensor (images, channels, pixels), image after image.
    pub(crate) fn all(images: usize, channels: usize, image_pixels: usize) -> Vec<Self> {
        let of_image = |image| {
            let starts = (0..image_pixels).step_by(PIXELS);
            starts.map(move |first| {
                let pixels = PIXELS.min(image_pixels - first);
                Self { image, first, pixels, channels, image_pixels }
            })
        };
        (0..images).flat_map(of_image).collect()
    }

    /// The block's pixels in one channel of `data` (images, channels, pixels).
    #[inline(always)]
    pub(crate) fn channel<'a>(&self, data: &'a [f32], channel: usize) -> &'a [f32] {
        let start = (self.image * self.channels + channel) * self.image_pixels + self.first;
        &data[start..start + self.pixels]
    }

    /// The block's pixels in `data` (images, pixels).
    #[inline(always)]
    pub(crate) fn pixels<'a, T>(&self, data: &'a [T]) -> &'a [T] {
        let start = self.image * self.image_pixels + self.first;
        &data[start..start + self.pixels]
    }
}

/// Cuts `data` (images, channels, pixels) into the blocks of [`Block::all`]; each holds one slice per channel.
pub(crate) fn split_channels_mut(
    data: &mut [f32],
    channels: usize,
    image_pixels: usize,
) -> Vec<Vec<&mut [f32]>> {
    let mut blocks = Vec::new();
    for image in data.chunks_exact_mut(channels * image_pixels) {
        let first = blocks.len();
        blocks.extend((0..image_pixels.div_ceil(PIXELS)).map(|_| Vec::with_capacity(channels)));
        for channel in image.chunks_exact_mut(image_pixels) {
            for (block, slice) in blocks[first..].iter_mut().zip(channel.chunks_mut(PIXELS)) {
                block.push(slice);
            }
        }
    }
    blocks
}

/// Cuts `data` (images, pixels) into the blocks of [`Block::all`].
pub(crate) fn split_pixels_mut(data: &mut [f32], image_pixels: usize) -> Vec<&mut [f32]> {
    data.chunks_exact_mut(image_pixels).flat_map(|image| image.chunks_mut(PIXELS)).collect()
}
