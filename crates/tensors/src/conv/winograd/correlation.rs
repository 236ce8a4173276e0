//! The forward pass and the gradient for the input.

use std::ops::Range;

use rayon::prelude::*;

use super::weights::Transformed;
use super::{Grid, POINTS, Phase, pays, transform};
use crate::conv::correlation::Correlation;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::packing::BLOCK;
use crate::conv::parts::{Parts, Write, with_scratch};
use crate::conv::vectors::{Piece, Vector, Vectors};

/// Channels from which on transforms pay.
const LEAST_CHANNELS: usize = 20;
/// Channels that are transformed at once.
const CHANNELS: usize = 128;
/// Vectors of a product that share the weights in registers.
const PANEL: usize = 3;
/// Vectors of tiles that are transformed and multiplied at once, if the canvas holds all channels.
const GROUP: usize = 6;
/// Most floats in a canvas that holds all channels.
const CANVAS: usize = 1 << 18;
/// Tasks to make, if they do not become too small. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// A correlation with a 3x3 kernel as 16 products of matrices.
pub(in crate::conv) struct Winograd<'a> {
    correlation: &'a Correlation<'a>,
    dilation: usize,
    phases: Vec<Phase>,
    weights: Transformed,
}

impl<'a> Winograd<'a> {
    /// None where the correlation has another form, or where plain sums are as fast.
    pub(in crate::conv) fn new(correlation: &'a Correlation<'a>) -> Option<Self> {
        let &Correlation { batch, groups, channels, results, ref reach, ref targets, .. } = correlation;
        let grid = Grid::of(reach)?;
        let phases = grid.phases(reach)?;
        let whole = targets.len() == 1 && targets[0].size == reach.results;
        if !whole || !pays(&phases, batch, (channels, results), LEAST_CHANNELS) {
            return None;
        }
        let weights = Transformed::new(&correlation.weights, &grid.weights, groups, results, channels);
        Some(Self { correlation, dilation: grid.dilation, phases, weights })
    }

    /// Writes all results.
    pub(in crate::conv) fn run(self, source: &[f32], y: Parts) {
        let Correlation { batch, groups, results, .. } = *self.correlation;
        let units = batch * groups;
        let bands = |phase| Band::all(phase, self.rows(phase, units));
        let bands: Vec<_> = self.phases.iter().flat_map(bands).collect();
        let layouts: Vec<_> = bands.iter().map(|band| band.phase.vectors(band.rows.len())).collect();
        let parts = TASKS.div_ceil(units * bands.len()).min(results.div_ceil(64));
        let size = results.div_ceil(parts).next_multiple_of(BLOCK);
        let parts = results.div_ceil(size);
        (0..units * bands.len() * parts).into_par_iter().for_each(|task| {
            let (rest, part) = (task / parts, task % parts);
            let (unit, band) = (rest / bands.len(), rest % bands.len());
            let results = part * size..((part + 1) * size).min(results);
            let task = Task {
                winograd: &self,
                band: &bands[band],
                vectors: &layouts[band],
                unit,
                results,
                source,
                y,
            };
            with_scratch(task.scratch(), |scratch| run(TaskIn { task, scratch }));
        });
    }

    /// Rows of tiles of a task: more where the canvas is filled once for all of them.
    fn rows(&self, phase: &Phase, units: usize) -> usize {
        let channels = self.correlation.channels;
        if channels > CHANNELS {
            return phase.rows();
        }
        let most = (CANVAS / (channels * phase.canvas.image_size(0).max(1))).saturating_sub(1);
        most.min((phase.tiles.0 * units).div_ceil(TASKS)).max(phase.rows())
    }
}

/// Some rows of tiles of a phase.
struct Band<'a> {
    phase: &'a Phase,
    rows: Range<usize>,
}

impl<'a> Band<'a> {
    fn all(phase: &'a Phase, rows: usize) -> impl Iterator<Item = Self> {
        let bands = phase.tiles.0.div_ceil(rows);
        let bound = move |band: usize| band * phase.tiles.0 / bands;
        (0..bands).map(move |band| Self { phase, rows: bound(band)..bound(band + 1) })
    }
}

/// Some results of one band of one image and group.
struct Task<'a> {
    winograd: &'a Winograd<'a>,
    band: &'a Band<'a>,
    vectors: &'a Vectors,
    unit: usize,
    results: Range<usize>,
    source: &'a [f32],
    y: Parts,
}

struct TaskIn<'a> {
    task: Task<'a>,
    scratch: &'a mut [f32],
}

impl Task<'_> {
    fn channels(&self) -> usize {
        self.winograd.correlation.channels.min(CHANNELS)
    }

    fn canvas(&self) -> usize {
        self.band.phase.canvas.size(self.channels(), 1, self.band.rows.len()).next_multiple_of(MOST_LANES)
    }

    /// Vectors that are worked on at once: all where the channels do not fit a canvas.
    fn group(&self) -> usize {
        let all = self.vectors.list.len();
        if self.winograd.correlation.channels > CHANNELS { all } else { all.min(GROUP) }
    }

    /// Floats of one point's transformed inputs, an odd number of cache lines.
    fn point(&self) -> usize {
        ((self.channels() * self.group()) | 1) * MOST_LANES
    }

    fn blocks(&self) -> usize {
        self.results.len().div_ceil(BLOCK)
    }

    fn scratch(&self) -> usize {
        let products = self.blocks() * self.group() * POINTS * BLOCK * MOST_LANES;
        self.canvas() + POINTS * self.point() + products
    }
}

