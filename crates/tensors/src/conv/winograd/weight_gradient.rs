//! The gradient for the weights: sums over tiles of transformed inputs times transformed output gradients.

use rayon::prelude::*;

use super::bands::{self, Band};
use super::filter::{Filter, Four, Neighbours, Two};
use super::kernel_sums::{Blocks, Operands, add_products, finish, gather, transform_gradients};
use super::{Grid, POINTS, at_once, transform};
use crate::conv::Geometry;
use crate::conv::canvas::AHEAD;
use crate::conv::forward::reach;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::parts::{Parts, sum_written, with_scratch};

/// Channels from which on transforms pay.
const LEAST_CHANNELS: usize = 32;
/// Tasks to make, at the cost of memory for their sums. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// The gradient for the weights, given the one for the output; None where the convolution has another form, or where
/// plain sums are as fast.
pub(in crate::conv) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Option<Vec<f32>> {
    let &Geometry { batch, groups, inputs, outputs, .. } = geometry;
    let reach = reach(geometry);
    let grid = Grid::of(&reach)?;
    let sizes = (inputs, outputs);
    let phases = grid.phases(&reach, Four::SIDE);
    if at_once::sums_pay(Four, &phases, batch, groups, sizes) {
        return Some(at_once::weight_gradient(Four, geometry, phases, x, dy));
    }
    let phases = grid.phases(&reach, Two::SIDE);
    if at_once::sums_pay(Two, &phases, batch, groups, sizes) {
        return Some(at_once::weight_gradient(Two, geometry, phases, x, dy));
    }
    if !bands::pay(&phases, batch, sizes, LEAST_CHANNELS) {
        return None;
    }
    let bands: Vec<_> = phases.iter().flat_map(|phase| Band::all(phase, bands::rows(phase))).collect();
    let units: Vec<_> =
        (0..batch).flat_map(|image| bands.iter().map(move |band| Unit { image, band })).collect();
    let blocks = Blocks::new(geometry);
    let slices = TASKS.div_ceil(groups * blocks.count()).min(units.len());
    let size = groups * outputs * inputs * 9;
    let write = |dw: Parts| {
        (0..slices * groups * blocks.count()).into_par_iter().for_each(|task| {
            let (rest, block) = (task / blocks.count(), task % blocks.count());
            let (slice, group) = (rest / groups, rest % groups);
            let units = &units[slice * units.len() / slices..(slice + 1) * units.len() / slices];
            let first = slice * size + group * (size / groups);
            let task = Task { geometry, units, group, blocks, block, x, dy, dw, first };
            with_scratch(task.scratch(), |scratch| run(TaskIn { task, scratch }));
        });
    };
    // SAFETY: the tasks of a slice write the weights of all groups, inputs and outputs.
    Some(unsafe { sum_written(slices, size, write) })
}

struct Unit<'a> {
    image: usize,
    band: &'a Band<'a>,
}

/// A block of a group's weights, summed over some units.
struct Task<'a> {
    geometry: &'a Geometry,
    units: &'a [Unit<'a>],
    group: usize,
    blocks: Blocks,
    block: usize,
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
    fn inputs(&self) -> std::ops::Range<usize> {
        self.blocks.inputs(self.block)
    }

    fn outputs(&self) -> std::ops::Range<usize> {
        self.blocks.outputs(self.block % self.blocks.output_count())
    }

    /// Lanes of the unit with the most.
    fn lanes(&self) -> usize {
        let vectors = self.units.iter().map(|unit| unit.band.vectors.list.len());
        vectors.max().unwrap_or(0) * MOST_LANES
    }

    fn canvas(&self) -> usize {
        let size = |unit: &Unit| unit.band.phase.canvas.size(self.inputs().len(), 1, unit.band.rows.len());
        self.units.iter().map(size).max().unwrap_or(0).next_multiple_of(MOST_LANES)
    }

    /// Floats of one point of the inputs, an odd number of cache lines.
    fn input_point(&self) -> usize {
        ((self.inputs().len() * self.lanes() / MOST_LANES) | 1) * MOST_LANES
    }

    /// Floats of one point of the output gradients, an odd number of cache lines.
    fn gradient_point(&self) -> usize {
        ((self.lanes() * self.blocks.row() / MOST_LANES) | 1) * MOST_LANES
    }

    fn scratch(&self) -> usize {
        let pixels = 4 * self.lanes() * self.blocks.row();
        self.canvas()
            + POINTS * (self.input_point() + self.gradient_point())
            + pixels
            + self.blocks.sums::<Two>()
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
        let (pixels, sums) = rest.split_at_mut(4 * task.lanes() * task.blocks.row());
        sums.fill(0.0);
        for unit in task.units {
            let lanes = unit.band.vectors.list.len() * L::WIDTH;
            let pixels = &mut pixels[..4 * lanes * task.blocks.row()];
            task.gather::<L>(unit, pixels);
            // SAFETY: the instructions are there by the contract of `Kernel::run`; the slices have the sizes that the
            // task asked for.
            unsafe {
                task.transform_inputs::<L>(unit, canvas, inputs);
                transform_gradients::<L, Two>(pixels, gradients, task.gradient_point());
                task.multiply::<L>(lanes, inputs, gradients, sums);
            }
        }
        let (block, sums) = ((task.inputs(), task.outputs()), (&*sums, task.blocks.row()));
        // SAFETY: as above; this task alone has the block.
        unsafe { finish::<L, Two>(task.geometry, block, sums, task.dw, task.first) };
    }
}

