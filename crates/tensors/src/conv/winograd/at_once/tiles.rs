//! Which lane each tile of a small map has.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use crate::conv::canvas::AHEAD;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, clear, run};
use crate::conv::parts::{Parts, filled, with_scratch};
use crate::conv::winograd::Phase;
use crate::conv::winograd::filter::Filter;
use crate::fetch::fetch_line;

/// A group of rows of tiles, without gaps between them.
pub(super) struct Tiles<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) lanes: usize,
}

/// A row of tiles of a phase of an image.
pub(super) struct Row<'a> {
    image: usize,
    phase: &'a Phase,
    row: usize,
    lanes: Range<usize>,
}

/// Neighbouring tiles in a vector.
pub(super) struct Piece<'a> {
    pub(super) image: usize,
    pub(super) phase: &'a Phase,
    /// Row and column of the first tile.
    pub(super) tile: (usize, usize),
    /// Among those of the vector.
    pub(super) lanes: Range<usize>,
}

/// The transformed tiles of planes: (portion of the channels, point, channel, lane), so that what is used together lies together.
pub(super) struct Transformed {
    values: Vec<f32>,
    layout: Layout,
}

#[derive(Clone, Copy)]
struct Layout {
    /// Channels of a portion.
    portion: usize,
    /// Floats of a channel: whole vectors on every processor, and room for one more.
    row: usize,
    /// Floats of a point, an odd number of cache lines.
    point: usize,
    /// Of a tile.
    points: usize,
}

impl Transformed {
    /// The channels of a portion at a point.
    pub(super) fn of(&self, portion: usize, point: usize) -> &[f32] {
        &self.values[(portion * self.layout.points + point) * self.layout.point..][..self.layout.point]
    }

    /// Floats from one channel to the next.
    pub(super) fn row(&self) -> usize {
        self.layout.row
    }

    /// All points of a portion, nothing if there is no such portion.
    pub(super) fn of_all(&self, portion: usize) -> &[f32] {
        let size = self.layout.points * self.layout.point;
        self.values.get(portion * size..(portion + 1) * size).unwrap_or(&[])
    }
}

impl Layout {
    /// Where the row of a channel at a point begins.
    fn start(&self, channel: usize, point: usize) -> usize {
        let (portion, place) = (channel / self.portion, channel % self.portion);
        (portion * self.points + point) * self.point + place * self.row
    }
}

/// Planes of all images.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    pub(super) values: &'a [f32],
    /// Of an image.
    pub(super) channels: usize,
    /// Pixels of a plane.
    pub(super) size: usize,
}

impl<'a> Planes<'a> {
    fn of(&self, image: usize, channel: usize) -> &'a [f32] {
        &self.values[(image * self.channels + channel) * self.size..][..self.size]
    }
}

impl<'a> Tiles<'a> {
    /// All tiles of all images, in about equal groups of about so many `lanes`.
    pub(super) fn groups(phases: &'a [Phase], batch: usize, lanes: usize) -> Vec<Self> {
        let all = batch * super::count(phases);
        let most = all.div_ceil(all.div_ceil(lanes));
        let mut groups: Vec<Self> = Vec::new();
        for (image, phase) in (0..batch).flat_map(|image| phases.iter().map(move |phase| (image, phase))) {
            for row in 0..phase.tiles.0 {
                if groups.last().is_none_or(|group| group.lanes >= most) {
                    groups.push(Self { rows: Vec::new(), lanes: 0 });
                }
                if let Some(group) = groups.last_mut() {
                    let lanes = group.lanes..group.lanes + phase.tiles.1;
                    group.lanes = lanes.end;
                    group.rows.push(Row { image, phase, row, lanes });
                }
            }
        }
        groups
    }

