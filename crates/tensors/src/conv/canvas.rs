//! Input planes copied into scratch memory with their padding, so that every kernel tap reads whole vectors.
//!
//! A result pixel (i, j) reads, under each tap, the source pixel `(i * step.0 + tap.row, j * step.1 + tap.column)`. With
//! a step of 2 or more, neighbouring results do not read neighbouring pixels; the canvas therefore holds a plane for
//! each phase of the source (even rows and odd columns, say), in which they do. A tap then is one constant distance
//! in memory for all results.

use std::ops::Range;

use super::lanes::{Lanes, clear, copy};
use crate::fetch::fetch;

/// Channels between the one that is filled and the one that the memory is asked for. The processor, which sees neighbouring addresses
/// coming, cannot guess where the next plane is.
pub(super) const AHEAD: usize = 2;

/// Where one kernel tap reads, seen from a result pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) row: isize,
    pub(super) column: isize,
    /// Position of its weight among those of an input channel.
    pub(super) weight: usize,
    /// The phase of the results that it belongs to.
    pub(super) phase: usize,
}

/// Which source pixels each result pixel reads.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// Rows and columns of a source plane.
    pub(super) source: (usize, usize),
    /// Rows and columns of the results.
    pub(super) results: (usize, usize),
    /// Source pixels from one result to the next, by rows and columns.
    pub(super) step: (usize, usize),
    pub(super) taps: Vec<Tap>,
}

/// How a canvas is laid out: for each channel, image and phase a plane with lines of `pitch` floats.
#[derive(Debug)]
pub(super) struct Canvas {
    reach: Reach,
    phases: Vec<(usize, usize)>,
    /// Of each tap: index of its phase, line and column in the phase's plane for the result (0, 0).
    places: Vec<(usize, usize, usize)>,
    /// The source pixel, in steps, at line 0 and column 0.
    first: (isize, isize),
    /// Lines and columns more than results.
    pub(super) halo: (usize, usize),
    pub(super) pitch: usize,
}

impl Canvas {
    /// Leaves out the taps that read nothing but padding.
    pub(super) fn new(mut reach: Reach) -> Self {
        let Reach { source, results, step, .. } = reach;
        let meets = |shift: isize, source: usize, results: usize, step: usize| {
            let step = step as isize;
            let last = shift + (results as isize - 1) * step;
            let first = if shift >= 0 { shift } else { shift.rem_euclid(step) };
            first <= last && first < source as isize
        };
        reach.taps.retain(|tap| {
            meets(tap.row, source.0, results.0, step.0) && meets(tap.column, source.1, results.1, step.1)
        });
        Self::with_all_taps(reach)
    }

