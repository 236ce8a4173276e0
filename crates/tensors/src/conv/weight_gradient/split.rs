//! How the weight gradient is split into tasks.

use crate::conv::Geometry;
use crate::conv::canvas::Canvas;

/// Output pixels in a canvas, so that the gradients of 4 channels stay in the first-level cache.
const PIXELS: usize = 2048;
/// Floats in a canvas: half a MiB; two of them stay in the second-level cache.
const CANVAS: usize = 1 << 17;
/// Tasks to make, at the cost of memory for their sums. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// Canvases of images and rows, and blocks of channels.
pub(super) struct Split {
    /// Images and rows in a canvas.
    pub(super) images: usize,
    pub(super) rows: usize,
    /// Canvases for all images: batches of images times bands of rows.
    pub(super) bands: usize,
    pub(super) units: usize,
    /// Parts of the units that are summed apart.
    pub(super) slices: usize,
    /// Input channels of a task, and how many such parts there are.
    pub(super) channels: usize,
    pub(super) channel_blocks: usize,
    /// Output channels of a task, and how many such parts there are.
    pub(super) outputs: usize,
    pub(super) output_blocks: usize,
}

impl Split {
    pub(super) fn new(geometry: &Geometry, canvas: &Canvas) -> Self {
        let (height, width) = geometry.output;
        let bands = height.div_ceil(PIXELS.div_ceil(width).max(canvas.halo.0));
        let rows = height.div_ceil(bands);
        let images = if bands == 1 { (PIXELS / (height * width)).clamp(1, geometry.batch) } else { 1 };
        let units = geometry.batch.div_ceil(images) * bands;
        let (channels, channel_blocks) = even(geometry.inputs, CANVAS / canvas.channel_size(images, rows));
        let (outputs, output_blocks) = even(geometry.outputs, CANVAS / (images * rows * canvas.pitch));
        let outputs = outputs.next_multiple_of(4);
        let slices = TASKS.div_ceil(geometry.groups * channel_blocks * output_blocks).min(units);
        Self { images, rows, bands, units, slices, channels, channel_blocks, outputs, output_blocks }
    }

    pub(super) fn blocks(&self) -> usize {
        self.channel_blocks * self.output_blocks
    }
}

/// The size and number of about equal parts of `all`, none larger than `most` or empty.
fn even(all: usize, most: usize) -> (usize, usize) {
    let size = all.div_ceil(all.div_ceil(most.max(1)));
    (size, all.div_ceil(size))
}
