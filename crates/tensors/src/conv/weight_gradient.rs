//! The gradient of a convolution for its weights: for each weight, the sum over images and pixels of an input pixel
//! times an output pixel's gradient.
//!
//! Input pixels stand in a canvas, where they lie next to each other for neighbouring output pixels, so that the sums
//! are products of vectors along the pixels, many weights at a time to use each vector several times.

mod split;

use std::ops::Range;

use rayon::prelude::*;

use super::Geometry;
use super::canvas::Canvas;
use super::forward::reach;
use super::lanes::{Kernel, Lanes, MOST_LANES, copy, run};
use super::parts::{Parts, sum_slices, with_scratch};
use super::{apart, pointwise, winograd};
use split::Split;

/// The gradient for the weights, given the one for the output: summed over images and pixels in a fixed order.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    if geometry.is_pointwise() && !pointwise::has_few_outputs(geometry) {
        return pointwise::weight_gradient(geometry, x, dy);
    }
    let size = geometry.groups * geometry.outputs * geometry.terms();
    if geometry.batch == 0 {
        return vec![0.0; size];
    }
    if apart::pays(geometry) {
        return apart::weight_gradient(geometry, x, dy);
    }
    if let Some(dw) = winograd::weight_gradient(geometry, x, dy) {
        return dw;
    }
    let canvas = Canvas::new(reach(geometry));
    let split = Split::new(geometry, &canvas);
    sum_slices(split.slices, size, |dw| {
        (0..split.slices * geometry.groups * split.blocks()).into_par_iter().for_each(|task| {
            let (rest, block) = (task / split.blocks(), task % split.blocks());
            let (slice, group) = (rest / geometry.groups, rest % geometry.groups);
            let task =
                Task { geometry, canvas: &canvas, split: &split, group, x, dy, dw, first: slice * size };
            task.run(slice, block);
        });
    })
}

#[derive(Clone, Copy)]
struct Task<'a> {
    geometry: &'a Geometry,
    canvas: &'a Canvas,
    split: &'a Split,
    group: usize,
    x: &'a [f32],
    dy: &'a [f32],
    dw: Parts,
    /// Where in `dw` the slice begins.
    first: usize,
}

impl Task<'_> {
    fn run(self, slice: usize, block: usize) {
        let Self { geometry, split, .. } = self;
        let part = |number: usize, size: usize, all: usize| number * size..((number + 1) * size).min(all);
        let channels = part(block / split.output_blocks, split.channels, geometry.inputs);
        let outputs = part(block % split.output_blocks, split.outputs, geometry.outputs);
        for unit in slice * split.units / split.slices..(slice + 1) * split.units / split.slices {
            let images = part(unit / split.bands, split.images, geometry.batch);
            let rows = part(unit % split.bands, split.rows, geometry.output.0);
            if rows.is_empty() || outputs.is_empty() {
                continue;
            }
            let unit =
                Unit { task: self, images, rows, channels: channels.clone(), outputs: outputs.clone() };
            let x_size = self.canvas.size(channels.len(), unit.images.len(), unit.rows.len());
            let dy_size = outputs.len() * unit.images.len() * (unit.rows.len() * (self.canvas.pitch + 16));
            with_scratch(x_size + dy_size, |scratch| {
                let (x, dy) = scratch.split_at_mut(x_size);
                run(UnitIn { unit, x, dy });
            });
        }
    }
}

/// Some channels, outputs, images and rows, which a task sums at once.
struct Unit<'a> {
    task: Task<'a>,
    images: Range<usize>,
    rows: Range<usize>,
    channels: Range<usize>,
    outputs: Range<usize>,
}

struct UnitIn<'a> {
    unit: Unit<'a>,
    x: &'a mut [f32],
    dy: &'a mut [f32],
}

/// The output pixels of a unit, cut into equally long runs of vectors.
struct Runs {
    starts: Vec<Start>,
    /// Pixels from the start of one image row to the next within a run; rows that are runs of their own have none.
    rows: usize,
    /// Vectors of a run.
    vectors: usize,
}

/// Where a run begins in the canvas, and in an output's gradients.
#[derive(Clone, Copy)]
struct Start {
    position: usize,
    gradient: usize,
}

/// What one weight sums: the weight's place among those of an output channel, the distance of the pixels in the canvas,
/// and the number of its tap.
#[derive(Clone, Copy)]
struct Term {
    weight: usize,
    offset: usize,
    tap: usize,
}