impl Kernel for TaskIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { task, scratch } = self;
        let (canvas, rest) = scratch.split_at_mut(task.canvas());
        let (inputs, products) = rest.split_at_mut(POINTS * task.point());
        let all = task.winograd.correlation.channels;
        for (number, vectors) in task.vectors.list.chunks(task.group()).enumerate() {
            for first in (0..all).step_by(CHANNELS) {
                let channels = first..(first + CHANNELS).min(all);
                if number == 0 || all > CHANNELS {
                    task.fill::<L>(canvas, channels.clone());
                }
                // SAFETY: the instructions are there by the contract of `Kernel::run`; the slices have the sizes that
                // the task asked for.
                unsafe {
                    task.transform::<L>(vectors, canvas, inputs, channels.len());
                    task.multiply::<L>(vectors.len(), inputs, products, channels);
                }
            }
            // SAFETY: as above; this task alone writes these results' pixels.
            unsafe { task.finish::<L>(vectors, products) };
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn fill<L: Lanes>(&self, canvas: &mut [f32], channels: Range<usize>) {
        let Correlation { channels: all, ref reach, .. } = *self.winograd.correlation;
        let (layout, rows) = (&self.band.phase.canvas, &self.band.rows);
        let (image_size, channel_size) = (layout.image_size(rows.len()), layout.channel_size(1, rows.len()));
        let plane = reach.source.0 * reach.source.1;
        for (place, channel) in channels.enumerate() {
            let source = &self.source[(self.unit * all + channel) * plane..][..plane];
            let planes = &mut canvas[place * channel_size..][..image_size];
            // SAFETY: the instructions are there by the contract of `Kernel::run`.
            unsafe { layout.fill::<L>(source, rows.clone(), planes) };
        }
    }

    /// Writes, for each point, panel and channel, the panel's vectors.
    #[inline(always)]
    unsafe fn transform<L: Lanes>(
        &self,
        list: &[Vector],
        canvas: &[f32],
        inputs: &mut [f32],
        channels: usize,
    ) {
        let (layout, rows) = (&self.band.phase.canvas, self.band.rows.len());
        let offsets = layout.offsets(&std::array::from_fn::<_, POINTS, _>(|point| point), 1, 1, rows);
        let channel_size = layout.channel_size(1, rows);
        let point = self.point();
        for panel in panels(list.len()) {
            for channel in 0..channels {
                for (place, vector) in list[panel.clone()].iter().enumerate() {
                    // SAFETY: a canvas has room for a vector at each position and offset; `inputs` for each point,
                    // vector and channel.
                    unsafe {
                        let from = canvas.as_ptr().add(channel * channel_size + vector.position);
                        let mut tile = [L::splat(0.0); POINTS];
                        for (value, offset) in tile.iter_mut().zip(&offsets) {
                            *value = L::load(from.add(*offset));
                        }
                        let start = panel.start * channels + channel * panel.len() + place;
                        let to = inputs.as_mut_ptr().add(start * L::WIDTH);
                        for (index, value) in transform::input(&tile).into_iter().enumerate() {
                            value.store(to.add(index * point));
                        }
                    }
                }
            }
        }
    }

    /// Adds the channels' products with the weights, for each point. `products` holds, for each block of results and
    /// each vector, the points of the block's results.
    #[inline(always)]
    unsafe fn multiply<L: Lanes>(
        &self,
        vectors: usize,
        inputs: &[f32],
        products: &mut [f32],
        channels: Range<usize>,
    ) {
        let groups = self.winograd.correlation.groups;
        let write = if channels.start == 0 { Write::Replace } else { Write::Add };
        let first = self.results.start / BLOCK;
        for point in 0..POINTS {
            for block in 0..self.blocks() {
                let weights = self.winograd.weights.of(self.unit % groups, first + block, point);
                let weights = &weights[channels.start * BLOCK..][..channels.len() * BLOCK];
                for panel in panels(vectors) {
                    let inputs = &inputs[point * self.point() + panel.start * channels.len() * L::WIDTH..];
                    let to = ((block * vectors + panel.start) * POINTS + point) * BLOCK * L::WIDTH;
                    let to = &mut products[to..];
                    // SAFETY: by contract.
                    unsafe {
                        match panel.len() {
                            1 => block_product::<L, 1>(inputs, weights, to, write),
                            2 => block_product::<L, 2>(inputs, weights, to, write),
                            _ => block_product::<L, PANEL>(inputs, weights, to, write),
                        }
                    }
                }
            }
        }
    }

    /// Transforms the products to pixels and writes them.
    #[inline(always)]
    unsafe fn finish<L: Lanes>(&self, vectors: &[Vector], products: &[f32]) {
        for (place, result) in self.results.clone().enumerate() {
            let bias = self.bias(result);
            for (number, vector) in vectors.iter().enumerate() {
                let start =
                    ((place / BLOCK * vectors.len() + number) * POINTS * BLOCK + place % BLOCK) * L::WIDTH;
                // SAFETY: `products` has been written for all results and vectors; the pieces are pixels of the plane.
                unsafe {
                    let from = products.as_ptr().add(start);
                    let mut tile = [L::splat(0.0); POINTS];
                    for (point, value) in tile.iter_mut().enumerate() {
                        *value = L::load(from.add(point * BLOCK * L::WIDTH));
                    }
                    let [y00, y01, y10, y11] = transform::output(&tile);
                    let bias = L::splat(bias);
                    for piece in &self.vectors.pieces[vector.pieces.clone()] {
                        self.write([y00.add(bias), y01.add(bias)], result, piece, 0);
                        self.write([y10.add(bias), y11.add(bias)], result, piece, 1);
                    }
                }
            }
        }
    }

    fn bias(&self, result: usize) -> f32 {
        let Correlation { groups, results, bias, .. } = *self.winograd.correlation;
        bias.map_or(0.0, |bias| bias[self.unit % groups * results + result])
    }

    /// Writes one of the two rows of the tiles of a piece: `even` and `odd` pixels.
    #[inline(always)]
    unsafe fn write<L: Lanes>(&self, [even, odd]: [L; 2], result: usize, piece: &Piece, lower: usize) {
        let Correlation { results, result_pixels, ref reach, .. } = *self.winograd.correlation;
        let Phase { start, size, tiles, .. } = self.band.phase;
        let (tile_row, tile_column) = (self.band.rows.start + piece.offset / tiles.1, piece.offset % tiles.1);
        let (row, column) = (2 * tile_row + lower, 2 * tile_column);
        if row >= size.0 {
            return;
        }
        let (count, d) = ((2 * piece.count).min(size.1 - column), self.winograd.dilation);
        let plane = (self.unit * results + result) * result_pixels;
        let to = self.y.at(plane + (start.0 + row * d) * reach.results.1 + start.1 + column * d);
        // SAFETY: by contract.
        unsafe { L::store_alternating(even, odd, to, d, 2 * piece.first, count) };
    }
}

