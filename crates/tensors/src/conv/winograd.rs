//! Minimal filtering of 3x3 kernels with stride 1 (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
//! Networks", F(2x2, 3x3), F(3x3, 3x3) and F(4x4, 3x3), after Winograd 1980).
//!
//! An output tile of 2x2 pixels takes 16 products instead of 36: those of an input tile of 4x4 and of the kernel, both
//! transformed. Over all channels the products are 16 products of matrices. The transforms add and subtract, and
//! halve the weights, so that the rounding errors stay about those of the plain sums. A tile of 4x4 pixels takes 36
//! products instead of 144, its transforms multiply, and its errors are about twice as large (`filter`); one of 3x3, 25
//! instead of 81.
//!
//! A kernel with dilation d reads pixels of one of d * d phases of the image only: each is a dense convolution. Vectors take
//! tiles that are neighbours within a phase, or, where phases have few columns, tiles of neighbouring phases.

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

use super::canvas::{Canvas, Reach, Tap};
use super::lanes::{Lanes, MOST_LANES};
use super::parts::Write;
use crate::fetch::fetch_line;
use filter::Filter;

pub(super) use correlation::{Winograd, products};
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
        if reach.step != (1, 1) || reach.taps.len() != 9 {
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

    /// The results in tiles of `side` x `side` pixels.
    fn phases(&self, reach: &Reach, side: usize) -> Vec<Phase> {
        let (d, (height, width)) = (self.dilation, reach.results);
        let tiles = |pixels: usize| pixels.div_ceil(side * d);
        let columns: Vec<_> = if d <= tiles(width) {
            (0..d).map(|column| (column, tiles(width - column), side * d)).collect()
        } else {
            (0..width).step_by(side * d).map(|column| (column, d.min(width - column), 1)).collect()
        };
        let mut phases = Vec::new();
        for row in 0..d.min(height) {
            for &(column, count, ahead) in &columns {
                let (tiles, ahead) = ((tiles(height - row), count), (side * d, ahead));
                phases.push(self.phase(reach, side, (row, column), tiles, ahead));
            }
        }
        phases
    }

    fn phase(
        &self,
        reach: &Reach,
        side: usize,
        start: (usize, usize),
        tiles: (usize, usize),
        ahead: (usize, usize),
    ) -> Phase {
        let (d, input) = (self.dilation, side + 2);
        let tap = |point: usize| Tap {
            row: self.row + (start.0 + point / input * d) as isize,
            column: self.column + (start.1 + point % input * d) as isize,
            weight: point,
            phase: 0,
        };
        let taps = (0..input * input).map(tap).collect();
        let canvas = Canvas::with_all_taps(Reach { source: reach.source, results: tiles, step: ahead, taps });
        let columns = (reach.results.1 - start.1).div_ceil(d);
        Phase { canvas, start, tiles, ahead, step: d, columns, size: reach.results }
    }
}

/// Tiles with the same distances between them, whose pixels lie a dilation apart.
///
/// Neighbours in a row are either of the same phase of the image, one behind the other, or, where phases have few columns, of
/// neighbouring phases: then the pixels of neighbours are neighbours in memory.
struct Phase {
    canvas: Canvas,
    /// Row and column of the first pixel.
    start: (usize, usize),
    /// Rows and columns of tiles.
    tiles: (usize, usize),
    /// Pixels from a tile to the next, by rows and columns.
    ahead: (usize, usize),
    /// Pixels from one of a tile to the next.
    step: usize,
    /// Pixels so far apart in a row.
    columns: usize,
    /// Rows and columns of all results.
    size: (usize, usize),
}

impl Phase {
    /// A canvas for tiles with their first pixels in some columns: each line holds a row of pixels as they are, the next one that a
    /// dilation below.
    fn lines(&self, columns: &Range<usize>) -> Canvas {
        let reach = self.canvas.reach();
        let shift = columns.start as isize - self.start.1 as isize;
        let taps = reach.taps.iter().map(|tap| Tap { column: tap.column + shift, ..*tap }).collect();
        let results = (self.tiles.0, columns.len());
        Canvas::with_all_taps(Reach { source: reach.source, results, step: (self.step, 1), taps })
    }

    /// Row and column of a tile's first pixel.
    fn first_pixel(&self, tile: (usize, usize)) -> (usize, usize) {
        (self.start.0 + tile.0 * self.ahead.0, self.start.1 + tile.1 * self.ahead.1)
    }

    /// Where a pixel of a tile lies in a plane of results, and its column; none if there is no such pixel.
    fn place(&self, tile: (usize, usize), pixel: (usize, usize)) -> Option<(usize, usize)> {
        let (row, column) = self.first_pixel(tile);
        let (row, column) = (row + pixel.0 * self.step, column + pixel.1 * self.step);
        let exists = row < self.size.0 && column < self.size.1;
        exists.then_some((row * self.size.1 + column, column))
    }

    /// Asks the memory for the pixels that [`write`](Self::write) will write for so many tiles.
    #[inline(always)]
    fn fetch<F: Filter>(&self, plane: *const f32, tile: (usize, usize), tiles: usize) {
        let apart = if self.ahead.1 > 1 { 1 } else { F::SIDE };
        for (row, column) in (0..F::SIDE).flat_map(|row| (0..apart).map(move |column| (row, column))) {
            let Some((place, _)) = self.place(tile, (row, column)) else { continue };
            let lines = (0..tiles * self.ahead.1).step_by(MOST_LANES);
            lines.for_each(|pixel| fetch_line(plane.wrapping_add(place + pixel)));
        }
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
        for (row, pixels) in pixels.iter().take(F::SIDE).enumerate() {
            if self.ahead.1 > 1 {
                let Some((place, _)) = self.place(tile, (row, 0)) else { continue };
                let count = (self.columns - F::SIDE * tile.1).min(F::SIDE * lanes.len());
                let (to, step, first) = (plane.wrapping_add(place), self.step, F::SIDE * lanes.start);
                let &[a, b, c, d] = pixels;
                // SAFETY: by contract; the pixels exist.
                unsafe {
                    match F::SIDE {
                        2 => L::store_in_turn([a, b], to, step, first, count),
                        3 => L::store_in_turn([a, b, c], to, step, first, count),
                        _ => L::store_in_turn([a, b, c, d], to, step, first, count),
                    }
                }
                continue;
            }
            for (column, pixels) in pixels.iter().take(F::SIDE).enumerate() {
                let Some((place, column)) = self.place(tile, (row, column)) else { continue };
                let count = (self.size.1 - column).min(lanes.len());
                // SAFETY: as above.
                unsafe {
                    pixels.store_part(plane.wrapping_add(place), lanes.start, count, Write::Replace);
                }
            }
        }
    }
}

/// Whether enough channels on both sides share each transform: `least` of them, as the harmonic mean of both sides' numbers
/// counts them.
fn enough_channels((inputs, outputs): (usize, usize), least: usize) -> bool {
    2 * inputs * outputs >= least * (inputs + outputs)
}

/// Whether enough pixels of the lanes exist.
fn enough_pixels<F: Filter>(_: F, phases: &[Phase], lanes: f64) -> bool {
    let pixels = phases.first().map_or(0, |phase| phase.size.0 * phase.size.1);
    pixels as f64 >= LEAST_USE * (F::SIDE * F::SIDE) as f64 * lanes
}

fn tiles(phases: &[Phase]) -> usize {
    phases.iter().map(|phase| phase.tiles.0 * phase.tiles.1).sum()
}
