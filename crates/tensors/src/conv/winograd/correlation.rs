//! The forward pass and the gradient for the input.

use std::ops::Range;

use rayon::prelude::*;

use super::bands::{self, Band};
use super::filter::{Filter, Four, Neighbours, Three, Two};
use super::products::{panel_product, panels};
use super::weights::{Kernels, Transformed};
use super::{Grid, POINTS, Phase, at_once, tiles, transform};
use crate::conv::Geometry;
use crate::conv::canvas::{AHEAD, Reach};
use crate::conv::correlation::Correlation;
use crate::conv::forward::reach;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::packing::BLOCK;
use crate::conv::parts::{Parts, Write, with_scratch};
use crate::conv::vectors::{Target, Vector};

/// Channels from which on transforms pay.
const LEAST_CHANNELS: usize = 20;
/// Channels that are transformed at once.
const CHANNELS: usize = 128;
/// Vectors of tiles that are transformed and multiplied at once, if the canvas holds all channels.
const GROUP: usize = 6;
/// Most floats in a canvas that holds all channels.
const CANVAS: usize = 1 << 18;
/// Most results whose products are held: with the transformed channels they stay in the second-level cache.
const RESULTS: usize = 256;
/// Tasks to make, if they do not become too small. Fixed, so that no result depends on the number of threads.
const TASKS: usize = 16;

/// A correlation with a 3x3 kernel as products of matrices.
pub(in crate::conv) struct Winograd<'a> {
    correlation: &'a Correlation<'a>,
    phases: Vec<Phase>,
    kernels: Kernels<'a>,
    way: Way,
}

#[derive(Clone, Copy)]
enum Way {
    Bands,
    /// All tiles at once, of so many pixels.
    TwoAtOnce,
    ThreeAtOnce,
    FourAtOnce,
}

impl<'a> Winograd<'a> {
    /// None where the correlation has another form, or where plain sums are as fast.
    pub(in crate::conv) fn new(correlation: &'a Correlation<'a>) -> Option<Self> {
        let &Correlation { batch, groups, channels, results, ref reach, ref targets, larger_tiles, .. } =
            correlation;
        let grid = Grid::of(reach)?;
        // The gradient for the input, with a stride, writes every other pixel: where that is a single phase, because the dilation is
        // a multiple of the stride, its taps form a grid all the same.
        if targets[..] != [Target::plane(reach.results)] {
            return None;
        }
        let sizes = Sizes { batch, groups, channels: (channels, results), reach, larger_tiles };
        let (way, phases) = sizes.way(&grid)?;
        let kernels = Kernels { weights: correlation.weights, reversed: grid.reversed, groups, results };
        Some(Self { correlation, phases, kernels, way })
    }

    /// Writes all results.
    pub(in crate::conv) fn run(self, source: &[f32], y: Parts) {
        match self.way {
            Way::Bands => {}
            Way::TwoAtOnce => {
                return at_once::correlation(Two, self.correlation, self.phases, &self.kernels, source, y);
            }
            Way::ThreeAtOnce => {
                return at_once::correlation(Three, self.correlation, self.phases, &self.kernels, source, y);
            }
            Way::FourAtOnce => {
                return at_once::correlation(Four, self.correlation, self.phases, &self.kernels, source, y);
            }
        }
        let Correlation { batch, groups, channels, results, .. } = *self.correlation;
        let weights = Transformed::new(&self.kernels, channels);
        let units = batch * groups;
        let bands = |phase| Band::all(phase, self.rows(phase, units));
        let bands: Vec<_> = self.phases.iter().flat_map(bands).collect();
        let parts = TASKS.div_ceil(units * bands.len()).min(results.div_ceil(64));
        let size = results.div_ceil(parts).next_multiple_of(BLOCK);
        let parts = results.div_ceil(size);
        (0..units * bands.len() * parts).into_par_iter().for_each(|task| {
            let (rest, part) = (task / parts, task % parts);
            let (unit, band) = (rest / bands.len(), rest % bands.len());
            let results = part * size..((part + 1) * size).min(results);
            let task =
                Task { winograd: &self, weights: &weights, band: &bands[band], unit, results, source, y };
            with_scratch(task.scratch(), |scratch| run(TaskIn { task, scratch }));
        });
    }

