//! Small maps, and larger ones group by group: the tiles of all images and phases next to each other in the lanes of
//! vectors, so that few are empty, and each channel transformed once, into memory.

mod correlation;
mod padded;
mod tiles;
mod weight_gradient;

use super::filter::{Filter, Two};
use super::{Phase, enough_channels, enough_pixels, tiles as count};
use crate::conv::lanes::MOST_LANES;

pub(super) use correlation::correlation;
pub(super) use weight_gradient::weight_gradient;

/// Most floats of a group of transformed tiles of the source: beyond them, bands take less memory.
const MOST_FLOATS: usize = 20 << 20;

/// Whether this is the way to go from so many source channels to so many results, both of a group.
pub(super) fn pays<F: Filter>(
    filter: F,
    phases: &[Phase],
    batch: usize,
    groups: usize,
    channels: (usize, usize),
) -> bool {
    let tiles = batch * count(phases);
    let lanes = tiles.next_multiple_of(MOST_LANES) as f64 / batch.max(1) as f64;
    groups == 1
        && F::TILES.contains(&tiles)
        && F::POINTS * tiles.min(F::LANES) * channels.0 <= MOST_FLOATS
        && enough_channels(channels, F::least_channels(tiles))
        && enough_pixels(filter, phases, lanes)
}

/// As [`pays`], for the gradient for the weights, which holds the transforms of all tiles of both sides at the same time. Fewer
/// tiles than points would be less work than their sums.
pub(super) fn sums_pay<F: Filter>(
    filter: F,
    phases: &[Phase],
    batch: usize,
    groups: usize,
    channels: (usize, usize),
) -> bool {
    let tiles = batch * count(phases);
    let floats = F::POINTS * tiles * channels.0.max(channels.1);
    tiles >= F::POINTS && floats <= MOST_FLOATS && pays(filter, phases, batch, groups, channels)
}

/// Whether the tiles are so few that each weight is transformed once.
pub(super) fn in_one_group(phases: &[Phase], batch: usize) -> bool {
    batch * count(phases) <= Two::LANES
}
