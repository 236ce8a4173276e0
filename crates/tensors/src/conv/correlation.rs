//! Sums of source pixels under kernel taps, straight from a canvas: the forward pass and the gradient for the input.
//!
//! A matrix product in which the matrix of columns ("im2col") is not written down: its row for a channel and a tap is
//! the canvas, moved by a constant distance.

mod split;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::canvas::{Canvas, Reach};
use super::lanes::{Kernel, Lanes, run, width};
use super::packing::{BLOCK, Weights};
use super::parts::{Parts, Write, with_scratch};
use super::vectors::{Piece, Target, Vector, Vectors};
use super::winograd::Winograd;
use split::Split;

/// `result[r](i, j) = bias[r] + sum over channels c and taps t of weight[r][c][t] * source[c](pixel of i, j and t)`,
/// for each image and group.
pub(super) struct Correlation<'a> {
    pub(super) batch: usize,
    pub(super) groups: usize,
    /// Source and result channels of a group.
    pub(super) channels: usize,
    pub(super) results: usize,
    pub(super) reach: Reach,
    /// Of each phase of the results: where they are written, with the taps of that phase.
    pub(super) targets: Vec<Target>,
    /// Pixels of a result plane.
    pub(super) result_pixels: usize,
    pub(super) weights: Weights<'a>,
    pub(super) bias: Option<&'a [f32]>,
    /// See [`Geometry`](super::Geometry).
    pub(super) larger_tiles: bool,
}

impl Correlation<'_> {
    /// Writes all results.
    pub(super) fn run(self, source: &[f32], y: Parts) {
        if self.batch == 0 {
            return;
        }
        if let Some(winograd) = Winograd::new(&self) {
            return winograd.run(source, y);
        }
        let canvas = Canvas::new(self.reach.clone());
        let split = Split::new(&self, &canvas);
        let phases: Vec<_> = (0..self.targets.len()).map(|phase| Phase::new(&self, &canvas, phase)).collect();
        let last_rows = self.reach.results.0 - (split.bands - 1) * split.rows;
        let layouts = [(split.rows, false), (last_rows, true)]
            .map(|(rows, last)| Layout::new(&self, &canvas, &phases, rows, last));
        (0..self.batch * self.groups * split.bands * split.parts).into_par_iter().for_each(|task| {
            let (rest, part) = (task / split.parts, task % split.parts);
            let (unit, number) = (rest / split.bands, rest % split.bands);
            let plane = self.reach.source.0 * self.reach.source.1;
            let first = part * split.results;
            let layout = &layouts[usize::from(number + 1 == split.bands)];
            let band = Band {
                correlation: &self,
                canvas: &canvas,
                phases: &phases,
                layout,
                source: &source[unit * self.channels * plane..][..self.channels * plane],
                channels: split.channels,
                first_row: number * split.rows,
                unit,
                results: first..(first + split.results).min(self.results),
                y,
            };
            let size = canvas.size(split.channels, 1, layout.rows);
            with_scratch(size, |scratch| run(BandIn { band, scratch }));
        });
    }
}

/// The taps of one phase of the results.
struct Phase {
    /// Indices among the taps of the canvas.
    taps: Vec<usize>,
    /// Packed weights of all groups.
    weights: Vec<f32>,
}

impl Phase {
    fn new(correlation: &Correlation, canvas: &Canvas, phase: usize) -> Self {
        let taps: Vec<_> =
            (0..canvas.taps().len()).filter(|&tap| canvas.taps()[tap].phase == phase).collect();
        let weights: Vec<_> = taps.iter().map(|&tap| canvas.taps()[tap].weight).collect();
        let Correlation { groups, results, channels, .. } = *correlation;
        Self { taps, weights: correlation.weights.packed(groups, results, channels, &weights) }
    }
}

/// What is the same for all bands of as many rows: of each phase, the distances of its taps in the canvas, and the
/// vectors of result pixels.
struct Layout {
    rows: usize,
    phases: Vec<(Vec<usize>, Vectors)>,
}

/// Vectors that follow each other and read under the same taps.
struct Run {
    vectors: Range<usize>,
    /// For each channel of a canvas and each tap that reads more than padding: the distance in the canvas and the place
    /// of the weights.
    terms: Arc<[Term]>,
    /// Of one channel.
    taps: usize,
}

#[derive(Clone, Copy)]
struct Term {
    canvas: u32,
    weights: u32,
}

