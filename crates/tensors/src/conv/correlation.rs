//! Sums of source pixels under kernel taps, straight from a canvas: the forward pass and the gradient for the input.
//!
//! A matrix product in which the matrix of columns ("im2col") is not written down: its row for a channel and a tap is
//! the canvas, moved by a constant distance.

use std::ops::Range;

use rayon::prelude::*;

use super::canvas::{Canvas, Reach};
use super::lanes::{Kernel, Lanes, run};
use super::matrix::Write;
use super::parts::{Parts, with_scratch};

/// Floats in a canvas: 1 MiB, which stays in the second-level cache.
const CANVAS: usize = 1 << 18;
/// Result channels whose weights lie next to each other.
const BLOCK: usize = 8;
/// Result pixels of one channel that are worth a task.
const PIXELS: usize = 512;
/// Tasks to make, if they do not become too small. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// `result[r](i, j) = bias[r] + sum over channels c and taps t of weight[r][c][t] * source[c](pixel of i, j and t)`,
/// for each image and group.
pub(super) struct Correlation<'a> {
    pub(super) batch: usize,
    pub(super) groups: usize,
    /// Source and result channels of a group.
    pub(super) channels: usize,
    pub(super) results: usize,
    pub(super) reach: Reach,
    pub(super) weights: Weights<'a>,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) target: Target,
}

/// Where the weights lie: that of result r, channel c and tap t at `r * result_stride + c * channel_stride + t.weight`.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) values: &'a [f32],
    pub(super) result_stride: usize,
    pub(super) channel_stride: usize,
}

/// Where the result pixel (i, j) of a plane lies: at `origin + i * row_step + j * column_step`.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) plane: usize,
    pub(super) origin: usize,
    pub(super) row_step: usize,
    pub(super) column_step: usize,
}

impl Correlation<'_> {
    /// Writes all results.
    pub(super) fn run(self, source: &[f32], y: Parts) {
        if self.batch == 0 {
            return;
        }
        let canvas = Canvas::new(self.reach.clone());
        let packed = self.packed_weights(&canvas);
        let split = Split::new(&self, &canvas);
        (0..self.batch * self.groups * split.bands * split.parts).into_par_iter().for_each(|task| {
            let (rest, part) = (task / split.parts, task % split.parts);
            let (unit, band) = (rest / split.bands, rest % split.bands);
            let group = unit % self.groups;
            let plane = self.reach.source.0 * self.reach.source.1;
            let first = part * split.results;
            let band = Band {
                correlation: &self,
                canvas: &canvas,
                source: &source[unit * self.channels * plane..][..self.channels * plane],
                weights: &packed[group * packed.len() / self.groups..][..packed.len() / self.groups],
                channels: split.channels,
                rows: band * split.rows..((band + 1) * split.rows).min(self.reach.results.0),
                group,
                results: first..(first + split.results).min(self.results),
                y,
                first_plane: unit * self.results,
            };
            with_scratch(canvas.size(split.channels, 1, band.rows.len()), |scratch| {
                run(BandIn { band, scratch })
            });
        });
    }

    /// The weights in the order in which they are used: of each group, 8 results for every channel and tap.
    fn packed_weights(&self, canvas: &Canvas) -> Vec<f32> {
        let taps = &canvas.reach().taps;
        let blocks = self.results.div_ceil(BLOCK);
        let size = self.channels * taps.len() * BLOCK;
        let mut packed = vec![0.0; self.groups * blocks * size];
        if size > 0 {
            packed.par_chunks_mut(size).enumerate().for_each(|(number, block)| {
                let (group, first) = (number / blocks, number % blocks * BLOCK);
                let start = group * self.weights.values.len() / self.groups;
                for result in first..(first + BLOCK).min(self.results) {
                    for (channel, block) in block.chunks_exact_mut(taps.len() * BLOCK).enumerate() {
                        let at = start
                            + result * self.weights.result_stride
                            + channel * self.weights.channel_stride;
                        for (tap, weights) in taps.iter().zip(block.chunks_exact_mut(BLOCK)) {
                            weights[result - first] = self.weights.values[at + tap.weight];
                        }
                    }
                }
            });
        }
        packed
    }
}

/// How the work is split into tasks.
struct Split {
    /// Source channels in a canvas.
    channels: usize,
    /// Result rows of a task.
    rows: usize,
    bands: usize,
    /// Result channels of a task.
    results: usize,
    parts: usize,
}

