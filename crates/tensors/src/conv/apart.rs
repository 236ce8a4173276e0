//! Convolutions whose taps lie far apart: for each tap a product of matrices, over the pixels at which it reads more than
//! padding.
//!
//! Under a tap, neighbouring results read neighbouring source pixels, so that rows of full width are a matrix as they
//! lie in memory. Taps beside the middle read fewer columns; source and results then are copied to rows of that width,
//! once for all taps of a column of the kernel.

mod columns;
mod planes;
mod taps;

use std::ops::Range;

use rayon::prelude::*;

use super::matrix::{Matrix, product};
use super::parts::{Parts, Write, filled, with_scratch};
use super::portions::Portions;
use super::{Geometry, winograd};
use columns::{Column, columns};
use planes::Planes;
use taps::{Matrices, join_taps};

/// Smallest distance of taps, in pixels.
const LEAST_DILATION: usize = 3;
/// Fewest channels on either side.
const LEAST_CHANNELS: usize = 64;
/// Minimal filtering is preferred where this has so many times its products: it must make good for its transforms.
const PREFERENCE: f64 = 1.5;
/// Fewest result channels and pixels of a task, since each packs the other side for itself.
const RESULTS: usize = 256;
const PIXELS: usize = 256;
/// Most input and output channels of a task of the weight gradient.
const BLOCK: usize = 512;
/// Tasks to make, if they do not become too small. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 8;

/// Whether this is the way to go.
pub(super) fn pays(geometry: &Geometry) -> bool {
    let &Geometry { inputs, outputs, stride, dilation, .. } = geometry;
    stride == 1
        && dilation >= LEAST_DILATION
        && geometry.taps() > 1
        && inputs.min(outputs) >= LEAST_CHANNELS
        && winograd::products(geometry).is_none_or(|least| products(geometry) < PREFERENCE * least)
}

/// Products for each pair of channels.
fn products(geometry: &Geometry) -> f64 {
    let columns = columns(geometry, |shift| shift, geometry.input, geometry.output);
    let rows = |column: &Column| column.taps.iter().map(|tap| tap.rows.len()).sum::<usize>();
    let products: usize = columns.iter().map(|column| column.results.len() * rows(column)).sum();
    (geometry.batch * products) as f64
}

/// The output of a convolution.
pub(super) fn forward(geometry: &Geometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let &Geometry { groups, inputs, outputs, input, output, .. } = geometry;
    let columns = columns(geometry, |shift| shift, input, output);
    let weights = Matrices::of(weight, geometry.taps(), &taps(&columns));
    let sums = Sums {
        units: geometry.batch * groups,
        channels: inputs,
        results: outputs,
        source: input,
        size: output,
    };
    let first = |unit: usize, result: usize| bias.map_or(0.0, |bias| bias[unit % groups * outputs + result]);
    sums.run(x, &columns, first, |tap, unit, part| {
        let row = unit % groups * outputs + part.start;
        Matrix::new(&weights.tap(tap)[row * inputs..], part.len(), inputs, inputs)
    })
}

/// The gradient of a convolution for its input.
pub(super) fn input_gradient(geometry: &Geometry, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let &Geometry { groups, inputs, outputs, input, output, .. } = geometry;
    let columns = columns(geometry, |shift| -shift, output, input);
    let weights = Matrices::of(weight, geometry.taps(), &taps(&columns));
    let sums = Sums {
        units: geometry.batch * groups,
        channels: outputs,
        results: inputs,
        source: output,
        size: input,
    };
    sums.run(
        dy,
        &columns,
        |_, _| 0.0,
        |tap, unit, part| {
            let row = unit % groups * outputs;
            Matrix::new(&weights.tap(tap)[row * inputs + part.start..], outputs, part.len(), inputs)
                .transposed()
        },
    )
}

/// The gradient of a convolution for its weights.
pub(super) fn weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let &Geometry { batch, groups, inputs, outputs, input, output, .. } = geometry;
    let columns = columns(geometry, |shift| shift, input, output);
    let planes = |column: &Column| {
        (
            Planes::of(x, inputs, input, column.source()),
            Planes::of(dy, outputs, output, column.results.clone()),
        )
    };
    let planes: Vec<_> = columns.iter().map(planes).collect();
    let mut work = Vec::new();
    for (column, planes) in columns.iter().zip(&planes) {
        work.extend(column.taps.iter().map(|tap| (planes, tap)));
    }
    let (rows, blocks) = (Portions::up_to(outputs, BLOCK), Portions::up_to(inputs, BLOCK));
    let size = groups * outputs * inputs;
    let write = |dw: Parts| {
        (0..work.len() * groups * rows.count * blocks.count).into_par_iter().for_each(|task| {
            let (rest, block) = (task / blocks.count, blocks.range(task % blocks.count));
            let (rest, row) = (rest / rows.count, rows.range(rest % rows.count));
            let (number, group) = (rest / groups, rest % groups);
            let target = dw.at(number * size + (group * outputs + row.start) * inputs + block.start);
            let ((x, dy), tap) = work[number];
            for image in 0..batch {
                let write = if image == 0 { Write::Replace } else { Write::Add };
                let unit = image * groups + group;
                let x = x.matrix(unit, block.clone(), tap.source());
                let dy = dy.matrix(unit, row.clone(), tap.rows.clone());
                // SAFETY: each task has its own block of its group's matrix of its tap.
                unsafe { product(target, inputs, write, dy, x.transposed()) };
            }
        });
    };
    // SAFETY: the tasks write all matrices.
    let matrices = unsafe { filled(work.len() * size, write) };
    join_taps(&matrices, &taps(&columns), geometry.taps(), size)
}