impl Layout {
    fn new(correlation: &Correlation, canvas: &Canvas, phases: &[Phase], rows: usize, last: bool) -> Self {
        let phase = |(phase, target): (&Phase, &Target)| {
            // Only the last band has fewer rows in some phases than in others.
            let missing = if last { correlation.reach.results.0 - target.size.0 } else { 0 };
            let vectors = Vectors::new(rows - missing, canvas.pitch, target, width());
            (canvas.offsets(&phase.taps, 1, 1, rows), vectors)
        };
        Self { rows, phases: phases.iter().zip(&correlation.targets).map(phase).collect() }
    }
}

/// A task: some rows of some result channels of one image and group.
struct Band<'a> {
    correlation: &'a Correlation<'a>,
    canvas: &'a Canvas,
    phases: &'a [Phase],
    layout: &'a Layout,
    /// All planes of the image and group.
    source: &'a [f32],
    /// Channels in a canvas.
    channels: usize,
    first_row: usize,
    /// Number of the group of the image.
    unit: usize,
    results: Range<usize>,
    y: Parts,
}

struct BandIn<'a> {
    band: Band<'a>,
    scratch: &'a mut [f32],
}

impl Kernel for BandIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { band, scratch } = self;
        let Band { correlation, canvas, layout, .. } = band;
        let (image_size, channel_size) =
            (canvas.image_size(layout.rows), canvas.channel_size(1, layout.rows));
        let plane = correlation.reach.source.0 * correlation.reach.source.1;
        let runs: Vec<_> = (0..band.phases.len()).map(|phase| band.runs(phase)).collect();
        for first in (0..correlation.channels).step_by(band.channels) {
            let channels = band.channels.min(correlation.channels - first);
            for channel in 0..channels {
                let planes = &mut scratch[channel * channel_size..][..image_size];
                let source = &band.source[(first + channel) * plane..][..plane];
                // SAFETY: the instructions are there by the contract of `Kernel::run`.
                unsafe { canvas.fill::<L>(source, band.first_row..band.first_row + layout.rows, planes) };
            }
            for (phase, runs) in runs.iter().enumerate() {
                for run in runs {
                    band.add_channels::<L>(scratch, phase, run, first..first + channels);
                }
            }
        }
    }
}

