//! Minimal filtering of 3x3 kernels with stride 1 (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
//! Networks", F(2x2, 3x3) and F(4x4, 3x3), after Winograd 1980).
//!
//! An output tile of 2x2 pixels takes 16 products instead of 36: those of an input tile of 4x4 and of the kernel, both
//! transformed. Over all channels the products are 16 products of matrices. The transforms add and subtract, and
//! halve the weights, so that the rounding errors stay about those of the plain sums. A tile of 4x4 pixels takes 36
//! products instead of 144, its transforms multiply, and its errors are about twice as large (`filter`).
//!
//! A kernel with dilation d reads pixels of one of d * d phases of the image only: each is a dense convolution.

mod at_once;
mod bands;
mod correlation;
mod filter;
mod kernel_sums;
mod products;
mod transform;
mod weight_gradient;
mod weights;

use std::ops::Range;

use super::Geometry;
use super::canvas::{Canvas, Reach, Tap};
use super::forward::reach;
use super::lanes::{Lanes, MOST_LANES};
use filter::Filter;

pub(super) use correlation::Winograd;
pub(super) use weight_gradient::weight_gradient;

/// Points of a transformed tile of 4x4.
const POINTS: usize = 16;
/// The plain sums are as fast where less than this part of the tiles' pixels exists.
const LEAST_USE: f64 = 0.62;

/// The taps of a 3x3 kernel as a grid.
struct Grid {
    dilation: usize,
    /// Of the first tap.
    row: isize,
    column: isize,
    /// Whether the weights lie from the last to the first, instead of row after row.
    reversed: bool,
}

impl Grid {
    fn of(reach: &Reach) -> Option<Self> {
        if reach.step != 1 || reach.taps.len() != 9 {
            return None;
        }
        let mut taps: Vec<&Tap> = reach.taps.iter().collect();
        taps.sort_by_key(|tap| (tap.row, tap.column));
        let (first, dilation) = (taps[0], taps[1].column - taps[0].column);
        let in_grid = |(index, tap): (usize, &&Tap)| {
            let (row, column) = ((index / 3) as isize, (index % 3) as isize);
            tap.row == first.row + row * dilation && tap.column == first.column + column * dilation
        };
        let reversed = taps[0].weight > 0;
        let in_order = |(index, tap): (usize, &&Tap)| tap.weight == if reversed { 8 - index } else { index };
        let fits = |place| in_grid(place) && in_order(place);
        (dilation > 0 && taps.iter().enumerate().all(fits)).then_some(Self {
            dilation: dilation as usize,
            row: first.row,
            column: first.column,
            reversed,
        })
    }

    /// The phases of the results for tiles of `side` x `side` pixels, none if a phase is too small for them.
    fn phases(&self, reach: &Reach, side: usize) -> Option<Vec<Phase>> {
        let starts = (0..self.dilation).flat_map(|row| (0..self.dilation).map(move |column| (row, column)));
        starts.map(|start| self.phase(reach, side, start)).collect()
    }

    fn phase(&self, reach: &Reach, side: usize, (row, column): (usize, usize)) -> Option<Phase> {
        let d = self.dilation;
        let (height, width) = reach.results;
        if row >= height || column >= width {
            return None;
        }
        let size = ((height - row).div_ceil(d), (width - column).div_ceil(d));
        let input = side + 2;
        let tap = |point: usize| Tap {
            row: self.row + (row + point / input * d) as isize,
            column: self.column + (column + point % input * d) as isize,
            weight: point,
            phase: 0,
        };
        let tiles = (size.0.div_ceil(side), size.1.div_ceil(side));
        let taps = (0..input * input).map(tap).collect();
        let canvas = Canvas::new(Reach { source: reach.source, results: tiles, step: side * d, taps });
        let results = reach.results.1;
        (canvas.taps().len() == input * input).then_some(Phase {
            canvas,
            start: (row, column),
            size,
            tiles,
            step: d,
            results,
        })
    }
}

/// The pixels that lie a whole number of dilations apart, in tiles.
struct Phase {
    canvas: Canvas,
    /// Row and column of the first pixel.
    start: (usize, usize),
    /// Rows and columns of pixels.
    size: (usize, usize),
    /// Rows and columns of tiles.
    tiles: (usize, usize),
    /// Pixels from one of the phase to the next.
    step: usize,
    /// Pixels in a row of all phases.
    results: usize,
}

