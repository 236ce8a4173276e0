//! Input planes copied into scratch memory with their padding, so that every kernel tap reads whole vectors.
//!
//! A result pixel (i, j) reads, under each tap, the source pixel `(i * step + tap.row, j * step + tap.column)`. With a
//! step of 2 or more, neighbouring results do not read neighbouring pixels; the canvas therefore holds a plane for
//! each phase of the source (even rows and odd columns, say), in which they do. A tap then is one constant distance
//! in memory for all results.

use std::ops::Range;

/// Where one kernel tap reads, seen from a result pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) row: isize,
    pub(super) column: isize,
    /// Position of its weight among those of an input channel.
    pub(super) weight: usize,
}

/// Which source pixels each result pixel reads.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// Rows and columns of a source plane.
    pub(super) source: (usize, usize),
    /// Rows and columns of the results.
    pub(super) results: (usize, usize),
    pub(super) step: usize,
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
        let (step, source, results) = (reach.step as isize, reach.source, reach.results);
        let meets = |shift: isize, source: usize, results: usize| {
            let last = shift + (results as isize - 1) * step;
            let first = if shift >= 0 { shift } else { shift.rem_euclid(step) };
            first <= last && first < source as isize
        };
        reach
            .taps
            .retain(|tap| meets(tap.row, source.0, results.0) && meets(tap.column, source.1, results.1));
        let shifts = |tap: &Tap| (tap.row.div_euclid(step), tap.column.div_euclid(step));
        let phase = |tap: &Tap| (tap.row.rem_euclid(step) as usize, tap.column.rem_euclid(step) as usize);
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

    /// The distances of all taps of all channels from the position of a result pixel.
    pub(super) fn offsets(&self, channels: usize, images: usize, rows: usize) -> Vec<usize> {
        let (channel_size, plane) = (self.channel_size(images, rows), self.plane(rows));
        let offset =
            |&(phase, line, column): &(usize, usize, usize)| phase * plane + line * self.pitch + column;
        let taps: Vec<_> = self.places.iter().map(offset).collect();
        (0..channels).flat_map(|channel| taps.iter().map(move |tap| channel * channel_size + tap)).collect()
    }

    /// Fills the planes of one channel and image with the pixels that the results of a band of rows read.
    #[inline(always)]
    pub(super) fn fill(&self, source: &[f32], rows: Range<usize>, planes: &mut [f32]) {
        let (height, step) = (self.reach.source.0 as isize, self.reach.step as isize);
        for (&(row_phase, column_phase), plane) in
            self.phases.iter().zip(planes.chunks_exact_mut(self.plane(rows.len())))
        {
            for (line, row) in plane.chunks_exact_mut(self.pitch).zip(rows.start as isize + self.first.0..) {
                let row = row * step + row_phase as isize;
                if (0..height).contains(&row) {
                    let width = self.reach.source.1;
                    self.fill_line(&source[row as usize * width..][..width], column_phase, line);
                } else {
                    line.fill(0.0);
                }
            }
        }
    }

    #[inline(always)]
    fn fill_line(&self, source: &[f32], phase: usize, line: &mut [f32]) {
        let step = self.reach.step;
        let last = source.len().saturating_sub(phase).div_ceil(step) as isize - self.first.1;
        let start = (-self.first.1).clamp(0, line.len() as isize) as usize;
        let end = last.clamp(start as isize, line.len() as isize) as usize;
        line[..start].fill(0.0);
        line[end..].fill(0.0);
        if start == end {
            return;
        }
        let source = &source[(start as isize + self.first.1) as usize * step + phase..];
        let line = &mut line[start..end];
        match step {
            1 => line.copy_from_slice(&source[..line.len()]),
            2 => line.iter_mut().zip(source.iter().step_by(2)).for_each(|(to, from)| *to = *from),
            _ => line.iter_mut().zip(source.iter().step_by(step)).for_each(|(to, from)| *to = *from),
        }
    }
}