    /// The tiles of a range of lanes.
    pub(super) fn pieces(&self, lanes: Range<usize>) -> impl Iterator<Item = Piece<'_>> {
        let first = self.rows.partition_point(|row| row.lanes.end <= lanes.start);
        let rows = self.rows[first..].iter().take_while(move |row| row.lanes.start < lanes.end);
        rows.map(move |row| {
            let (start, end) = (row.lanes.start.max(lanes.start), row.lanes.end.min(lanes.end));
            Piece {
                image: row.image,
                phase: row.phase,
                tile: (row.row, start - row.lanes.start),
                lanes: start - lanes.start..end - lanes.start,
            }
        })
    }

    fn runs(&self) -> Vec<Run<'_>> {
        let of_one = |a: &Row, b: &Row| a.image == b.image && std::ptr::eq(a.phase, b.phase);
        let runs = self.rows.chunk_by(of_one);
        runs.map(|rows| Run { rows, offsets: rows[0].phase.offsets(rows.len()) }).collect()
    }

    /// Transforms the tiles of all planes, for so many channels at a time.
    pub(super) fn transform<F: Filter>(&self, planes: Planes, portion: usize) -> Transformed {
        let row = self.lanes.next_multiple_of(MOST_LANES) + MOST_LANES;
        let point = ((portion * row / MOST_LANES) | 1) * MOST_LANES;
        let layout = Layout { portion, row, point, points: F::POINTS };
        let channels = planes.channels.next_multiple_of(portion);
        let size = |row: &Row| row.phase.canvas.size(1, 1, row.phase.tiles.0);
        let canvas = self.rows.iter().map(size).max().unwrap_or(0);
        let runs = self.runs();
        let write = |values: Parts| {
            (0..channels).into_par_iter().with_min_len(4).for_each(|number| {
                let channel = Channel { runs: &runs, lanes: self.lanes, planes, number, values, layout };
                with_scratch(canvas, |canvas| run(ChannelIn { filter: PhantomData::<F>, channel, canvas }));
            });
        };
        // SAFETY: each channel writes all lanes of its rows, and what follows them to the next row or the next point.
        let values = unsafe { filled(channels / portion * F::POINTS * layout.point, write) };
        Transformed { values, layout }
    }
}

/// Rows of tiles of one phase of an image, with the distances of a tile's points in their canvas.
struct Run<'a> {
    rows: &'a [Row<'a>],
    offsets: Vec<usize>,
}

/// A channel of all images that is to be transformed; one that does not exist is zero.
struct Channel<'a> {
    runs: &'a [Run<'a>],
    lanes: usize,
    planes: Planes<'a>,
    number: usize,
    values: Parts,
    layout: Layout,
}

struct ChannelIn<'a, F> {
    filter: PhantomData<F>,
    channel: Channel<'a>,
    canvas: &'a mut [f32],
}

impl<F: Filter> Kernel for ChannelIn<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { channel, canvas, .. } = self;
        if channel.number < channel.planes.channels {
            // SAFETY: the instructions are there by the contract of `Kernel::run`; this task alone has the channel.
            unsafe {
                channel.transform::<L, F>(canvas);
                channel.clear_from::<L>(channel.lanes);
            }
        } else {
            // SAFETY: as above.
            unsafe { channel.clear_from::<L>(0) };
        }
    }
}

impl Channel<'_> {
    /// Writes the tiles of all images, and arbitrary values to less than a vector of lanes behind them.
    #[inline(always)]
    unsafe fn transform<L: Lanes, F: Filter>(&self, canvas: &mut [f32]) {
        for Run { rows: run, offsets } in self.runs {
            let Row { image, phase, row: first, .. } = run[0];
            let rows = first..first + run.len();
            let canvas = &mut canvas[..phase.canvas.size(1, 1, run.len())];
            let (planes, behind) = canvas.split_at_mut(phase.canvas.image_size(run.len()));
            behind.fill(0.0); // vectors may touch it
            if self.number + AHEAD < self.planes.channels {
                phase.canvas.fetch(self.planes.of(image, self.number + AHEAD), &rows);
            }
            // SAFETY: by contract.
            unsafe { phase.canvas.fill::<L>(self.planes.of(image, self.number), rows, planes) };
            for row in *run {
                let from = &canvas[(row.row - first) * phase.canvas.pitch..];
                // SAFETY: by contract.
                unsafe { self.transform_row::<L, F>(row, from, offsets) };
            }
        }
    }

    /// Writes a row of tiles, and asks the memory for that of the next channel.
    #[inline(always)]
    unsafe fn transform_row<L: Lanes, F: Filter>(&self, row: &Row, from: &[f32], offsets: &[usize]) {
        let to = self.values.at(self.layout.start(self.number, 0) + row.lanes.start);
        for first in (0..row.lanes.len()).step_by(L::WIDTH) {
            // SAFETY: a canvas has room for a vector at each position and offset, a row for one behind its last lane.
            unsafe {
                F::tiles::<L>(from.as_ptr().add(first), offsets, to.add(first), self.layout.point);
            }
            let next = to.wrapping_add(first + self.layout.row);
            (0..F::POINTS).for_each(|point| fetch_line(next.wrapping_add(point * self.layout.point)));
        }
    }

    /// Sets the lanes from one on to zero, and what lies behind them to the next row or the next point.
    #[inline(always)]
    unsafe fn clear_from<L: Lanes>(&self, lane: usize) {
        let Layout { portion, row, point, .. } = self.layout;
        let last = (self.number + 1).is_multiple_of(portion);
        let len = row - lane + if last { point - portion * row } else { 0 };
        for number in 0..self.layout.points {
            let start = self.layout.start(self.number, number) + lane;
            // SAFETY: by contract; this task alone has the channel.
            unsafe { clear::<L>(self.values.slice(start, len)) };
        }
    }
}