impl Phase {
    /// The distances of the points of a tile in a canvas for so many rows of tiles.
    fn offsets(&self, rows: usize) -> Vec<usize> {
        let points: Vec<_> = (0..self.canvas.taps().len()).collect();
        self.canvas.offsets(&points, 1, 1, rows)
    }

    /// Where a pixel of the phase lies in a plane of results; none if there is no such pixel.
    fn place(&self, (row, column): (usize, usize)) -> Option<usize> {
        let exists = row < self.size.0 && column < self.size.1;
        let at = || (self.start.0 + row * self.step) * self.results + self.start.1 + column * self.step;
        exists.then(at)
    }

    /// Writes the pixels of neighbouring tiles, the first of which is `tile` by row and column, to their `plane`.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `L`; no other task may use these pixels of the plane.
    #[inline(always)]
    unsafe fn write<L: Lanes, F: Filter>(
        &self,
        pixels: &[[L; 4]; 4],
        plane: *mut f32,
        tile: (usize, usize),
        lanes: Range<usize>,
    ) {
        let column = F::SIDE * tile.1;
        let count = (F::SIDE * lanes.len()).min(self.size.1 - column);
        for (row, &[a, b, c, d]) in pixels.iter().take(F::SIDE).enumerate() {
            let Some(place) = self.place((F::SIDE * tile.0 + row, column)) else { continue };
            let (first, plane) = (F::SIDE * lanes.start, plane.wrapping_add(place));
            // SAFETY: by contract; the pixels exist.
            unsafe {
                if F::SIDE == 2 {
                    L::store_alternating(a, b, plane, self.step, first, count);
                } else {
                    store_alternating_four([a, b, c, d], plane, self.step, first, count);
                }
            }
        }
    }
}

/// Of the floats that lanes of four vectors make in turn, writes `count` from `first` on, `step` apart.
///
/// # Safety
///
/// As [`Lanes::store_alternating`].
#[inline(always)]
unsafe fn store_alternating_four<L: Lanes>(
    [a, b, c, d]: [L; 4],
    to: *mut f32,
    step: usize,
    first: usize,
    count: usize,
) {
    let (half, mut turns) = (2 * L::WIDTH, [[0.0; 2 * MOST_LANES]; 2]);
    // SAFETY: the arrays hold two vectors each; the rest by contract.
    unsafe {
        L::store_alternating(a, c, turns[0].as_mut_ptr(), 1, 0, half);
        L::store_alternating(b, d, turns[1].as_mut_ptr(), 1, 0, half);
        for (number, start) in [0, half].into_iter().enumerate() {
            let (from, until) = (first.max(start), (first + count).min(start + half));
            if from < until {
                let [even, odd] = turns.each_ref().map(|turn| L::load(turn.as_ptr().add(number * L::WIDTH)));
                let to = to.wrapping_add((from - first) * step);
                L::store_alternating(even, odd, to, step, from - start, until - from);
            }
        }
    }
}

/// The products that minimal filtering of a convolution takes for each pair of channels, if the convolution has the form
/// for it.
pub(super) fn products(geometry: &Geometry) -> Option<f64> {
    let reach = reach(geometry);
    let phases = Grid::of(&reach)?.phases(&reach, 2)?;
    Some((geometry.batch * POINTS * tiles(&phases)) as f64)
}

/// Whether enough channels on both sides share each transform: `least` of them, as the harmonic mean of both sides' numbers
/// counts them.
fn enough_channels((inputs, outputs): (usize, usize), least: usize) -> bool {
    2 * inputs * outputs >= least * (inputs + outputs)
}

/// Whether enough pixels of the lanes exist.
fn enough_pixels<F: Filter>(_: F, phases: &[Phase], lanes: f64) -> bool {
    let pixels: usize = phases.iter().map(|phase| phase.size.0 * phase.size.1).sum();
    pixels as f64 >= LEAST_USE * (F::SIDE * F::SIDE) as f64 * lanes
}

fn tiles(phases: &[Phase]) -> usize {
    phases.iter().map(|phase| phase.tiles.0 * phase.tiles.1).sum()
}