impl Task<'_> {
    /// Copies the output pixels' gradients to (pixel of the tile, lane, output), zeros where there is no pixel.
    #[inline(always)]
    fn gather<L: Lanes>(&self, unit: &Unit, pixels: &mut [f32]) {
        let Band { phase, rows, vectors } = unit.band;
        let (row, plane, outputs) = (self.blocks.row(), self.geometry.output_pixels(), self.outputs());
        let lanes = vectors.list.len() * L::WIDTH;
        pixels.fill(0.0);
        let images = &self.dy[self.geometry.group_outputs(unit.image, self.group)];
        let planes = (&images[outputs.start * plane..], plane, outputs.len());
        for (number, vector) in vectors.list.iter().enumerate() {
            for piece in &vectors.pieces[vector.pieces.clone()] {
                let lane = number * L::WIDTH + piece.first;
                let tile = (rows.start + piece.row, piece.column);
                gather::<Two>(phase, tile, planes, (pixels, lanes, row), lane..lane + piece.count);
            }
        }
    }

    #[inline(always)]
    unsafe fn transform_inputs<L: Lanes>(&self, unit: &Unit, canvas: &mut [f32], inputs: &mut [f32]) {
        let Band { phase, rows, vectors } = unit.band;
        let layout = &phase.canvas;
        let (image_size, channel_size) = (layout.image_size(rows.len()), layout.channel_size(1, rows.len()));
        let offsets = layout.all_offsets(rows.len());
        let pixels = self.geometry.input_pixels();
        let images = &self.x[self.geometry.group_inputs(unit.image, self.group)];
        let (point, lanes) = (self.input_point(), vectors.list.len() * L::WIDTH);
        let image = |channel: usize| &images[channel * pixels..][..pixels];
        for (place, channel) in self.inputs().enumerate() {
            let (planes, gap) = canvas[place * channel_size..][..channel_size].split_at_mut(image_size);
            gap.fill(0.0); // vectors touch it and multiply it by zero
            if self.inputs().contains(&(channel + AHEAD)) {
                layout.fetch(image(channel + AHEAD), rows);
            }
            // SAFETY: by contract.
            unsafe { layout.fill::<L>(image(channel), rows.clone(), planes) };
        }
        canvas[self.inputs().len() * channel_size..].fill(0.0);
        for place in 0..self.inputs().len() {
            for (number, vector) in vectors.list.iter().enumerate() {
                // SAFETY: a canvas has room for a vector at each position and offset, `inputs` for each point,
                // channel and vector.
                unsafe {
                    let first = canvas.as_ptr().add(place * channel_size + vector.position);
                    let to = inputs.as_mut_ptr().add(place * lanes + number * L::WIDTH);
                    transform::tiles::<L>(Neighbours { first, offsets: &offsets }, to, point);
                }
            }
        }
    }

    /// Adds the products of a unit's lanes.
    #[inline(always)]
    unsafe fn multiply<L: Lanes>(&self, lanes: usize, inputs: &[f32], gradients: &[f32], sums: &mut [f32]) {
        for point in 0..POINTS {
            let operands = Operands {
                inputs: &inputs[point * self.input_point()..],
                stride: lanes,
                gradients: &gradients[point * self.gradient_point()..],
                row: self.blocks.row(),
                lanes,
            };
            // SAFETY: by contract.
            unsafe { add_products::<L, Two>(operands, self.inputs().len(), point, sums) };
        }
    }
}