/// The taps of all columns.
fn taps(columns: &[Column]) -> Vec<usize> {
    columns.iter().flat_map(|column| column.taps.iter().map(|tap| tap.weight)).collect()
}

/// Sums of source pixels under taps: of each unit, an image's group, source channels to result channels.
struct Sums {
    units: usize,
    channels: usize,
    results: usize,
    /// Rows and columns of a source plane.
    source: (usize, usize),
    /// Rows and columns of a result plane.
    size: (usize, usize),
}

impl Sums {
    /// The results: `first` of unit and channel, and for each tap the product of `weights` of tap, unit and result
    /// channels with the source.
    fn run<'w>(
        &self,
        source: &[f32],
        columns: &[Column],
        first: impl Fn(usize, usize) -> f32 + Sync,
        weights: impl Fn(usize, usize, &Range<usize>) -> Matrix<'w> + Sync,
    ) -> Vec<f32> {
        let pixels = self.size.0 * self.size.1;
        let planes = |column: &Column| Planes::of(source, self.channels, self.source, column.source());
        let planes: Vec<_> = columns.iter().map(planes).collect();
        let parts = Portions::wanted(self.results, TASKS.div_ceil(self.units.max(1)), RESULTS);
        let wanted = TASKS.div_ceil(self.units.max(1) * parts.count);
        let bands = Portions::wanted(self.size.0, wanted.min(pixels / PIXELS), 1);
        let write = |y: Parts| {
            (0..self.units * bands.count * parts.count).into_par_iter().for_each(|task| {
                let (rest, part) = (task / parts.count, parts.range(task % parts.count));
                let (unit, rows) = (rest / bands.count, bands.range(rest % bands.count));
                let tile = Tile { sums: self, unit, part, rows, y };
                tile.start(&first);
                for (column, planes) in columns.iter().zip(&planes) {
                    tile.add(column, planes, |tap| weights(tap, unit, &tile.part));
                }
            });
        };
        // SAFETY: the tiles are all pixels of all result channels, and each is written from the start.
        unsafe { filled(self.units * self.results * pixels, write) }
    }
}

/// Some rows of some result channels of a unit.
struct Tile<'a> {
    sums: &'a Sums,
    unit: usize,
    part: Range<usize>,
    rows: Range<usize>,
    y: Parts,
}

impl Tile<'_> {
    /// Where in `y` the rows of the tile's channel of this number begin.
    fn at(&self, number: usize) -> usize {
        let (height, width) = self.sums.size;
        ((self.unit * self.sums.results + self.part.start + number) * height + self.rows.start) * width
    }

    fn start(&self, first: impl Fn(usize, usize) -> f32) {
        for (number, result) in self.part.clone().enumerate() {
            // SAFETY: no other task has these pixels; they are written before they are read.
            let rows = unsafe { self.y.uninit(self.at(number), self.rows.len() * self.sums.size.1) };
            let first = first(self.unit, result);
            rows.iter_mut().for_each(|value| {
                value.write(first);
            });
        }
    }

    /// Adds the taps of a column of the kernel.
    fn add<'w>(&self, column: &Column, planes: &Planes, weights: impl Fn(usize) -> Matrix<'w>) {
        let (height, width) = self.sums.size;
        if column.results.len() == width {
            // SAFETY: no other task has these pixels, which hold values from the start.
            return unsafe { self.products(self.y.at(self.at(0)), height * width, column, planes, weights) };
        }
        let row = column.results.len();
        let size = self.rows.len() * row;
        with_scratch(self.part.len() * size, |scratch| {
            scratch.fill(0.0);
            // SAFETY: the scratch memory has these rows.
            unsafe { self.products(scratch.as_mut_ptr(), size, column, planes, weights) };
            for (number, sums) in scratch.chunks_exact(size.max(1)).enumerate() {
                // SAFETY: no other task has these pixels, which hold values from the start.
                let rows = unsafe { self.y.slice(self.at(number), self.rows.len() * width) };
                for (row, sums) in rows.chunks_exact_mut(width).zip(sums.chunks_exact(row)) {
                    row[column.results.clone()].iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
                }
            }
        });
    }

    /// Adds the products of the taps of a column to `target`, whose channels begin `stride` floats apart.
    ///
    /// # Safety
    ///
    /// `target` must hold the values of the tile's rows of its channels, in rows of the column's width, for this task alone.
    unsafe fn products<'w>(
        &self,
        target: *mut f32,
        stride: usize,
        column: &Column,
        planes: &Planes,
        weights: impl Fn(usize) -> Matrix<'w>,
    ) {
        for tap in &column.taps {
            let Some(tap) = tap.within(&self.rows) else { continue };
            let source = planes.matrix(self.unit, 0..self.sums.channels, tap.source());
            let skipped = (tap.rows.start - self.rows.start) * column.results.len();
            // SAFETY: by contract.
            unsafe { product(target.add(skipped), stride, Write::Add, weights(tap.weight), source) };
        }
    }
}
