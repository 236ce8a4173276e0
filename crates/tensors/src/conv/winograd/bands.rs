//! Large maps: bands of rows of tiles that are worked on one after the other.

use std::ops::Range;

use super::filter::Two;
use super::{Phase, enough_channels, enough_pixels, tiles};
use crate::conv::lanes::width;
use crate::conv::vectors::{Target, Vectors};

/// Lanes of tiles that are worked on at once: what is transformed stays in the second-level cache.
const LANES: usize = 96;

/// Tiles below which transforming the weights into memory does not pay.
const LEAST_TILES: usize = 48;

/// Some rows of tiles of a phase.
pub(super) struct Band<'a> {
    pub(super) phase: &'a Phase,
    pub(super) rows: Range<usize>,
    pub(super) vectors: Vectors,
}

impl<'a> Band<'a> {
    /// All rows of a phase in bands of up to `rows`.
    pub(super) fn all(phase: &'a Phase, rows: usize) -> impl Iterator<Item = Self> {
        let bands = phase.tiles.0.div_ceil(rows);
        let bound = move |band: usize| band * phase.tiles.0 / bands;
        (0..bands).map(move |band| {
            let rows = bound(band)..bound(band + 1);
            Self { phase, vectors: vectors(phase, rows.len()), rows }
        })
    }
}

/// The tiles of some rows as vectors.
fn vectors(phase: &Phase, rows: usize) -> Vectors {
    Vectors::new(rows, phase.canvas.pitch, &Target::plane((rows, phase.tiles.1)), width())
}

/// Rows of tiles that fill up to [`LANES`], at least one.
pub(super) fn rows(phase: &Phase) -> usize {
    let most = (LANES / phase.tiles.1).clamp(1, phase.tiles.0);
    let fill = |rows: &usize| vectors(phase, *rows).list.len() * width() <= LANES;
    (1..=most).rev().find(fill).unwrap_or(1)
}

/// Whether bands pay: enough tiles, enough of their pixels exist, and enough channels share each transform.
pub(super) fn pay(phases: &[Phase], batch: usize, channels: (usize, usize), least: usize) -> bool {
    let lanes = |phase: &Phase| {
        let rows = rows(phase);
        (vectors(phase, rows).list.len() * width()) as f64 * (phase.tiles.0 as f64 / rows as f64)
    };
    enough_channels(channels, least)
        && batch * tiles(phases) >= LEAST_TILES
        && enough_pixels(Two, phases, phases.iter().map(lanes).sum())
}