impl Split {
    fn new(correlation: &Correlation, canvas: &Canvas) -> Self {
        let (height, width) = correlation.reach.results;
        let units = correlation.batch * correlation.groups;
        let least = PIXELS.div_ceil(width).max(canvas.halo.0).min(height);
        let channels = (CANVAS / canvas.channel_size(1, least)).clamp(1, correlation.channels);
        let mut rows = least;
        while rows < height && channels * canvas.channel_size(1, rows + 1) <= CANVAS {
            rows += 1;
        }
        let rows = rows.min((height * units).div_ceil(TASKS)).max(least);
        let bands = height.div_ceil(rows);
        let wanted = TASKS.div_ceil(units * bands);
        let results = correlation.results.div_ceil(wanted).next_multiple_of(BLOCK).max(4 * BLOCK);
        let parts = correlation.results.div_ceil(results);
        Self { channels, rows: height.div_ceil(bands), bands, results, parts }
    }
}

/// A task: some rows of some result channels of one image and group.
struct Band<'a> {
    correlation: &'a Correlation<'a>,
    canvas: &'a Canvas,
    /// All planes of the image and group.
    source: &'a [f32],
    /// Packed, of the group.
    weights: &'a [f32],
    /// Channels in a canvas.
    channels: usize,
    rows: Range<usize>,
    group: usize,
    results: Range<usize>,
    y: Parts,
    /// Number of the image's and group's first plane in `y`.
    first_plane: usize,
}

struct BandIn<'a> {
    band: Band<'a>,
    scratch: &'a mut [f32],
}

impl Kernel for BandIn<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { band, scratch } = self;
        let Band { correlation, canvas, .. } = band;
        let rows = band.rows.len();
        let (image_size, channel_size) = (canvas.image_size(rows), canvas.channel_size(1, rows));
        let plane = correlation.reach.source.0 * correlation.reach.source.1;
        let offsets = canvas.offsets(band.channels, 1, rows);
        let vectors = Vectors::new::<L>(&band);
        for first in (0..correlation.channels).step_by(band.channels) {
            let channels = band.channels.min(correlation.channels - first);
            for channel in 0..channels {
                let planes = &mut scratch[channel * channel_size..][..image_size];
                canvas.fill(&band.source[(first + channel) * plane..][..plane], band.rows.clone(), planes);
            }
            let offsets = &offsets[..channels * canvas.reach().taps.len()];
            band.block::<L>(&vectors, scratch, offsets, first);
        }
    }
}

impl Band<'_> {
    /// Adds the channels from `first` on, which are in the canvas, to all results.
    #[inline(always)]
    fn block<L: Lanes>(&self, vectors: &Vectors, canvas: &[f32], offsets: &[usize], first: usize) {
        let taps = self.canvas.reach().taps.len();
        let write = if first == 0 { Write::Replace } else { Write::Add };
        let mut result = self.results.start;
        while result < self.results.end {
            let count = L::RESULTS.min(self.results.end - result);
            let block = (result / BLOCK) * self.correlation.channels * taps + first * taps;
            let weights = &self.weights[block * BLOCK..][..offsets.len() * BLOCK];
            let sums = Sums { vectors, canvas, offsets, weights, lane: result % BLOCK, result, count, write };
            match count {
                1 => self.sums::<L, 1>(&sums),
                2 => self.sums::<L, 2>(&sums),
                3 | 4 => self.sums::<L, 4>(&sums),
                _ => self.sums::<L, 8>(&sums),
            }
            result += count;
        }
    }

    #[inline(always)]
    fn sums<L: Lanes, const R: usize>(&self, sums: &Sums) {
        let mut start = 0;
        while start < sums.vectors.list.len() {
            let vectors = &sums.vectors.list[start..];
            let count = vectors.len().min(L::SUMS / R);
            // SAFETY: the instructions are there by the contract of `Kernel::run`; the rest as the function says.
            start += unsafe {
                match count {
                    6.. => self.tile::<L, R, 6>(sums, vectors),
                    3.. => self.tile::<L, R, 3>(sums, vectors),
                    2 => self.tile::<L, R, 2>(sums, vectors),
                    _ => self.tile::<L, R, 1>(sums, vectors),
                }
            };
        }
    }

    /// Sums the first `V` vectors of pixels for `R` results and writes them; returns `V`.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `L`, and there must be `V` vectors.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const R: usize, const V: usize>(
        &self,
        sums: &Sums,
        vectors: &[Vector],
    ) -> usize {
        assert!(
            vectors.len() >= V && sums.lane + R <= BLOCK && sums.weights.len() >= sums.offsets.len() * BLOCK
        );
        // SAFETY: a canvas has room for a vector at each position and offset; the weights are as long as asserted.
        let totals = unsafe {
            let mut totals = [[L::splat(0.0); V]; R];
            for r in 0..R {
                totals[r] = [L::splat(self.bias(sums, r)); V];
            }
            let canvas = sums.canvas.as_ptr();
            let mut weights = sums.weights.as_ptr().add(sums.lane);
            for &offset in sums.offsets {
                let mut x = [L::splat(0.0); V];
                for v in 0..V {
                    x[v] = L::load(canvas.add(vectors[v].position + offset));
                }
                for r in 0..R {
                    let weight = L::splat(*weights.add(r));
                    for v in 0..V {
                        totals[r][v] = weight.mul_add(x[v], totals[r][v]);
                    }
                }
                weights = weights.wrapping_add(BLOCK);
            }
            totals
        };
        for r in 0..R {
            if r < sums.count {
                for v in 0..V {
                    // SAFETY: this task alone writes these rows of these result channels.
                    unsafe { self.write(totals[r][v], sums, sums.result + r, &vectors[v]) };
                }
            }
        }
        V
    }

    /// What the sum of a result channel starts from.
    #[inline(always)]
    fn bias(&self, sums: &Sums, r: usize) -> f32 {
        match self.correlation.bias {
            Some(bias) if sums.write == Write::Replace && r < sums.count => {
                bias[self.group * self.correlation.results + sums.result + r]
            }
            _ => 0.0,
        }
    }

    /// # Safety
    ///
    /// As `tile`; no other task may use the pixels.
    #[inline(always)]
    unsafe fn write<L: Lanes>(&self, values: L, sums: &Sums, result: usize, vector: &Vector) {
        let Target { plane, column_step, .. } = self.correlation.target;
        let start = (self.first_plane + result) * plane;
        for piece in &sums.vectors.pieces[vector.pieces.clone()] {
            let to = self.y.at(start + piece.offset);
            // SAFETY: the pieces are pixels of the plane.
            unsafe {
                match column_step {
                    1 => values.store_part(to, piece.first, piece.count, sums.write),
                    step => values.store_strided(to, step, piece.first, piece.count, sums.write),
                }
            }
        }
    }
}