impl Band<'_> {
    /// The vectors of a phase in runs. A widely spaced tap reads nothing but padding for many of them.
    fn runs(&self, phase: usize) -> Vec<Run> {
        let (_, vectors) = &self.layout.phases[phase];
        let mut runs: Vec<Run> = Vec::new();
        let mut taps: Vec<usize> = Vec::new();
        let mut known: Vec<(Vec<usize>, Arc<[Term]>)> = Vec::new();
        for (number, vector) in vectors.list.iter().enumerate() {
            let read = self.read(phase, &vectors.pieces[vector.pieces.clone()]);
            match runs.last_mut() {
                Some(run) if read == taps => run.vectors.end = number + 1,
                _ => {
                    let found = known.iter().find(|(taps, _)| *taps == read).map(|(_, terms)| terms.clone());
                    let terms = found.unwrap_or_else(|| {
                        let terms = self.terms(phase, &read);
                        known.push((read.clone(), terms.clone()));
                        terms
                    });
                    runs.push(Run { vectors: number..number + 1, terms, taps: read.len() });
                    taps = read;
                }
            }
        }
        runs
    }

    /// The taps of a phase, by their number in it, that read more than padding for a vector.
    fn read(&self, phase: usize, pieces: &[Piece]) -> Vec<usize> {
        let taps = &self.phases[phase].taps;
        if !self.canvas.is_sparse() {
            return (0..taps.len()).collect();
        }
        let reads = |tap: usize| {
            pieces.iter().any(|piece| {
                let row = self.first_row + piece.row;
                self.canvas.reads(tap, (row, piece.column), piece.count)
            })
        };
        (0..taps.len()).filter(|&tap| reads(taps[tap])).collect()
    }

    fn terms(&self, phase: usize, read: &[usize]) -> Arc<[Term]> {
        let (offsets, taps) = (&self.layout.phases[phase].0, self.phases[phase].taps.len());
        let channel_size = self.canvas.channel_size(1, self.layout.rows);
        let term = |channel: usize, tap: usize| Term {
            canvas: (channel * channel_size + offsets[tap]) as u32,
            weights: ((channel * taps + tap) * BLOCK) as u32,
        };
        (0..self.channels).flat_map(|channel| read.iter().map(move |&tap| term(channel, tap))).collect()
    }

    /// Adds the `channels`, which are in the canvas, to a run of all results of a phase.
    #[inline(always)]
    fn add_channels<L: Lanes>(&self, canvas: &[f32], phase: usize, run: &Run, channels: Range<usize>) {
        let Phase { taps, weights } = &self.phases[phase];
        let Correlation { groups, targets, .. } = self.correlation;
        let vectors = &self.layout.phases[phase].1;
        let terms = &run.terms[..channels.len() * run.taps];
        let write = if channels.start == 0 { Write::Replace } else { Write::Add };
        let group_size = weights.len() / groups;
        let weights = &weights[self.unit % groups * group_size..][..group_size];
        let mut result = self.results.start;
        while result < self.results.end {
            let count = L::RESULTS.min(self.results.end - result);
            let block = (result / BLOCK * self.correlation.channels + channels.start) * taps.len() * BLOCK;
            let weights = &weights[block..][..channels.len() * taps.len() * BLOCK];
            let target = &targets[phase];
            let sums = Sums {
                vectors: &vectors.list[run.vectors.clone()],
                pieces: &vectors.pieces,
                canvas,
                terms,
                weights,
                target,
                lane: result % BLOCK,
                result,
                count,
                write,
            };
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
        while start < sums.vectors.len() {
            let vectors = &sums.vectors[start..];
            // SAFETY: the instructions are there by the contract of `Kernel::run`; the rest as the function says.
            start += unsafe {
                match vectors.len().min(L::SUMS / R) {
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
    /// The processor must have the instructions of `L`.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const R: usize, const V: usize>(
        &self,
        sums: &Sums,
        vectors: &[Vector],
    ) -> usize {
        assert!(
            vectors.len() >= V
                && sums.lane + R <= BLOCK
                && sums.terms.last().is_none_or(|last| last.weights as usize + BLOCK <= sums.weights.len())
        );
        let bias = self.bias::<R>(sums);
        // SAFETY: a canvas has room for a vector at each position and offset; the weights reach to the last term.
        let totals = unsafe {
            let mut totals = [[L::splat(0.0); V]; R];
            for r in 0..R {
                totals[r] = [L::splat(bias[r]); V];
            }
            let canvas = sums.canvas.as_ptr();
            let weights = sums.weights.as_ptr().wrapping_add(sums.lane);
            for term in sums.terms {
                let (offset, weights) = (term.canvas as usize, weights.add(term.weights as usize));
                let mut x = [L::splat(0.0); V];
                for v in 0..V {
                    x[v] = L::load(canvas.add(vectors[v].position + offset));
                }
                for (r, totals) in totals.iter_mut().enumerate() {
                    let weight = L::splat(*weights.add(r));
                    for v in 0..V {
                        totals[v] = weight.mul_add(x[v], totals[v]);
                    }
                }
            }
            totals
        };
        for (r, totals) in totals.iter().enumerate() {
            if r < sums.count {
                for v in 0..V {
                    // SAFETY: this task alone writes these rows of these result channels.
                    unsafe { self.write(totals[v], sums, sums.result + r, &vectors[v]) };
                }
            }
        }
        V
    }

    /// What the sums start from.
    #[inline(always)]
    fn bias<const R: usize>(&self, sums: &Sums) -> [f32; R] {
        let mut values = [0.0; R];
        if let (Some(bias), Write::Replace) = (self.correlation.bias, sums.write) {
            let first = self.unit % self.correlation.groups * self.correlation.results + sums.result;
            values[..sums.count].copy_from_slice(&bias[first..first + sums.count]);
        }
        values
    }

    /// # Safety
    ///
    /// As `tile`; no other task may use the pixels.
    #[inline(always)]
    unsafe fn write<L: Lanes>(&self, values: L, sums: &Sums, result: usize, vector: &Vector) {
        let Target { row_step, column_step, .. } = *sums.target;
        let plane = self.unit * self.correlation.results + result;
        let start = plane * self.correlation.result_pixels + self.first_row * row_step;
        for piece in &sums.pieces[vector.pieces.clone()] {
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
    vectors: &'a [Vector],
    /// Of all vectors of the phase.
    pieces: &'a [Piece],
    canvas: &'a [f32],
    /// Their places lie in the canvas and in the weights.
    terms: &'a [Term],
    weights: &'a [f32],
    target: &'a Target,
    /// Position of the first result in its block of weights.
    lane: usize,
    result: usize,
    count: usize,
    write: Write,
}
