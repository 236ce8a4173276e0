//! The same picture under two names, also when one was stored anew, at another quality or size.
//!
//! Three sieves, each for those that passed the one before: a perceptual hash (gradients of 8 x 8 gray cells, as
//! N. Krawetz describes it as "dHash"), mean colours of 4 x 4 cells, and at last both files read again and compared as
//! thumbnails of 64 x 64. The first two are kept in memory; the last tells alike faces from one face.

use image::RgbImage;
use image_hasher::{FilterType, HashAlg, Hasher, HasherConfig};
use rayon::prelude::*;

use super::Defect;
use crate::dataset::Split;
use crate::inventory::Item;
use crate::resize::resize_image;
use crate::rgb::read_rgb;

/// Most bits of 64 by which the hashes of one picture may differ.
const HASH_BITS: u32 = 8;
/// Most levels of 255 by which the colours of 4 x 4 cells may differ on average.
const CELL_LEVELS: u64 = 6;
/// Side of the thumbnails in pixels.
const THUMBNAIL: usize = 64;
/// Most levels of 255 by which the thumbnails of one picture may differ on average.
///
/// Storing a photograph anew as JPEG of quality 50 or at half its size changes its thumbnail by less than 2 levels;
/// the thumbnails of two faces differ by 10 and more.
const THUMBNAIL_LEVELS: f64 = 3.0;
/// Most that the shapes of one picture at two sizes may differ, relative.
const SHAPE: f64 = 0.02;

/// What is kept of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprint {
    hash: u64,
    cells: [u8; 48],
}

/// Makes fingerprints.
pub(super) struct Hashing(Hasher<[u8; 8]>);

impl Hashing {
    pub(super) fn new() -> Self {
        let config = HasherConfig::with_bytes_type::<[u8; 8]>();
        Self(
            config
                .hash_size(8, 8)
                .hash_alg(HashAlg::Gradient)
                .resize_filter(FilterType::Triangle)
                .to_hasher(),
        )
    }

    /// None for a picture without pixels.
    pub(super) fn fingerprint(&self, image: &RgbImage) -> Option<Fingerprint> {
        // The hash is taken of the thumbnail, which the fast resizer makes of a large picture.
        let thumbnail = thumbnail(image)?;
        let hash = u64::from_le_bytes(self.0.hash_image(&thumbnail).into_inner());
        let cells = resize_image(&thumbnail, (4, 4)).ok()?;
        Some(Fingerprint { hash, cells: cells.as_raw().as_slice().try_into().ok()? })
    }
}

impl Fingerprint {
    fn resembles(&self, other: &Self) -> bool {
        (self.hash ^ other.hash).count_ones() <= HASH_BITS
            && difference(&self.cells, &other.cells) <= CELL_LEVELS * self.cells.len() as u64
    }
}

/// Each picture that is there earlier too: in another split, or anywhere where the set has no splits.
pub(super) fn pictures(items: &[Item], prints: &[Option<Fingerprint>]) -> Vec<Defect> {
    let has_splits = items.iter().any(|item| item.split.is_some());
    // The order of splits, so that the picture in the training set is the earlier one.
    let rank =
        |split: Option<Split>| split.and_then(|split| Split::ALL.iter().position(|other| *other == split));
    let earlier =
        |at: usize, other: usize| match (has_splits, rank(items[at].split), rank(items[other].split)) {
            (false, ..) => other < at,
            (true, Some(mine), Some(theirs)) => theirs < mine,
            _ => false,
        };
    let all: Vec<(usize, &Fingerprint)> =
        prints.iter().enumerate().filter_map(|(at, print)| Some((at, print.as_ref()?))).collect();
    let found = all.par_iter().filter_map(|(at, print)| {
        let mine = &items[*at];
        let (_, other) = all.iter().map(|(other, theirs)| (theirs, *other)).find(|(theirs, other)| {
            print.resembles(theirs)
                && earlier(*at, *other)
                && items[*other].image != mine.image
                && same_picture(mine, &items[*other])
        })?;
        let other = &items[other];
        let (file, split) = (mine.image.clone(), mine.split);
        Some(Defect::SameImage { file, split, other: other.image.clone(), other_split: other.split })
    });
    found.collect()
}

/// Reads both pictures again and compares their thumbnails.
fn same_picture(a: &Item, b: &Item) -> bool {
    let (Ok(a), Ok(b)) = (read_rgb(&a.image), read_rgb(&b.image)) else { return false };
    let shape = |image: &RgbImage| f64::from(image.width()) / f64::from(image.height());
    if (shape(&a) / shape(&b)).ln().abs() > SHAPE {
        return false;
    }
    thumbnail(&a)
        .zip(thumbnail(&b))
        .is_some_and(|(a, b)| difference(&a, &b) as f64 <= THUMBNAIL_LEVELS * a.len() as f64)
}

fn thumbnail(image: &RgbImage) -> Option<RgbImage> {
    let holds_pixels = image.width() > 0 && image.height() > 0;
    holds_pixels.then(|| resize_image(image, (THUMBNAIL, THUMBNAIL)).ok()).flatten()
}

fn difference(a: &[u8], b: &[u8]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
}