    /// Rows of tiles of a task: more where the canvas is filled once for all of them.
    fn rows(&self, phase: &Phase, units: usize) -> usize {
        let channels = self.correlation.channels;
        if channels > CHANNELS {
            return bands::rows(phase);
        }
        let most = (CANVAS / (channels * phase.canvas.image_size(0).max(1))).saturating_sub(1);
        most.min((phase.tiles.0 * units).div_ceil(TASKS)).max(bands::rows(phase))
    }
}

/// What the choice of a way depends on.
struct Sizes<'a> {
    batch: usize,
    groups: usize,
    /// Of a group: source channels and results.
    channels: (usize, usize),
    reach: &'a Reach,
    larger_tiles: bool,
}

impl Sizes<'_> {
    /// The phases for tiles of a size, if working on all at once pays.
    fn at_once<F: Filter>(&self, filter: F, grid: &Grid) -> Option<Vec<Phase>> {
        let phases = grid.phases(self.reach, F::SIDE);
        at_once::pays(filter, &phases, self.batch, self.groups, self.channels).then_some(phases)
    }

    /// The fastest way, and the phases for its tiles.
    fn way(&self, grid: &Grid) -> Option<(Way, Vec<Phase>)> {
        if let Some(way) = self.larger_tiles.then(|| self.larger(grid)).flatten() {
            return Some(way);
        }
        let phases = grid.phases(self.reach, Two::SIDE);
        let bands = bands::pay(&phases, self.batch, self.channels, LEAST_CHANNELS);
        let at_once = at_once::pays(Two, &phases, self.batch, self.groups, self.channels);
        if at_once && (!bands || at_once::in_one_group(&phases, self.batch)) {
            return Some((Way::TwoAtOnce, phases));
        }
        bands.then_some((Way::Bands, phases))
    }

    /// The larger tiles that take fewer products, those of 4x4 pixels or, where phases have few rows, of 3x3.
    fn larger(&self, grid: &Grid) -> Option<(Way, Vec<Phase>)> {
        let (three, four) = (self.at_once(Three, grid), self.at_once(Four, grid));
        let lanes = |phases: &[Phase]| (self.batch * tiles(phases)).next_multiple_of(MOST_LANES);
        let fewer = |three: &Vec<_>| {
            four.as_ref().is_none_or(|four| Three::POINTS * lanes(three) < Four::POINTS * lanes(four))
        };
        match three.filter(fewer) {
            Some(phases) => Some((Way::ThreeAtOnce, phases)),
            None => four.map(|phases| (Way::FourAtOnce, phases)),
        }
    }
}

/// The products that minimal filtering of a convolution takes for each pair of channels, if it is a way to go.
pub(in crate::conv) fn products(geometry: &Geometry) -> Option<f64> {
    let &Geometry { batch, groups, inputs, outputs, larger_tiles, .. } = geometry;
    let reach = &reach(geometry);
    let sizes = Sizes { batch, groups, channels: (inputs, outputs), reach, larger_tiles };
    let (way, phases) = sizes.way(&Grid::of(reach)?)?;
    let points = match way {
        Way::Bands | Way::TwoAtOnce => Two::POINTS,
        Way::ThreeAtOnce => Three::POINTS,
        Way::FourAtOnce => Four::POINTS,
    };
    Some((batch * points * tiles(&phases)) as f64)
}

