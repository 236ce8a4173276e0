//! Which lane each tile of a small map has.

use std::ops::Range;

use rayon::prelude::*;

use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, run};
use crate::conv::parts::{Parts, filled, with_scratch};
use crate::conv::winograd::{POINTS, Phase, transform};

/// Most lanes of a group, unless a row has more: with few results, their products stay in the second-level cache.
const LANES: usize = 192;

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

/// The transformed tiles of planes: (point, channel, lane).
pub(super) struct Transformed {
    values: Vec<f32>,
    /// Floats of a channel: whole vectors on every processor, and room for one more.
    pub(super) row: usize,
    /// Floats of a point, an odd number of cache lines.
    point: usize,
}

impl Transformed {
    /// The channels of a point.
    pub(super) fn of(&self, point: usize) -> &[f32] {
        &self.values[point * self.point..][..self.point]
    }
}

impl<'a> Tiles<'a> {
    /// All tiles of all images, in about equal groups.
    pub(super) fn groups(phases: &'a [Phase], batch: usize) -> Vec<Self> {
        let all = batch * super::count(phases);
        let most = all.div_ceil(all.div_ceil(LANES));
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

    /// Transforms the tiles of all `channels` planes of each image, of `plane` pixels.
    pub(super) fn transform(&self, source: &[f32], channels: usize, plane: usize) -> Transformed {
        let row = self.lanes.next_multiple_of(MOST_LANES) + MOST_LANES;
        let point = ((channels * row / MOST_LANES) | 1) * MOST_LANES;
        let size = |phase: &Phase| phase.canvas.size(1, 1, phase.tiles.0);
        let canvas = self.rows.iter().map(|row| size(row.phase)).max().unwrap_or(0);
        let write = |values: Parts| {
            (0..channels).into_par_iter().with_min_len(4).for_each(|number| {
                let channel = Channel { tiles: self, source, channels, plane, number, values, row, point };
                with_scratch(canvas, |canvas| run(ChannelIn { channel, canvas }));
            });
        };
        // SAFETY: each channel writes all lanes of its rows, and what follows them to the next row.
        let values = unsafe { filled(POINTS * point, write) };
        Transformed { values, row, point }
    }
}

/// A channel of all images that is to be transformed.
struct Channel<'a> {
    tiles: &'a Tiles<'a>,
    source: &'a [f32],
    channels: usize,
    plane: usize,
    number: usize,
    values: Parts,
    row: usize,
    point: usize,
}

struct ChannelIn<'a> {
    channel: Channel<'a>,
    canvas: &'a mut [f32],
}

impl Kernel for ChannelIn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { channel, canvas } = self;
        canvas.fill(0.0); // vectors may touch what lies behind the planes
        let mut offsets = Vec::new();
        for (number, row) in channel.tiles.rows.iter().enumerate() {
            let phase = row.phase;
            if number == 0 || row.row == 0 {
                let all = phase.tiles.0;
                let source =
                    &channel.source[(row.image * channel.channels + channel.number) * channel.plane..];
                let planes = &mut canvas[..phase.canvas.image_size(all)];
                // SAFETY: the instructions are there by the contract of `Kernel::run`.
                unsafe { phase.canvas.fill::<L>(&source[..channel.plane], 0..all, planes) };
                offsets = phase.offsets(all);
            }
            // SAFETY: as above; this task alone has the channel.
            unsafe { channel.transform::<L>(row, canvas, &offsets) };
        }
        channel.end_rows();
    }
}

impl Channel<'_> {
    /// Where the channel's row of a point begins.
    fn start(&self, point: usize) -> usize {
        point * self.point + self.number * self.row
    }

    /// Writes the tiles of a row, and arbitrary values to less than a vector of lanes behind them.
    #[inline(always)]
    unsafe fn transform<L: Lanes>(&self, row: &Row, canvas: &[f32], offsets: &[usize]) {
        let to = self.values.at(self.start(0) + row.lanes.start);
        for first in (0..row.lanes.len()).step_by(L::WIDTH) {
            // SAFETY: a canvas has room for a vector at each position and offset, a row for one behind its last lane.
            unsafe {
                let from = canvas.as_ptr().add(row.row * row.phase.canvas.pitch + first);
                transform::tiles::<L>(from, offsets, to.add(first), self.point);
            }
        }
    }

    /// Sets what lies behind the last lane to zero.
    fn end_rows(&self) {
        for point in 0..POINTS {
            let last = self.number + 1 == self.channels;
            let end = if last { (point + 1) * self.point } else { self.start(point) + self.row };
            let start = self.start(point) + self.tiles.lanes;
            // SAFETY: this task alone has the channel.
            unsafe { self.values.uninit(start, end - start) }.iter_mut().for_each(|value| {
                value.write(0.0);
            });
        }
    }
}
