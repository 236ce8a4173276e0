//! Mean field: every pixel's probabilities from its unary and the messages of all others, over and over.
//!
//! Krähenbühl and Koltun 2011, algorithm 1. One pass over the pixels of an iteration reads the messages from the lattices,
//! makes probabilities of them and splats these to the lattices again, some pixels at a time, so that probabilities never
//! leave the processor's cache.

use std::ops::Range;

use rayon::prelude::*;

use crate::dense_crf::{DenseCrf, Kernel};
use crate::divergence;
use crate::lattice::{Axes, CHUNK, Vertices, Workspace, slice_add, splat};
use crate::posterior::Posterior;
use crate::simd::{LANES, Lanes, zeros};
use crate::softmax::softmax;
use crate::unary::Unary;

/// How long mean field goes on, and what it tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanField {
    /// Most iterations.
    pub iterations: usize,
    /// Ends the iterations as soon as no probability changes by more than this in one.
    pub tolerance: Option<f32>,
    /// Whether to compute the divergence of every iteration, which takes one filtering more.
    pub divergence: bool,
}

impl MeanField {
    /// As many iterations, without a stop or divergences.
    pub fn iterations(iterations: usize) -> Self {
        Self { iterations, tolerance: None, divergence: false }
    }
}

/// Pixels whose rows are worked on at once.
const BLOCK: usize = 64;

/// The probabilities after the iterations.
pub(crate) fn infer(crf: &DenseCrf, unary: &Unary, settings: &MeanField) -> Posterior {
    let tracks = settings.tolerance.is_some() || settings.divergence;
    let mut state = State::new(crf, unary, tracks);
    let mut probabilities = vec![0.0; crf.layout.classes * crf.shape.pixels()];
    let mut divergences = Vec::new();
    let mut iterations = 0;
    let only = settings.iterations == 0 && !tracks;
    state.pass(true, only.then_some(&mut probabilities), !only);
    while iterations < settings.iterations {
        iterations += 1;
        let last = iterations == settings.iterations;
        state.exchange();
        let planes = (last && !tracks).then_some(&mut probabilities);
        let tally = state.pass(false, planes, !last || settings.divergence);
        divergences.push(tally.divergence);
        if settings.tolerance.is_some_and(|tolerance| tally.change <= tolerance) {
            break;
        }
    }
    if settings.divergence {
        divergences.push(state.last_divergence());
    } else {
        divergences.clear();
    }
    if tracks {
        state.write_probabilities(&mut probabilities);
    }
    Posterior { probabilities, pixels: crf.shape.pixels(), iterations, divergences }
}

/// What a pass over some pixels found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Largest change of a probability.
    pub(crate) change: f32,
    /// Divergence of the probabilities before the pass.
    pub(crate) divergence: f64,
}

/// Everything that one inference changes.
pub(crate) struct State<'a> {
    crf: &'a DenseCrf,
    unary: &'a Unary,
    /// Rows of negative energies; -∞ in the padding.
    logits: Vec<Lanes>,
    /// Rows of the last probabilities, empty unless they are tracked.
    pub(crate) probabilities: Vec<Lanes>,
    spaces: Vec<Workspace>,
}

/// A chunk's part of the memory that a pass writes.
struct Chunk<'a> {
    logits: &'a mut [Lanes],
    probabilities: &'a mut [Lanes],
    planes: Vec<&'a mut [f32]>,
    scattered: Vec<&'a mut [Lanes]>,
}

impl<'a> State<'a> {
    pub(crate) fn new(crf: &'a DenseCrf, unary: &'a Unary, tracks: bool) -> Self {
        let size = crf.shape.pixels() * crf.layout.row();
        let spaces = crf.kernels.iter().map(|kernel| kernel.filter.lattice.workspace(crf.layout)).collect();
        let probabilities = zeros(if tracks { size } else { 0 });
        Self { crf, unary, logits: zeros(size), probabilities, spaces }
    }

    /// New probabilities for every pixel: the softmax of the unary, and unless it is the first pass of the messages.
    /// Writes them to `planes`, if given, and splats them to the lattices, if told so.
    pub(crate) fn pass(&mut self, first: bool, planes: Option<&mut Vec<f32>>, splats: bool) -> Tally {
        let (crf, unary) = (self.crf, self.unary);
        let (values, scattered): (Vec<_>, Vec<_>) =
            self.spaces.iter_mut().map(|space| (&space.values[..], &mut space.scattered[..])).unzip();
        let chunks = chunks(crf, &mut self.logits, &mut self.probabilities, planes, scattered);
        let tallies = chunks.into_par_iter().enumerate().map(|(index, chunk)| {
            let pass = Pass { crf, unary, values: &values, first, splats, index };
            pass.run(chunk)
        });
        let tallies: Vec<Tally> = tallies.collect();
        tallies.iter().fold(Tally::default(), |sum, tally| Tally {
            change: sum.change.max(tally.change),
            divergence: sum.divergence + tally.divergence,
        })
    }

    /// Lets the splatted probabilities become messages.
    pub(crate) fn exchange(&mut self) {
        for (kernel, space) in self.crf.kernels.iter().zip(&mut self.spaces) {
            kernel.filter.lattice.spread(space, self.crf.layout, Axes::Ascending);
            kernel.compatibility.mix(&mut space.values, self.crf.layout);
        }
    }