/// Some results of one band of one image and group.
struct Task<'a> {
    winograd: &'a Winograd<'a>,
    weights: &'a Transformed,
    band: &'a Band<'a>,
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
        let all = self.band.vectors.list.len();
        if self.winograd.correlation.channels > CHANNELS { all } else { all.min(GROUP) }
    }

    /// Floats of one point's transformed inputs, an odd number of cache lines.
    fn point(&self) -> usize {
        ((self.channels() * self.group()) | 1) * MOST_LANES
    }

    /// The results in portions of up to [`RESULTS`].
    fn portions(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (results, count) = (self.results.clone(), self.results.len().div_ceil(RESULTS));
        let size = results.len().div_ceil(count.max(1)).next_multiple_of(BLOCK);
        results.clone().step_by(size).map(move |first| first..(first + size).min(results.end))
    }

    fn scratch(&self) -> usize {
        let blocks = self.portions().map(|portion| portion.len().div_ceil(BLOCK)).max().unwrap_or(0);
        let products = blocks * self.group() * POINTS * BLOCK * MOST_LANES;
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
        for (number, vectors) in task.band.vectors.list.chunks(task.group()).enumerate() {
            for (turn, results) in task.portions().enumerate() {
                for first in (0..all).step_by(CHANNELS) {
                    let channels = first..(first + CHANNELS).min(all);
                    if all > CHANNELS || (number, turn) == (0, 0) {
                        task.fill::<L>(canvas, channels.clone());
                    }
                    // SAFETY: the instructions are there by the contract of `Kernel::run`; the slices have the sizes that
                    // the task asked for.
                    unsafe {
                        if all > CHANNELS || turn == 0 {
                            task.transform::<L>(vectors, canvas, inputs, channels.len());
                        }
                        task.multiply::<L>(vectors.len(), inputs, products, channels, results.clone());
                    }
                }
                // SAFETY: as above; this task alone writes these results' pixels.
                unsafe { task.finish::<L>(vectors, products, results) };
            }
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
        let source = |channel: usize| &self.source[(self.unit * all + channel) * plane..][..plane];
        for (place, channel) in channels.clone().enumerate() {
            let planes = &mut canvas[place * channel_size..][..image_size];
            if channel + AHEAD < channels.end {
                layout.fetch(source(channel + AHEAD), rows);
            }
            // SAFETY: the instructions are there by the contract of `Kernel::run`.
            unsafe { layout.fill::<L>(source(channel), rows.clone(), planes) };
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
        let offsets = layout.all_offsets(rows);
        let channel_size = layout.channel_size(1, rows);
        let point = self.point();
        for panel in panels(list.len()) {
            for channel in 0..channels {
                for (place, vector) in list[panel.clone()].iter().enumerate() {
                    // SAFETY: a canvas has room for a vector at each position and offset; `inputs` for each point,
                    // vector and channel.
                    unsafe {
                        let first = canvas.as_ptr().add(channel * channel_size + vector.position);
                        let start = panel.start * channels + channel * panel.len() + place;
                        let to = inputs.as_mut_ptr().add(start * L::WIDTH);
                        transform::tiles::<L>(Neighbours { first, offsets: &offsets }, to, point);
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
        results: Range<usize>,
    ) {
        let groups = self.winograd.correlation.groups;
        let write = if channels.start == 0 { Write::Replace } else { Write::Add };
        let (first, blocks) = (results.start / BLOCK, results.len().div_ceil(BLOCK));
        let weights = |block: usize, point: usize| {
            let weights = self.weights.of(
                self.unit % groups,
                first + block % blocks,
                (point + block / blocks) % POINTS,
            );
            &weights[channels.start * BLOCK..][..channels.len() * BLOCK]
        };
        for point in 0..POINTS {
            for panel in panels(vectors) {
                let inputs = &inputs[point * self.point() + panel.start * channels.len() * L::WIDTH..];
                let inputs = (inputs, panel.len() * L::WIDTH);
                for block in 0..blocks {
                    let to = ((block * vectors + panel.start) * POINTS + point) * BLOCK * L::WIDTH;
                    let to = &mut products[to..];
                    // SAFETY: by contract.
                    unsafe {
                        panel_product::<L>(
                            panel.len(),
                            inputs,
                            weights(block, point),
                            weights(block + 1, point),
                            (to, POINTS),
                            write,
                        )
                    };
                }
            }
        }
    }

    /// Transforms the products to pixels and writes them.
    #[inline(always)]
    unsafe fn finish<L: Lanes>(&self, vectors: &[Vector], products: &[f32], results: Range<usize>) {
        let Correlation { results: all, result_pixels, .. } = *self.winograd.correlation;
        for (place, result) in results.enumerate() {
            let bias = self.bias(result);
            let plane = self.y.at((self.unit * all + result) * result_pixels);
            for (number, vector) in vectors.iter().enumerate() {
                let start =
                    ((place / BLOCK * vectors.len() + number) * POINTS * BLOCK + place % BLOCK) * L::WIDTH;
                // SAFETY: `products` has been written for all results and vectors; the pieces are pixels of the plane.
                unsafe {
                    let from = products.as_ptr().add(start);
                    let pixels = Two::pixels::<L>(from, BLOCK * L::WIDTH, bias);
                    for piece in &self.band.vectors.pieces[vector.pieces.clone()] {
                        let tile = (self.band.rows.start + piece.row, piece.column);
                        let lanes = piece.first..piece.first + piece.count;
                        self.band.phase.write::<L, Two>(&pixels, plane, tile, lanes);
                    }
                }
            }
        }
    }

    fn bias(&self, result: usize) -> f32 {
        let Correlation { groups, results, bias, .. } = *self.winograd.correlation;
        bias.map_or(0.0, |bias| bias[self.unit % groups * results + result])
    }
}