    pub(super) fn with_all_taps(reach: Reach) -> Self {
        let (results, step) = (reach.results, (reach.step.0 as isize, reach.step.1 as isize));
        let shifts = |tap: &Tap| (tap.row.div_euclid(step.0), tap.column.div_euclid(step.1));
        let phase = |tap: &Tap| (tap.row.rem_euclid(step.0) as usize, tap.column.rem_euclid(step.1) as usize);
        let mut phases: Vec<_> = reach.taps.iter().map(phase).collect();
        phases.sort_unstable();
        phases.dedup();
        let (low, high) = reach
            .taps
            .iter()
            .map(shifts)
            .fold(((isize::MAX, isize::MAX), (isize::MIN, isize::MIN)), |(low, high), (r, c)| {
                ((low.0.min(r), low.1.min(c)), (high.0.max(r), high.1.max(c)))
            });
        let (first, halo) = if reach.taps.is_empty() {
            ((0, 0), (0, 0))
        } else {
            (low, ((high.0 - low.0) as usize, (high.1 - low.1) as usize))
        };
        let place = |tap: &Tap| {
            let phase = phases.partition_point(|other| *other < phase(tap));
            let (row, column) = shifts(tap);
            (phase, (row - first.0) as usize, (column - first.1) as usize)
        };
        let places = reach.taps.iter().map(place).collect();
        Self { places, phases, first, halo, pitch: results.1 + halo.1, reach }
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    pub(super) fn taps(&self) -> &[Tap] {
        &self.reach.taps
    }

    /// Whether taps lie so far apart that many results read little but padding under them.
    pub(super) fn is_sparse(&self) -> bool {
        2 * self.halo.0 > self.reach.results.0 || 2 * self.halo.1 > self.reach.results.1
    }

    /// Whether a tap reads anything but padding from some of `count` results from (row, column) on.
    pub(super) fn reads(&self, tap: usize, (row, column): (usize, usize), count: usize) -> bool {
        let Reach { source, step, ref taps, .. } = self.reach;
        let row = (row * step.0) as isize + taps[tap].row;
        let place = |column: usize| (column * step.1) as isize + taps[tap].column;
        let (first, last) = (place(column), place(column + count - 1));
        (0..source.0 as isize).contains(&row) && last >= 0 && first < source.1 as isize
    }

    /// Floats of one phase's plane for a band of result rows.
    fn plane(&self, rows: usize) -> usize {
        (rows + self.halo.0) * self.pitch
    }

    /// Floats of one image's planes of one channel.
    pub(super) fn image_size(&self, rows: usize) -> usize {
        self.phases.len() * self.plane(rows)
    }

    /// Floats from one channel to the next: an odd number of cache lines, lest channels compete for the same places in
    /// the cache.
    pub(super) fn channel_size(&self, images: usize, rows: usize) -> usize {
        let lines = (images * self.image_size(rows)).div_ceil(16);
        (lines | 1) * 16
    }

    /// Floats to allocate, with room for vectors that start on the last pixel.
    pub(super) fn size(&self, channels: usize, images: usize, rows: usize) -> usize {
        channels * self.channel_size(images, rows) + self.slack()
    }

    /// Floats behind the last channel that vectors may touch.
    fn slack(&self) -> usize {
        16
    }

    /// The distances of the given taps of all channels from the position of a result pixel.
    pub(super) fn offsets(&self, taps: &[usize], channels: usize, images: usize, rows: usize) -> Vec<usize> {
        let (channel_size, plane) = (self.channel_size(images, rows), self.plane(rows));
        let offset = |&tap: &usize| {
            let (phase, line, column) = self.places[tap];
            phase * plane + line * self.pitch + column
        };
        let taps: Vec<_> = taps.iter().map(offset).collect();
        (0..channels).flat_map(|channel| taps.iter().map(move |tap| channel * channel_size + tap)).collect()
    }

    /// Those of all taps in the planes of one channel and image.
    pub(super) fn all_offsets(&self, rows: usize) -> Vec<usize> {
        let taps: Vec<_> = (0..self.taps().len()).collect();
        self.offsets(&taps, 1, 1, rows)
    }

    /// Asks the memory for what [`fill`](Self::fill) will read of a channel.
    pub(super) fn fetch(&self, source: &[f32], rows: &Range<usize>) {
        let (step, (height, width)) = (self.reach.step.0 as isize, self.reach.source);
        let row = |line: isize| (line * step).clamp(0, height as isize) as usize;
        let first = rows.start as isize + self.first.0;
        let last = first + (rows.len() + self.halo.0) as isize;
        fetch(&source[row(first) * width..row(last) * width]);
    }

    /// Copies the pixels of one channel and image that the results of a band of rows read to their planes, with zeros
    /// for the padding.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `L`.
    #[inline(always)]
    pub(super) unsafe fn fill<L: Lanes>(&self, source: &[f32], rows: Range<usize>, planes: &mut [f32]) {
        let size = self.plane(rows.len());
        for phase in 0..self.phases.len() {
            let plane = &mut planes[phase * size..][..size];
            let (lines, columns) = self.inside(phase, &rows);
            // SAFETY: by contract.
            unsafe {
                if lines.is_empty() || columns.is_empty() {
                    plane.fill(0.0);
                    continue;
                }
                clear::<L>(&mut plane[..lines.start * self.pitch]);
                clear::<L>(&mut plane[lines.end * self.pitch..]);
                for line in lines.clone() {
                    let line = &mut plane[line * self.pitch..][..self.pitch];
                    clear::<L>(&mut line[..columns.start]);
                    clear::<L>(&mut line[columns.end..]);
                }
                self.copy::<L>(source, rows.start, phase, (lines, columns), plane);
            }
        }
    }

    /// As [`fill`](Self::fill), where the padding is zero already.
    ///
    /// # Safety
    ///
    /// As there.
    #[inline(always)]
    pub(super) unsafe fn refill<L: Lanes>(&self, source: &[f32], rows: Range<usize>, planes: &mut [f32]) {
        let size = self.plane(rows.len());
        for phase in 0..self.phases.len() {
            let plane = &mut planes[phase * size..][..size];
            // SAFETY: by contract.
            unsafe { self.copy::<L>(source, rows.start, phase, self.inside(phase, &rows), plane) };
        }
    }

    /// The lines and columns of a phase's plane that are not padding.
    fn inside(&self, phase: usize, rows: &Range<usize>) -> (Range<usize>, Range<usize>) {
        let (row_phase, column_phase) = self.phases[phase];
        let Reach { source: (height, width), step, .. } = self.reach;
        let first = rows.start as isize + self.first.0;
        let lines = inside(first, step.0, row_phase, height, rows.len() + self.halo.0);
        (lines, inside(self.first.1, step.1, column_phase, width, self.pitch))
    }

    /// Copies the pixels that lie on these lines and columns of a phase's plane, whose line 0 is that of the first row.
    ///
    /// # Safety
    ///
    /// As [`fill`](Self::fill).
    #[inline(always)]
    unsafe fn copy<L: Lanes>(
        &self,
        source: &[f32],
        first_row: usize,
        phase: usize,
        (lines, columns): (Range<usize>, Range<usize>),
        plane: &mut [f32],
    ) {
        let (step, width) = (self.reach.step, self.reach.source.1);
        let (row_phase, column_phase) = self.phases[phase];
        let pixel = |first: isize, place: usize| (first + place as isize) as usize;
        if columns.is_empty() {
            return;
        }
        for line in lines {
            let row = pixel(first_row as isize + self.first.0, line) * step.0 + row_phase;
            let column = pixel(self.first.1, columns.start) * step.1 + column_phase;
            let source = &source[row * width + column..(row + 1) * width];
            // SAFETY: by contract.
            unsafe { copy::<L>(source, step.1, &mut plane[line * self.pitch..][columns.clone()]) };
        }
    }
}

/// The places, of `count`, that are not padding: place p holds the pixel `(first + p) * step + phase` of `size`.
fn inside(first: isize, step: usize, phase: usize, size: usize, count: usize) -> Range<usize> {
    let pixels = size.saturating_sub(phase).div_ceil(step) as isize;
    let start = (-first).clamp(0, count as isize);
    let end = (pixels - first).clamp(start, count as isize);
    start as usize..end as usize
}