impl Kernel for UnitIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { unit, x, dy } = self;
        let canvas = unit.task.canvas;
        let runs = unit.runs::<L>();
        let terms = unit.terms();
        unit.fill_x::<L>(x);
        unit.fill_dy::<L>(&runs, dy);
        let sums = Sums {
            runs: &runs,
            read: &(0..canvas.taps().len()).map(|tap| unit.read(&runs, tap)).collect::<Vec<_>>(),
            x,
            dy,
            dy_size: runs.starts.len() * runs.vectors * L::WIDTH,
            terms: &terms,
        };
        let mut output = 0;
        while output < unit.outputs.len() {
            let count = (unit.outputs.len() - output).min(4);
            match count {
                1 => unit.outputs::<L, 1>(&sums, output, count),
                2 => unit.outputs::<L, 2>(&sums, output, count),
                _ => unit.outputs::<L, 4>(&sums, output, count),
            }
            output += count;
        }
    }
}

/// The arguments of the inner loops.
struct Sums<'a> {
    runs: &'a Runs,
    /// Of each tap, the runs in which it reads more than padding.
    read: &'a [Vec<Start>],
    x: &'a [f32],
    dy: &'a [f32],
    /// Floats of an output channel in `dy`.
    dy_size: usize,
    /// All weights of an output channel.
    terms: &'a [Term],
}

impl Unit<'_> {
    /// One run for each image, in which the gradients of the pixels between the rows are zero; or one for each row,
    /// where there are many such pixels and so a new run costs less.
    fn runs<L: Lanes>(&self) -> Runs {
        let canvas = self.task.canvas;
        let (rows, width) = (self.rows.len(), self.task.geometry.output.1);
        let (row, image) = (width.div_ceil(L::WIDTH), ((rows - 1) * canvas.pitch + width).div_ceil(L::WIDTH));
        let size = canvas.image_size(rows);
        let images = 0..self.images.len();
        let start = |vectors: usize| {
            move |(run, position): (usize, usize)| Start { position, gradient: run * vectors * L::WIDTH }
        };
        if rows * (row + 1) <= image {
            let positions =
                images.flat_map(|image| (0..rows).map(move |row| image * size + row * canvas.pitch));
            Runs { starts: positions.enumerate().map(start(row)).collect(), rows: 1, vectors: row }
        } else {
            let positions = images.map(|image| image * size);
            Runs { starts: positions.enumerate().map(start(image)).collect(), rows, vectors: image }
        }
    }

    /// All weights of an output channel: the taps of a channel next to each other, since they read the same pixels; but
    /// channel next to channel where each tap has pixels of its own.
    fn terms(&self) -> Vec<Term> {
        let Task { geometry, canvas, .. } = self.task;
        let (taps, channels) = (canvas.taps(), self.channels.len());
        let numbers: Vec<_> = (0..taps.len()).collect();
        let offsets = canvas.offsets(&numbers, channels, self.images.len(), self.rows.len());
        let term = |tap: usize, channel: usize| Term {
            weight: (self.channels.start + channel) * geometry.taps() + taps[tap].weight,
            offset: offsets[channel * taps.len() + tap],
            tap,
        };
        if canvas.is_sparse() {
            numbers.iter().flat_map(|&tap| (0..channels).map(move |channel| term(tap, channel))).collect()
        } else {
            (0..channels).flat_map(|channel| numbers.iter().map(move |&tap| term(tap, channel))).collect()
        }
    }

    /// The runs in which a tap reads more than padding: of rows that are runs of their own, some.
    fn read(&self, runs: &Runs, tap: usize) -> Vec<Start> {
        let width = self.task.geometry.output.1;
        let row = |run: usize| self.rows.start + run % self.rows.len();
        let canvas = self.task.canvas;
        let all = runs.rows > 1 || !canvas.is_sparse();
        let reads = |run: usize| all || canvas.reads(tap, (row(run), 0), width);
        let starts = runs.starts.iter().enumerate();
        starts.filter(|(run, _)| reads(*run)).map(|(_, start)| *start).collect()
    }

    /// Copies the input pixels to their canvas. All else in it is zero: padding, and what vectors touch behind the pixels
    /// of a channel and multiply by zero, so that it must not be infinite.
    #[inline(always)]
    fn fill_x<L: Lanes>(&self, x: &mut [f32]) {
        let Task { geometry, canvas, group, .. } = self.task;
        let (images, rows) = (self.images.len(), self.rows.len());
        let (channel_size, image_size) = (canvas.channel_size(images, rows), canvas.image_size(rows));
        let pixels = geometry.input_pixels();
        let (channels, slack) = x.split_at_mut(self.channels.len() * channel_size);
        slack.fill(0.0);
        channels.chunks_exact_mut(channel_size).for_each(|channel| channel[images * image_size..].fill(0.0));
        for (place, image) in self.images.clone().enumerate() {
            let source = &self.task.x[geometry.group_inputs(image, group)];
            for (at, channel) in self.channels.clone().enumerate() {
                let planes = &mut x[at * channel_size + place * image_size..][..image_size];
                // SAFETY: the instructions are there by the contract of `Kernel::run`.
                unsafe { canvas.fill::<L>(&source[channel * pixels..][..pixels], self.rows.clone(), planes) };
            }
        }
    }

    /// Copies the output pixels' gradients to their runs, with zeros between and behind them.
    #[inline(always)]
    fn fill_dy<L: Lanes>(&self, runs: &Runs, dy: &mut [f32]) {
        let Task { geometry, canvas, group, .. } = self.task;
        let (pixels, (_, width), rows) = (geometry.output_pixels(), geometry.output, self.rows.len());
        let run_size = runs.vectors * L::WIDTH;
        dy[..self.outputs.len() * runs.starts.len() * run_size].fill(0.0);
        let mut run = 0;
        for output in self.outputs.clone() {
            for image in self.images.clone() {
                let start =
                    geometry.group_outputs(image, group).start + output * pixels + self.rows.start * width;
                for row in 0..rows {
                    let to = (run + row / runs.rows) * run_size + row % runs.rows * canvas.pitch;
                    let source = &self.task.dy[start + row * width..][..width];
                    // SAFETY: the instructions are there by the contract of `Kernel::run`.
                    unsafe { copy::<L>(source, 1, &mut dy[to..to + width]) };
                }
                run += rows / runs.rows;
            }
        }
    }

    /// Sums all weights of `R` output channels, of which `count` exist.
    #[inline(always)]
    fn outputs<L: Lanes, const R: usize>(&self, sums: &Sums, output: usize, count: usize) {
        let mut term = 0;
        while term < sums.terms.len() {
            let left = sums.terms.len() - term;
            // SAFETY: the instructions are there by the contract of `Kernel::run`.
            term += unsafe {
                match left.min(L::SUMS / R) {
                    4.. => self.tile::<L, R, 6>(sums, output, count, term),
                    _ => self.tile::<L, R, 3>(sums, output, count, term),
                }
            };
        }
    }

    /// Sums `T` weights of `R` output channels, those that exist, and adds them to the gradient; returns `T`.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `L`.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const R: usize, const T: usize>(
        &self,
        sums: &Sums,
        output: usize,
        count: usize,
        term: usize,
    ) -> usize {
        let terms = &sums.terms[term..(term + T).min(sums.terms.len())];
        let (first, last) = (terms[0], terms[terms.len() - 1]);
        let mut offsets = [0; T];
        for (t, offset) in offsets.iter_mut().enumerate() {
            *offset = terms.get(t).unwrap_or(&last).offset;
        }
        let read = if first.tap == last.tap { &sums.read[first.tap] } else { &sums.runs.starts };
        let mut starts = [0; R];
        for (r, start) in starts.iter_mut().enumerate() {
            *start = (output + r.min(count - 1)) * sums.dy_size;
        }
        assert!((output + count) * sums.dy_size <= sums.dy.len());
        // SAFETY: the canvas has room for a vector at each position and offset, `dy` as asserted; no other task uses
        // these weights.
        unsafe {
            let mut totals = [[[0.0; MOST_LANES]; T]; R];
            products::<L, R, T>(sums, read, offsets, starts, &mut totals);
            for (r, totals) in totals.iter().enumerate().take(count) {
                let start = self.weights(output + r);
                for (total, term) in totals.iter().zip(terms) {
                    *self.task.dw.at(start + term.weight) += L::load(total.as_ptr()).sum();
                }
            }
        }
        T
    }

    /// Where in `dw` the weights of an output channel begin.
    fn weights(&self, output: usize) -> usize {
        let Task { geometry, group, first, .. } = self.task;
        first + geometry.group_weights(group).start + (self.outputs.start + output) * geometry.terms()
    }
}

