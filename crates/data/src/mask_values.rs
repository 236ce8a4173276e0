//! What the numbers of a label map mean: class indices, or black and white.

use std::path::Path;

use image::GrayImage;
use serde::Deserialize;

use crate::binary_mask::read_binary_mask;
use crate::dataset::VOID;
use crate::error::Error;
use crate::label::{Indices, JPEG, is_label, read_indices};
use crate::voc;

/// What the numbers stored in label maps mean: `mask-values` of `[data.folder]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum MaskValues {
    /// Class indices, and 255 for void.
    #[serde(rename = "index")]
    Index,
    /// 0 is the first of two classes and 255 the second; there is no void.
    #[serde(rename = "0-255")]
    BlackWhite,
    /// As VOC and SBD keep them: class indices, or VOC's colours of them, or SBD's MATLAB files.
    #[serde(rename = "voc")]
    Voc,
    /// As Figaro-1k keeps them: 0 and 1, or 0 and 255, in PNG or PBM; no key of `[data.folder]`.
    #[serde(skip)]
    Binary,
}

/// Reads a label map of a set that may have said what its numbers mean.
///
/// # Errors
/// As for [`read_labels`](crate::read_labels), and [`Error::MaskValue`] or [`Error::AmbiguousMask`].
pub(crate) fn read_labels_as(
    path: &Path,
    classes: usize,
    values: Option<MaskValues>,
) -> Result<GrayImage, Error> {
    let map = read_as(path, classes, values)?;
    if let Some((row, column, value)) = map.first(|value| !is_label(value, classes)) {
        return Err(Error::LabelRange { path: path.to_path_buf(), row, column, value, classes });
    }
    map.into_gray(path, |value| value as u8)
}

/// The numbers of a label map as class indices; they may still be out of range.
pub(crate) fn read_as(path: &Path, classes: usize, values: Option<MaskValues>) -> Result<Indices, Error> {
    if values == Some(MaskValues::Voc) {
        return read_voc(path);
    }
    if values == Some(MaskValues::Binary) {
        return read_binary_mask(path).map(Indices::from);
    }
    let mut map = read_indices(path)?;
    let white = u16::from(VOID);
    match values {
        Some(MaskValues::Index | MaskValues::Voc | MaskValues::Binary) => {}
        Some(MaskValues::BlackWhite) => {
            if let Some((row, column, value)) = map.first(|value| value != 0 && value != white) {
                return Err(Error::MaskValue { path: path.to_path_buf(), row, column, value });
            }
            map.values.iter_mut().for_each(|value| *value = (*value).min(1));
        }
        // With two classes, black and white would be read as the first class and void, and nothing would be learned.
        None if classes == 2 && map.values.iter().all(|value| *value == 0 || *value == white) => {
            if let Some((row, column, _)) = map.first(|value| value == white) {
                return Err(Error::AmbiguousMask { path: path.to_path_buf(), row, column });
            }
        }
        None => {}
    }
    Ok(map)
}

fn read_voc(path: &Path) -> Result<Indices, Error> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("mat")) {
        return voc::read_segmentation(path);
    }
    match read_indices(path) {
        Err(Error::LabelFormat { found, .. }) if found != JPEG => voc::of_colours(path, &found),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gray_png, put};

    fn read(values: &[u8], classes: usize, meaning: Option<MaskValues>) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("7.png");
        put(&path, gray_png(&GrayImage::from_raw(2, 2, values.to_vec()).unwrap()));
        read_labels_as(&path, classes, meaning).map(GrayImage::into_raw).map_err(|e| e.to_string())
    }

    #[test]
    fn black_and_white_become_two_classes() {
        let black_white = Some(MaskValues::BlackWhite);
        assert_eq!(read(&[0, 255, 255, 0], 2, black_white).unwrap(), [0, 1, 1, 0]);
        let error = read(&[0, 255, 254, 0], 2, black_white).unwrap_err();
        assert!(error.contains("7.png: value 254 at row 1, column 0 is neither 0 nor 255"), "{error}");
    }

    #[test]
    fn black_and_white_are_not_taken_for_void_unasked() {
        let error = read(&[0, 0, 255, 0], 2, None).unwrap_err();
        assert!(
            error.contains("7.png: holds 0 and 255 alone") && error.contains("row 1, column 0"),
            "{error}"
        );
        assert!(
            error.contains("mask-values = \"0-255\"") && error.contains("mask-values = \"index\""),
            "{error}"
        );
        assert_eq!(read(&[0, 0, 255, 0], 2, Some(MaskValues::Index)).unwrap(), [0, 0, 255, 0]);
        assert_eq!(read(&[0, 1, 255, 0], 2, None).unwrap(), [0, 1, 255, 0]);
        assert_eq!(read(&[0; 4], 2, None).unwrap(), [0; 4]);
        assert_eq!(read(&[0, 0, 255, 0], 3, None).unwrap(), [0, 0, 255, 0]);
        assert!(read(&[0, 128, 255, 0], 2, None).unwrap_err().contains("label 128 at row 0, column 1"));
    }
}