/// The arguments of the inner loops.
struct Sums<'a> {
    vectors: &'a Vectors,
    canvas: &'a [f32],
    offsets: &'a [usize],
    weights: &'a [f32],
    /// Position of the first result in its block of weights.
    lane: usize,
    result: usize,
    count: usize,
    write: Write,
}

/// The result pixels of a band, cut into vectors.
struct Vectors {
    list: Vec<Vector>,
    pieces: Vec<Piece>,
}

struct Vector {
    /// Of the first pixel, in the canvas.
    position: usize,
    pieces: Range<usize>,
}

/// Neighbouring result pixels in a vector.
struct Piece {
    /// Lane of the first pixel.
    first: usize,
    count: usize,
    /// Of the first pixel, in the target plane.
    offset: usize,
}

impl Vectors {
    /// Takes row after row where rows are long; where they are short, vectors run across the borders of rows, and the
    /// sums for the pixels between them are thrown away.
    fn new<L: Lanes>(band: &Band) -> Self {
        let (rows, width, pitch) = (band.rows.len(), band.correlation.reach.results.1, band.canvas.pitch);
        let all = (rows - 1) * pitch + width;
        let by_rows = rows * width.div_ceil(L::WIDTH) <= all.div_ceil(L::WIDTH);
        let mut vectors = Self { list: Vec::new(), pieces: Vec::new() };
        if by_rows {
            for row in 0..rows {
                for column in (0..width).step_by(L::WIDTH) {
                    let position = row * pitch + column;
                    vectors.push(band, position..(position + L::WIDTH).min(row * pitch + width));
                }
            }
        } else {
            for position in (0..all).step_by(L::WIDTH) {
                vectors.push(band, position..(position + L::WIDTH).min(all));
            }
        }
        vectors
    }

    fn push(&mut self, band: &Band, positions: Range<usize>) {
        let (width, pitch, target) =
            (band.correlation.reach.results.1, band.canvas.pitch, band.correlation.target);
        let first_piece = self.pieces.len();
        let mut position = positions.start;
        while position < positions.end {
            let (row, column) = (position / pitch, position % pitch);
            let end = positions.end.min((row + 1) * pitch);
            if column < width {
                self.pieces.push(Piece {
                    first: position - positions.start,
                    count: end.min(row * pitch + width) - position,
                    offset: target.origin
                        + (band.rows.start + row) * target.row_step
                        + column * target.column_step,
                });
            }
            position = end;
        }
        self.list.push(Vector { position: positions.start, pieces: first_piece..self.pieces.len() });
    }
}
