//! How a correlation is split into tasks.

use super::Correlation;
use crate::conv::canvas::Canvas;
use crate::conv::packing::BLOCK;

/// Floats in a canvas: 1 MiB, which stays in the second-level cache.
const CANVAS: usize = 1 << 18;
/// Result pixels of one channel that are worth a task.
const PIXELS: usize = 512;
/// Tasks to make, if they do not become too small. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// Bands of rows and parts of the results.
pub(super) struct Split {
    /// Source channels in a canvas.
    pub(super) channels: usize,
    /// Result rows of a task.
    pub(super) rows: usize,
    pub(super) bands: usize,
    /// Result channels of a task.
    pub(super) results: usize,
    pub(super) parts: usize,
}

impl Split {
    pub(super) fn new(correlation: &Correlation, canvas: &Canvas) -> Self {
        let (height, width) = correlation.reach.results;
        let units = correlation.batch * correlation.groups;
        let least = PIXELS.div_ceil(width).max(canvas.halo.0).min(height);
        let channels = (CANVAS / canvas.channel_size(1, least)).clamp(1, correlation.channels);
        let most = CANVAS / (channels * (canvas.channel_size(1, least) / (least + canvas.halo.0)).max(1));
        let wanted = (height * units).div_ceil(TASKS);
        let rows = most.saturating_sub(canvas.halo.0).min(wanted).clamp(least, height);
        let bands = height.div_ceil(rows);
        let rows = height.div_ceil(bands);
        let bands = height.div_ceil(rows);
        let (results, parts) = Self::results(correlation, canvas, rows, TASKS.div_ceil(units * bands));
        Self { channels, rows, bands, results, parts }
    }

    /// Splits the result channels in up to `wanted` parts, so that filling a canvas for each stays cheap beside the sums.
    fn results(correlation: &Correlation, canvas: &Canvas, rows: usize, wanted: usize) -> (usize, usize) {
        let taps = canvas.taps().len().max(1);
        let pixels = rows * correlation.reach.results.1;
        let price = if correlation.reach.step.1 > 1 { 3 } else { 1 };
        let least = 256 * price * canvas.channel_size(1, rows) / (taps * pixels);
        let results = correlation.results.div_ceil(wanted).max(least).next_multiple_of(BLOCK);
        (results, correlation.results.div_ceil(results))
    }
}