    /// The divergence of the last probabilities, whose messages it needs.
    fn last_divergence(&mut self) -> f64 {
        self.exchange();
        let kept = self.probabilities.clone();
        let divergence = self.pass(false, None, false).divergence;
        self.probabilities = kept;
        divergence
    }

    /// Tracked probabilities as planes.
    fn write_probabilities(&self, planes: &mut [f32]) {
        let (pixels, layout) = (self.crf.shape.pixels(), self.crf.layout);
        planes.par_chunks_mut(pixels).enumerate().for_each(|(class, plane)| {
            let rows = self.probabilities.chunks_exact(layout.row());
            for (value, row) in plane.iter_mut().zip(rows) {
                *value = row[class / LANES].0[class % LANES];
            }
        });
    }
}

/// Splits all memory by chunks of pixels.
fn chunks<'a>(
    crf: &DenseCrf,
    logits: &'a mut [Lanes],
    probabilities: &'a mut [Lanes],
    planes: Option<&'a mut Vec<f32>>,
    scattered: Vec<&'a mut [Lanes]>,
) -> Vec<Chunk<'a>> {
    let size = CHUNK * crf.layout.row();
    let mut probabilities = probabilities.chunks_mut(size);
    let logits = logits.chunks_mut(size).map(|logits| Chunk {
        logits,
        probabilities: probabilities.next().unwrap_or_default(),
        planes: Vec::new(),
        scattered: Vec::new(),
    });
    let mut chunks: Vec<Chunk> = logits.collect();
    for plane in planes.into_iter().flat_map(|planes| planes.chunks_mut(crf.shape.pixels())) {
        for (chunk, part) in chunks.iter_mut().zip(plane.chunks_mut(CHUNK)) {
            chunk.planes.push(part);
        }
    }
    for (kernel, scattered) in crf.kernels.iter().zip(scattered) {
        let parts = kernel.filter.lattice.chunk_rows(scattered, crf.layout);
        for (chunk, part) in chunks.iter_mut().zip(parts) {
            chunk.scattered.push(part);
        }
    }
    chunks
}

/// One pass over one chunk.
struct Pass<'a> {
    crf: &'a DenseCrf,
    unary: &'a Unary,
    values: &'a [&'a [Lanes]],
    first: bool,
    splats: bool,
    index: usize,
}

impl Pass<'_> {
    fn run(&self, mut chunk: Chunk) -> Tally {
        let row = self.crf.layout.row();
        if self.splats {
            chunk.scattered.iter_mut().for_each(|rows| rows.fill(Lanes::ZERO));
        }
        let mut tally = Tally::default();
        let mut rows = vec![Lanes::ZERO; BLOCK * row];
        let count = chunk.logits.len() / row;
        for place in (0..count).step_by(BLOCK) {
            let size = BLOCK.min(count - place);
            self.block(&mut chunk, place, &mut rows[..size * row], &mut tally);
        }
        tally
    }

    /// The pixels from `place` of the chunk on, whose new probabilities come to be in `rows`.
    fn block(&self, chunk: &mut Chunk, place: usize, rows: &mut [Lanes], tally: &mut Tally) {
        let layout = self.crf.layout;
        let range = place * layout.row()..place * layout.row() + rows.len();
        let first = self.index * CHUNK + place;
        let pixels = first..first + rows.len() / layout.row();
        let logits = &mut chunk.logits[range.clone()];
        if self.first {
            self.unary.write_logits(layout, self.crf.shape.pixels(), first, logits);
        }
        if self.first || self.crf.kernels.is_empty() {
            rows.copy_from_slice(logits);
        } else {
            self.add_messages(pixels.clone(), logits, rows);
        }
        let tracked = (!chunk.probabilities.is_empty()).then(|| &mut chunk.probabilities[range]);
        if let Some(old) = &tracked
            && !self.first
        {
            tally.divergence += divergence::of_rows(old, logits, rows, layout);
        }
        softmax(rows, layout);
        if let Some(old) = tracked {
            tally.change = tally.change.max(largest_change(old, rows));
            old.copy_from_slice(rows);
        }
        layout.planes_from_rows(rows, &mut chunk.planes, place);
        if self.splats {
            for (kernel, target) in self.crf.kernels.iter().zip(&mut chunk.scattered) {
                splat(
                    rows,
                    layout,
                    kernel.filter.lattice.corners(pixels.clone(), &kernel.filter.before),
                    target,
                );
            }
        }
    }

    /// Scores of pixels: their logits and the messages of all kernels.
    fn add_messages(&self, pixels: Range<usize>, logits: &[Lanes], rows: &mut [Lanes]) {
        let mut base = Some(logits);
        for (Kernel { filter, class_factors, .. }, values) in self.crf.kernels.iter().zip(self.values) {
            let of_corner = filter.lattice.vertex_of(self.index);
            let corners = filter.lattice.corners(pixels.clone(), &filter.after);
            let vertices = Vertices { values, of_corner, class_factors };
            slice_add(rows, base.take(), self.crf.layout, corners, vertices);
        }
    }
}

/// The largest difference of two probabilities.
fn largest_change(old: &[Lanes], new: &[Lanes]) -> f32 {
    let pairs = old.iter().zip(new);
    pairs.map(|(a, b)| a.zip(*b, |a, b| (a - b).abs()).fold(f32::max)).fold(0.0, f32::max)
}
