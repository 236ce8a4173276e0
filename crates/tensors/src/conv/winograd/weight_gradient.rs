//! The gradient for the weights: sums over tiles of transformed inputs times transformed output gradients.

use std::ops::Range;

use rayon::prelude::*;

use super::{Grid, POINTS, Phase, pays, transform};
use crate::conv::Geometry;
use crate::conv::forward::reach;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::parts::{Parts, sum_written, with_scratch};
use crate::conv::vectors::Vectors;

/// Channels from which on transforms pay.
const LEAST_CHANNELS: usize = 32;
/// Input and output channels of a task.
const INPUTS: usize = 96;
const OUTPUTS: usize = 128;
/// Vectors of outputs in a product, and inputs: as many sums as fit the registers of AVX-512.
const COLUMNS: usize = 4;
const ROWS: usize = 6;
/// Tasks to make, at the cost of memory for their sums. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// The gradient for the weights, given the one for the output; None where the convolution has another form, or where
/// plain sums are as fast.
pub(in crate::conv) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Option<Vec<f32>> {
    let &Geometry { batch, groups, inputs, outputs, .. } = geometry;
    let reach = reach(geometry);
    let grid = Grid::of(&reach)?;
    let phases = grid.phases(&reach)?;
    if !pays(&phases, batch, (inputs, outputs), LEAST_CHANNELS) {
        return None;
    }
    let bands: Vec<_> = phases.iter().flat_map(bands).collect();
    let units: Vec<_> =
        (0..batch).flat_map(|image| bands.iter().map(move |band| Unit { image, band })).collect();
    let (channels, channel_parts) = even(inputs, INPUTS, ROWS);
    let (results, result_parts) = even(outputs, OUTPUTS, MOST_LANES);
    let parts = channel_parts * result_parts;
    let slices = TASKS.div_ceil(groups * parts).min(units.len());
    let size = groups * outputs * inputs * 9;
    let write = |dw: Parts| {
        (0..slices * groups * parts).into_par_iter().for_each(|task| {
            let (rest, part) = (task / parts, task % parts);
            let (slice, group) = (rest / groups, rest % groups);
            let range = |part: usize, size: usize, all: usize| part * size..((part + 1) * size).min(all);
            let task = Task {
                geometry,
                dilation: grid.dilation,
                units: &units[slice * units.len() / slices..(slice + 1) * units.len() / slices],
                group,
                inputs: range(part / result_parts, channels, inputs),
                outputs: range(part % result_parts, results, outputs),
                x,
                dy,
                dw,
                first: slice * size + group * (size / groups),
            };
            with_scratch(task.scratch(), |scratch| run(TaskIn { task, scratch }));
        });
    };
    // SAFETY: the tasks of a slice write the weights of all groups, inputs and outputs.
    Some(unsafe { sum_written(slices, size, write) })
}

/// The size and number of about equal parts of `all`, multiples of `step` and at most `most`.
fn even(all: usize, most: usize, step: usize) -> (usize, usize) {
    let size = all.div_ceil(all.div_ceil(most)).next_multiple_of(step);
    (size, all.div_ceil(size))
}

/// Some rows of tiles of a phase.
struct Band<'a> {
    phase: &'a Phase,
    rows: Range<usize>,
    vectors: Vectors,
}

fn bands(phase: &Phase) -> impl Iterator<Item = Band<'_>> {
    let count = phase.tiles.0.div_ceil(phase.rows());
    let bound = move |band: usize| band * phase.tiles.0 / count;
    (0..count).map(move |band| {
        let rows = bound(band)..bound(band + 1);
        Band { phase, vectors: phase.vectors(rows.len()), rows }
    })
}

struct Unit<'a> {
    image: usize,
    band: &'a Band<'a>,
}