/// Vectors in as few and as equal runs of up to [`PANEL`] as possible.
fn panels(vectors: usize) -> impl Iterator<Item = Range<usize>> {
    let count = vectors.div_ceil(PANEL);
    (0..count).map(move |panel| panel * vectors / count..(panel + 1) * vectors / count)
}

/// The product of a panel of `V` vectors a channel with a block of weights: `V` times [`BLOCK`] vectors.
#[inline(always)]
unsafe fn block_product<L: Lanes, const V: usize>(
    inputs: &[f32],
    weights: &[f32],
    products: &mut [f32],
    write: Write,
) {
    // SAFETY: by contract.
    unsafe {
        if L::RESULTS == BLOCK {
            product::<L, V, BLOCK>(inputs, weights, products, 0, write);
        } else {
            const HALF: usize = BLOCK / 2;
            product::<L, V, HALF>(inputs, weights, products, 0, write);
            product::<L, V, HALF>(inputs, weights, products, HALF, write);
        }
    }
}

#[inline(always)]
unsafe fn product<L: Lanes, const V: usize, const R: usize>(
    inputs: &[f32],
    weights: &[f32],
    products: &mut [f32],
    first: usize,
    write: Write,
) {
    let channels = weights.len() / BLOCK;
    assert!(inputs.len() >= channels * V * L::WIDTH && first + R <= BLOCK);
    assert!(products.len() >= ((V - 1) * POINTS + 1) * BLOCK * L::WIDTH);
    // SAFETY: inside the slices by the assertions.
    unsafe {
        let mut totals = [[L::splat(0.0); V]; R];
        let (mut x, mut w) = (inputs.as_ptr(), weights.as_ptr().add(first));
        for _ in 0..channels {
            let mut xs = [L::splat(0.0); V];
            for (v, value) in xs.iter_mut().enumerate() {
                *value = L::load(x.add(v * L::WIDTH));
            }
            for (r, totals) in totals.iter_mut().enumerate() {
                let weight = L::splat(*w.add(r));
                for v in 0..V {
                    totals[v] = weight.mul_add(xs[v], totals[v]);
                }
            }
            x = x.wrapping_add(V * L::WIDTH);
            w = w.wrapping_add(BLOCK);
        }
        for (r, totals) in totals.into_iter().enumerate() {
            for (v, total) in totals.into_iter().enumerate() {
                let to = products.as_mut_ptr().add((v * POINTS * BLOCK + first + r) * L::WIDTH);
                let total = if write == Write::Add { total.add(L::load(to)) } else { total };
                total.store(to);
            }
        }
    }
}