/// For each of `R` rows of `dy` and `T` distances in `x`, the products of their pixels, summed in as many parts as a
/// vector has lanes.
///
/// # Safety
///
/// The processor must have the instructions of `L`; `x` must have vectors at all positions and offsets, `dy` `dy_size`
/// floats at all starts.
#[inline(always)]
unsafe fn products<L: Lanes, const R: usize, const T: usize>(
    sums: &Sums,
    read: &[Start],
    offsets: [usize; T],
    starts: [usize; R],
    results: &mut [[[f32; MOST_LANES]; T]; R],
) {
    // SAFETY: by contract.
    unsafe {
        let mut totals = [[L::splat(0.0); T]; R];
        for start in read {
            let mut x = sums.x.as_ptr().add(start.position);
            let mut dy = sums.dy.as_ptr().add(start.gradient);
            for _ in 0..sums.runs.vectors {
                let mut dys = [L::splat(0.0); R];
                for r in 0..R {
                    dys[r] = L::load(dy.add(starts[r]));
                }
                for t in 0..T {
                    let x = L::load(x.add(offsets[t]));
                    for r in 0..R {
                        totals[r][t] = x.mul_add(dys[r], totals[r][t]);
                    }
                }
                x = x.wrapping_add(L::WIDTH);
                dy = dy.wrapping_add(L::WIDTH);
            }
        }
        for r in 0..R {
            for t in 0..T {
                totals[r][t].store(results[r][t].as_mut_ptr());
            }
        }
    }
}
