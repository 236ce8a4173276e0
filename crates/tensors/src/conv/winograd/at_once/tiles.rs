//! Which lane each tile of a small map has.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::padded::Padded;
use crate::conv::lanes::{Kernel, Lanes, MOST_LANES, clear, run};
use crate::conv::parts::{Parts, filled, with_scratch};
use crate::conv::winograd::Phase;
use crate::conv::winograd::filter::Filter;

/// Channels of a task.
const CHANNELS: usize = 8;

/// A group of rows of tiles, without gaps between them.
pub(super) struct Tiles<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) lanes: usize,
}

/// A row of tiles of a phase of an image.
pub(super) struct Row<'a> {
    pub(super) image: usize,
    pub(super) phase: &'a Phase,
    pub(super) row: usize,
    pub(super) lanes: Range<usize>,
}

impl Row<'_> {
    /// The column of each tile's first pixel.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        (0..self.lanes.len()).map(|tile| self.phase.first_pixel((self.row, tile)).1)
    }
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
    /// Floats of a channel: whole vectors on every processor.
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
    pub(super) fn of(&self, image: usize, channel: usize) -> &'a [f32] {
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

    /// Transforms the tiles of all planes, for so many channels at a time.
    pub(super) fn transform<F: Filter>(&self, planes: Planes, portion: usize) -> Transformed {
        let row = self.lanes.next_multiple_of(MOST_LANES);
        let point = ((portion * row / MOST_LANES) | 1) * MOST_LANES;
        let layout = Layout { portion, row, point, points: F::POINTS };
        let channels = planes.channels.next_multiple_of(portion);
        let padded = Padded::new::<F>(&self.rows);
        let write = |values: Parts| {
            (0..channels.div_ceil(CHANNELS)).into_par_iter().for_each(|number| {
                let numbers = number * CHANNELS..((number + 1) * CHANNELS).min(channels);
                let channels =
                    Channels { padded: &padded, lanes: self.lanes, planes, numbers, values, layout };
                with_scratch(padded.size(), |canvas| {
                    run(ChannelsIn { filter: PhantomData::<F>, channels, canvas });
                });
            });
        };
        // SAFETY: each channel writes all lanes of its rows, and what follows the last one to the next point.
        let values = unsafe { filled(channels / portion * F::POINTS * layout.point, write) };
        Transformed { values, layout }
    }
}

/// Channels of all images that are to be transformed; those that do not exist are zero.
struct Channels<'a> {
    padded: &'a Padded,
    lanes: usize,
    planes: Planes<'a>,
    numbers: Range<usize>,
    values: Parts,
    layout: Layout,
}

struct ChannelsIn<'a, F> {
    filter: PhantomData<F>,
    channels: Channels<'a>,
    canvas: &'a mut [f32],
}

impl<F: Filter> Kernel for ChannelsIn<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { channels, canvas, .. } = self;
        canvas.fill(0.0);
        for channel in channels.numbers.clone() {
            // SAFETY: the instructions are there by the contract of `Kernel::run`; this task alone has the channel.
            unsafe { channels.transform::<L, F>(channel, canvas) };
        }
    }
}

impl Channels<'_> {
    /// Writes a channel's tiles of all images, and zeros behind them.
    #[inline(always)]
    unsafe fn transform<L: Lanes, F: Filter>(&self, channel: usize, canvas: &mut [f32]) {
        let exists = channel < self.planes.channels;
        // SAFETY: by contract; a row has room for whole vectors.
        unsafe {
            if exists {
                let to = self.values.at(self.layout.start(channel, 0));
                self.padded.fill::<L>(self.planes, channel, canvas);
                self.padded.transform::<L, F>(canvas, to, self.layout.point);
            }
            self.clear_from::<L>(channel, if exists { self.lanes } else { 0 });
        }
    }

    /// Sets the lanes from one on to zero, and what lies behind them to the next row or the next point.
    #[inline(always)]
    unsafe fn clear_from<L: Lanes>(&self, channel: usize, lane: usize) {
        let Layout { portion, row, point, .. } = self.layout;
        let last = (channel + 1).is_multiple_of(portion);
        let len = row - lane + if last { point - portion * row } else { 0 };
        for number in 0..self.layout.points {
            let start = self.layout.start(channel, number) + lane;
            // SAFETY: by contract; this task alone has the channel.
            unsafe { clear::<L>(self.values.slice(start, len)) };
        }
    }
}
