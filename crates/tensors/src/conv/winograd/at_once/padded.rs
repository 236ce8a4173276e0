//! Planes with their padding, in which each lane finds its tile, however few there are in a row.

use std::ops::Range;

use super::tiles::{Planes, Row};
use crate::conv::canvas::{AHEAD, Canvas};
use crate::conv::lanes::{Lanes, MOST_LANES, Picks};
use crate::conv::winograd::filter::{Filter, Pixels};
use crate::fetch::fetch_line;

/// Where the tiles of a group are in the planes of their images.
pub(super) struct Padded {
    planes: Vec<Plane>,
    size: usize,
    /// The distances of a tile's points.
    offsets: Vec<usize>,
    /// The tiles of all lanes, vector after vector.
    picks: Vec<Picks>,
}

/// Rows of an image that are a dilation apart.
struct Plane {
    image: usize,
    canvas: Canvas,
    /// Lines of the canvas, less those that only its halo has.
    lines: Range<usize>,
    /// Where it begins.
    start: usize,
}

impl Padded {
    pub(super) fn new<F: Filter>(rows: &[Row]) -> Self {
        let columns = columns(rows);
        let (mut planes, mut places, mut size) = (Vec::<Plane>::new(), Vec::<usize>::new(), 0);
        let phase_row = |row: &Row| row.phase.first_pixel((0, 0)).0;
        for rows in rows.chunk_by(|a, b| a.image == b.image && phase_row(a) == phase_row(b)) {
            let canvas = rows[0].phase.lines(&columns);
            let line = |row: &Row| row.row * F::SIDE;
            let first = rows.iter().map(line).min().unwrap_or(0);
            let lines = first..rows.iter().map(line).max().unwrap_or(first) + 1;
            for row in rows {
                let start = size + (line(row) - first) * canvas.pitch;
                places.extend(row.columns().map(|column| start + column - columns.start));
            }
            let start = size;
            size += canvas.image_size(lines.len());
            planes.push(Plane { image: rows[0].image, canvas, lines, start });
        }
        assert!(i32::try_from(size).is_ok(), "a plane has too many pixels");
        let picks = places
            .chunks(MOST_LANES)
            .map(|places| Picks::new(std::array::from_fn(|lane| places[lane.min(places.len() - 1)] as i32)));
        // A canvas of one plane: its lines and columns alone count, which are alike in all.
        let offsets =
            planes.first().map_or_else(Vec::new, |plane| plane.canvas.all_offsets(plane.lines.len()));
        Self { picks: picks.collect(), planes, size, offsets }
    }

    /// Floats of all planes, with room for vectors that start on the last.
    pub(super) fn size(&self) -> usize {
        self.size + MOST_LANES
    }

    /// Copies a channel of all images to `target`, in which the padding is zero.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `L`.
    #[inline(always)]
    pub(super) unsafe fn fill<L: Lanes>(&self, source: Planes, channel: usize, target: &mut [f32]) {
        for Plane { image, canvas, lines, start } in &self.planes {
            if channel + AHEAD < source.channels {
                canvas.fetch(source.of(*image, channel + AHEAD), lines);
            }
            let target = &mut target[*start..];
            // SAFETY: by contract.
            unsafe { canvas.refill::<L>(source.of(*image, channel), lines.clone(), target) };
        }
    }

    /// Writes the transforms of all tiles, whole vectors of them, `point` floats apart. Asks the memory for the row behind them.
    ///
    /// # Safety
    ///
    /// As [`fill`](Self::fill), which must have filled `source`; all vectors must be valid.
    #[inline(always)]
    pub(super) unsafe fn transform<L: Lanes, F: Filter>(&self, source: &[f32], to: *mut f32, point: usize) {
        assert!(source.len() >= self.size());
        let row = self.picks.len() * MOST_LANES;
        for (number, picks) in self.picks.iter().enumerate() {
            let to = to.wrapping_add(number * MOST_LANES);
            for first in (0..MOST_LANES).step_by(L::WIDTH) {
                let pixels = Picked { from: source.as_ptr(), offsets: &self.offsets, picks, first };
                // SAFETY: by contract; each tile's points lie in its plane, and the widest vector behind them in `source`.
                unsafe { F::tiles::<L>(pixels, to.add(first), point) };
            }
            let next = to.wrapping_add(row);
            (0..F::POINTS).for_each(|place| fetch_line(next.wrapping_add(place * point)));
        }
    }
}

/// From the first to the last column of the tiles' first pixels.
fn columns(rows: &[Row]) -> Range<usize> {
    let columns = || rows.iter().flat_map(Row::columns);
    columns().min().unwrap_or(0)..columns().max().unwrap_or(0) + 1
}

/// Tiles whose pixels lie at the `offsets` from those of picks, from the `first` of them on.
struct Picked<'a> {
    from: *const f32,
    offsets: &'a [usize],
    picks: &'a Picks,
    first: usize,
}

impl<L: Lanes> Pixels<L> for Picked<'_> {
    #[inline(always)]
    unsafe fn at(&self, number: usize) -> L {
        // SAFETY: by contract.
        unsafe { L::load_picks(self.from.add(self.offsets[number]), self.picks, self.first) }
    }
}