/// Some inputs and outputs of a group, summed over some units.
struct Task<'a> {
    geometry: &'a Geometry,
    dilation: usize,
    units: &'a [Unit<'a>],
    group: usize,
    inputs: Range<usize>,
    outputs: Range<usize>,
    x: &'a [f32],
    dy: &'a [f32],
    dw: Parts,
    /// Where in `dw` the group's slice begins.
    first: usize,
}

struct TaskIn<'a> {
    task: Task<'a>,
    scratch: &'a mut [f32],
}

impl Task<'_> {
    /// Floats of a row of outputs: whole vectors on every processor.
    fn row(&self) -> usize {
        self.outputs.len().next_multiple_of(MOST_LANES)
    }

    /// Lanes of the unit with the most.
    fn lanes(&self) -> usize {
        let vectors = self.units.iter().map(|unit| unit.band.vectors.list.len());
        vectors.max().unwrap_or(0) * MOST_LANES
    }

    fn canvas(&self) -> usize {
        let size = |unit: &Unit| unit.band.phase.canvas.size(self.inputs.len(), 1, unit.band.rows.len());
        self.units.iter().map(size).max().unwrap_or(0).next_multiple_of(MOST_LANES)
    }

    /// Floats of one point of the inputs, an odd number of cache lines.
    fn input_point(&self) -> usize {
        ((self.inputs.len() * self.lanes() / MOST_LANES) | 1) * MOST_LANES
    }

    /// Floats of one point of the output gradients, an odd number of cache lines.
    fn gradient_point(&self) -> usize {
        ((self.lanes() * self.row() / MOST_LANES) | 1) * MOST_LANES
    }

    fn sums(&self) -> usize {
        POINTS * self.inputs.len().next_multiple_of(ROWS) * self.row()
    }

    fn scratch(&self) -> usize {
        let pixels = 4 * self.lanes() * self.row();
        self.canvas() + POINTS * (self.input_point() + self.gradient_point()) + pixels + self.sums()
    }
}

impl Kernel for TaskIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { task, scratch } = self;
        let (canvas, rest) = scratch.split_at_mut(task.canvas());
        let (inputs, rest) = rest.split_at_mut(POINTS * task.input_point());
        let (gradients, rest) = rest.split_at_mut(POINTS * task.gradient_point());
        let (pixels, sums) = rest.split_at_mut(4 * task.lanes() * task.row());
        sums.fill(0.0);
        for unit in task.units {
            task.gather(unit, pixels);
            // SAFETY: the instructions are there by the contract of `Kernel::run`; the slices have the sizes that the
            // task asked for.
            unsafe {
                task.transform_inputs::<L>(unit, canvas, inputs);
                task.transform_gradients::<L>(unit, pixels, gradients);
                task.multiply::<L>(unit, inputs, gradients, sums);
            }
        }
        task.finish(sums);
    }
}

