//! The same picture under two names, also when one was stored anew, at another quality or size.
//!
//! Three sieves, each for those that passed the one before: a perceptual hash (gradients of 8 x 8 gray cells, as
//! N. Krawetz describes it as "dHash"), mean colours of 4 x 4 cells, and at last both files read again and compared as
//! thumbnails of 32 x 32. The first two are kept in memory; the last tells alike faces from one face.

use image::RgbImage;
use rayon::prelude::*;

use super::near::Near;
use crate::dataset::Split;
use crate::defect::Defect;
use crate::inventory::Item;
use crate::resize::resize_image;
use crate::rgb::read_rgb;

/// Most bits of 64 by which the hashes of one picture may differ.
const HASH_BITS: u32 = 12;
/// Most levels of 255 by which the colours of 4 x 4 cells may differ on average.
const CELL_LEVELS: u64 = 4;
/// Side of the thumbnails in pixels.
const THUMBNAIL: usize = 32;
/// Most levels of 255 by which the thumbnails of one picture may differ on average.
///
/// Measured: storing a picture anew as JPEG of quality 50, or at half its size, changes its thumbnail by 1 level, in
/// pictures of 96 pixels by up to 4; any two of 60 procedural faces differ by 19 or more, photographs by 27.
const THUMBNAIL_LEVELS: f64 = 6.0;
/// Most that the shapes of one picture at two sizes may differ, relative.
const SHAPE: f64 = 0.02;

/// What is kept of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprint {
    hash: u64,
    cells: [u8; 48],
}

impl Fingerprint {
    /// None for a picture without pixels.
    pub(super) fn of(image: &RgbImage) -> Option<Self> {
        // Both are taken of the thumbnail, which the fast resizer makes of a large picture.
        let thumbnail = thumbnail(image)?;
        let cells = resize_image(&thumbnail, (4, 4)).ok()?;
        Some(Self { hash: gradients(&thumbnail)?, cells: cells.as_raw().as_slice().try_into().ok()? })
    }

    /// Whether the colours are alike, for two whose hashes are near.
    fn resembles(&self, other: &Self) -> bool {
        difference(&self.cells, &other.cells) <= CELL_LEVELS * self.cells.len() as u64
    }
}

/// A bit for each of 8 x 8 gray cells: whether it is darker than the cell to its right.
fn gradients(image: &RgbImage) -> Option<u64> {
    let gray = image::imageops::grayscale(&resize_image(image, (8, 9)).ok()?);
    let rows = gray.as_raw().chunks_exact(9);
    let bits = rows.flat_map(|row| row.windows(2).map(|pair| u64::from(pair[0] < pair[1])));
    Some(bits.fold(0, |hash, bit| hash << 1 | bit))
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
    let hashes: Vec<u64> = all.iter().map(|(_, print)| print.hash).collect();
    let near = Near::new(&hashes, HASH_BITS);
    let found = all.par_iter().filter_map(|(at, print)| {
        let mine = &items[*at];
        let alike = near.to(print.hash).into_iter().map(|place| (all[place].1, all[place].0));
        let (_, other) = alike.into_iter().find(|(theirs, other)| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faces;
    use tempfile::TempDir;

    fn item(id: String, image: std::path::PathBuf) -> Item {
        Item { id, split: None, labels: image.clone(), image, edges: None }
    }

    /// Writes faces as PNG and what `again` makes of each behind them; the stems of those found to be the same.
    fn found(count: u64, again: impl Fn(&RgbImage) -> Option<Vec<u8>>) -> Vec<(String, String)> {
        let folder = TempDir::new().unwrap();
        let mut items = Vec::new();
        let pictures: Vec<RgbImage> = (0..count).map(|index| faces::render(5, index, 96).image).collect();
        for (index, picture) in pictures.iter().enumerate() {
            let path = folder.path().join(format!("{index}.png"));
            crate::write_rgb_png(&path, picture).unwrap();
            items.push(item(index.to_string(), path));
        }
        for (index, bytes) in
            pictures.iter().enumerate().filter_map(|(index, picture)| Some((index, again(picture)?)))
        {
            let path = folder.path().join(format!("{index}-again"));
            std::fs::write(&path, bytes).unwrap();
            items.push(item(format!("{index}-again"), path));
        }
        let prints: Vec<_> =
            items.iter().map(|item| Fingerprint::of(&read_rgb(&item.image).unwrap())).collect();
        let stem = |path: &std::path::Path| path.file_stem().unwrap().to_string_lossy().into_owned();
        let same = super::pictures(&items, &prints).into_iter().map(|defect| match defect {
            Defect::SameImage { file, other, .. } => (stem(&file), stem(&other)),
            other => panic!("{other}"),
        });
        same.collect()
    }

    fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(image).unwrap();
        bytes
    }

    #[test]
    fn a_picture_stored_anew_or_at_half_its_size_is_the_same() {
        let expected: Vec<_> = (0..20).map(|index| (format!("{index}-again"), index.to_string())).collect();
        assert_eq!(found(20, |picture| Some(jpeg(picture, 50))), expected);
        assert_eq!(found(20, |picture| Some(jpeg(&resize_image(picture, (48, 48)).unwrap(), 90))), expected);
    }

    #[test]
    fn other_faces_and_other_shapes_are_not_the_same() {
        assert_eq!(found(80, |_| None), []);
        assert_eq!(found(5, |picture| Some(jpeg(&resize_image(picture, (48, 60)).unwrap(), 90))), []);
        assert_eq!(found(5, |picture| Some(jpeg(&image::imageops::flip_horizontal(picture), 90))), []);
    }
}
