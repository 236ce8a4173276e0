//! Small maps: the tiles of all images and phases next to each other in the lanes of vectors, so that few are empty, and
//! each channel transformed once, into memory.

mod correlation;
mod tiles;
mod weight_gradient;

use super::{POINTS, Phase, enough_channels, enough_pixels, tiles as count};
use crate::conv::lanes::MOST_LANES;

pub(super) use correlation::correlation;
pub(super) use weight_gradient::weight_gradient;

/// Fewest tiles of all images: about a vector.
const LEAST_TILES: usize = 12;
/// Most tiles of all images.
const MOST_TILES: usize = 768;
/// Most tiles whose products stay in the second-level cache all at once.
const LANES: usize = 192;
/// Most floats of all transformed tiles of the source: beyond them, bands are faster and take less memory.
const MOST_FLOATS: usize = 12 << 20;
/// Fewest channels, as a mean of both sides.
const LEAST_CHANNELS: usize = 64;

/// Whether this is the way to go from so many source channels to so many results, both of a group.
pub(super) fn pays(phases: &[Phase], batch: usize, groups: usize, channels: (usize, usize)) -> bool {
    let tiles = batch * count(phases);
    let lanes = tiles.next_multiple_of(MOST_LANES) as f64 / batch.max(1) as f64;
    groups == 1
        && (LEAST_TILES..=MOST_TILES).contains(&tiles)
        && POINTS * tiles * channels.0 <= MOST_FLOATS
        && enough_channels(channels, LEAST_CHANNELS)
        && enough_pixels(phases, lanes)
}

/// Whether the tiles are so few that each weight is transformed once.
pub(super) fn in_one_group(phases: &[Phase], batch: usize) -> bool {
    batch * count(phases) <= LANES
}