impl Task<'_> {
    /// Copies the output pixels' gradients to (pixel of the tile, lane, output), zeros where there is no pixel.
    #[inline(always)]
    fn gather(&self, unit: &Unit, pixels: &mut [f32]) {
        let &Geometry { output, .. } = self.geometry;
        let Band { phase, rows, vectors } = unit.band;
        let (row, d, plane) = (self.row(), self.dilation, self.geometry.output_pixels());
        let lanes = vectors.list.len() * crate::conv::lanes::width();
        pixels[..4 * lanes * row].fill(0.0);
        let images = &self.dy[self.geometry.group_outputs(unit.image, self.group)];
        for (number, vector) in vectors.list.iter().enumerate() {
            for piece in &vectors.pieces[vector.pieces.clone()] {
                let tile = (rows.start + piece.offset / phase.tiles.1, piece.offset % phase.tiles.1);
                let lane = number * (lanes / vectors.list.len()) + piece.first;
                for pixel in 0..4 {
                    let at = (2 * tile.0 + pixel / 2, 2 * tile.1 + pixel % 2);
                    if at.0 >= phase.size.0 || at.1 >= phase.size.1 {
                        continue;
                    }
                    let count = piece.count.min((phase.size.1 - at.1).div_ceil(2));
                    let from = (phase.start.0 + at.0 * d) * output.1 + phase.start.1 + at.1 * d;
                    let to = &mut pixels[(pixel * lanes + lane) * row..][..count * row];
                    transpose(
                        &images[self.outputs.start * plane + from..],
                        plane,
                        2 * d,
                        to,
                        row,
                        self.outputs.len(),
                    );
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn transform_inputs<L: Lanes>(&self, unit: &Unit, canvas: &mut [f32], inputs: &mut [f32]) {
        let Band { phase, rows, vectors } = unit.band;
        let layout = &phase.canvas;
        let (image_size, channel_size) = (layout.image_size(rows.len()), layout.channel_size(1, rows.len()));
        let offsets = layout.offsets(&std::array::from_fn::<_, POINTS, _>(|point| point), 1, 1, rows.len());
        let pixels = self.geometry.input_pixels();
        let images = &self.x[self.geometry.group_inputs(unit.image, self.group)];
        let (point, lanes) = (self.input_point(), vectors.list.len() * L::WIDTH);
        for (place, channel) in self.inputs.clone().enumerate() {
            let (planes, gap) = canvas[place * channel_size..][..channel_size].split_at_mut(image_size);
            gap.fill(0.0); // vectors touch it and multiply it by zero
            // SAFETY: by contract.
            unsafe { layout.fill::<L>(&images[channel * pixels..][..pixels], rows.clone(), planes) };
        }
        canvas[self.inputs.len() * channel_size..].fill(0.0);
        for place in 0..self.inputs.len() {
            for (number, vector) in vectors.list.iter().enumerate() {
                // SAFETY: a canvas has room for a vector at each position and offset, `inputs` for each point,
                // channel and vector.
                unsafe {
                    let from = canvas.as_ptr().add(place * channel_size + vector.position);
                    let mut tile = [L::splat(0.0); POINTS];
                    for (value, offset) in tile.iter_mut().zip(&offsets) {
                        *value = L::load(from.add(*offset));
                    }
                    let to = inputs.as_mut_ptr().add(place * lanes + number * L::WIDTH);
                    for (index, value) in transform::input(&tile).into_iter().enumerate() {
                        value.store(to.add(index * point));
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn transform_gradients<L: Lanes>(&self, unit: &Unit, pixels: &[f32], gradients: &mut [f32]) {
        let (row, point) = (self.row(), self.gradient_point());
        let size = unit.band.vectors.list.len() * L::WIDTH * row;
        assert!(4 * size <= pixels.len() && size <= point);
        for at in (0..size).step_by(L::WIDTH) {
            // SAFETY: inside the slices by the assertion.
            unsafe {
                let from = pixels.as_ptr().add(at);
                let tile = [0, 1, 2, 3].map(|pixel| L::load(from.add(pixel * size)));
                let to = gradients.as_mut_ptr().add(at);
                for (index, value) in transform::gradient(tile).into_iter().enumerate() {
                    value.store(to.add(index * point));
                }
            }
        }
    }

    /// Adds the products of a unit, summed over its lanes, for each point, input and output.
    #[inline(always)]
    unsafe fn multiply<L: Lanes>(&self, unit: &Unit, inputs: &[f32], gradients: &[f32], sums: &mut [f32]) {
        let (row, lanes) = (self.row(), unit.band.vectors.list.len() * L::WIDTH);
        let rows = self.inputs.len();
        for point in 0..POINTS {
            let inputs = &inputs[point * self.input_point()..][..rows * lanes];
            let gradients = &gradients[point * self.gradient_point()..][..lanes * row];
            let sums =
                &mut sums[point * rows.next_multiple_of(ROWS) * row..][..rows.next_multiple_of(ROWS) * row];
            let mut column = 0;
            while column < row {
                // SAFETY: by contract.
                column += unsafe {
                    match (L::SUMS / ROWS, (row - column) / L::WIDTH) {
                        (COLUMNS.., COLUMNS..) => {
                            columns::<L, COLUMNS>(inputs, gradients, sums, lanes, row, column)
                        }
                        (_, 2..) => columns::<L, 2>(inputs, gradients, sums, lanes, row, column),
                        _ => columns::<L, 1>(inputs, gradients, sums, lanes, row, column),
                    }
                };
            }
        }
    }

    /// Transforms the sums to weights and writes them.
    #[inline(always)]
    fn finish(&self, sums: &[f32]) {
        let row = self.row();
        let point = sums.len() / POINTS;
        for first in (0..self.outputs.len()).step_by(MOST_LANES) {
            let lanes = MOST_LANES.min(self.outputs.len() - first);
            for (place, input) in self.inputs.clone().enumerate() {
                let mut products = [[0.0; MOST_LANES]; POINTS];
                for (index, products) in products.iter_mut().enumerate() {
                    let from = index * point + place * row + first;
                    products.copy_from_slice(&sums[from..from + MOST_LANES]);
                }
                let kernels = transform::kernel_gradient(&products);
                for lane in 0..lanes {
                    let output = self.outputs.start + first + lane;
                    let start = self.first + (output * self.geometry.inputs + input) * 9;
                    // SAFETY: no other task uses these weights.
                    let weights = unsafe { self.dw.uninit(start, 9) };
                    for (weight, values) in weights.iter_mut().zip(&kernels) {
                        weight.write(values[lane]);
                    }
                }
            }
        }
    }
}

/// Copies to each of the rows of `to`, `row` floats apart, a pixel of each of `planes` planes; pixels are `step` apart.
#[inline(always)]
fn transpose(from: &[f32], plane: usize, step: usize, to: &mut [f32], row: usize, planes: usize) {
    const SIDE: usize = 16;
    let pixels = to.len() / row;
    for first in (0..planes).step_by(SIDE) {
        let block = first..(first + SIDE).min(planes);
        for pixel in 0..pixels {
            let target = &mut to[pixel * row..][..row];
            for number in block.clone() {
                target[number] = from[number * plane + pixel * step];
            }
        }
    }
}

/// The sums of `V` vectors of outputs for all inputs; returns the floats done.
#[inline(always)]
unsafe fn columns<L: Lanes, const V: usize>(
    inputs: &[f32],
    gradients: &[f32],
    sums: &mut [f32],
    lanes: usize,
    row: usize,
    column: usize,
) -> usize {
    let count = inputs.len() / lanes;
    for first in (0..count).step_by(ROWS) {
        let mut rows = [&inputs[..0]; ROWS];
        for (place, slice) in rows.iter_mut().enumerate() {
            // Sums for rows that do not exist repeat the last one and are not read.
            *slice = &inputs[(first + place).min(count - 1) * lanes..][..lanes];
        }
        let sums = &mut sums[first * row..][..ROWS * row];
        assert!(gradients.len() >= lanes * row && column + V * L::WIDTH <= row);
        // SAFETY: inside the slices by their lengths and the assertion.
        unsafe {
            let mut totals = [[L::splat(0.0); V]; ROWS];
            let mut from = gradients.as_ptr().add(column);
            for lane in 0..lanes {
                let mut gs = [L::splat(0.0); V];
                for (v, g) in gs.iter_mut().enumerate() {
                    *g = L::load(from.add(v * L::WIDTH));
                }
                for (row, totals) in rows.iter().zip(&mut totals) {
                    let x = L::splat(*row.get_unchecked(lane));
                    for v in 0..V {
                        totals[v] = x.mul_add(gs[v], totals[v]);
                    }
                }
                from = from.wrapping_add(row);
            }
            for (r, totals) in totals.iter().enumerate() {
                for (v, total) in totals.iter().enumerate() {
                    let to = sums.as_mut_ptr().add(r * row + column + v * L::WIDTH);
                    total.add(L::load(to)).store(to);
                }
            }
        }
    }
    V * L::WIDTH
}
