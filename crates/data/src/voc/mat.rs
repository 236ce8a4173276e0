//! SBD's label maps: the field `Segmentation` of the structure `GTcls` in a MATLAB file of level 5.
//!
//! Read by hand and no further than that field, because the crates that read whole MATLAB files panic, recurse as deep as
//! a file says, or unpack as much as it says. Source of the format: MathWorks, "MAT-File Format", R2024a, chapter 1.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;

use crate::error::Error;
use crate::files;
use crate::label::Indices;
use crate::rgb::{MAX_WORKSPACE, within_limit};

const VARIABLE: &[u8] = b"GTcls";
const FIELD: &[u8] = b"Segmentation";

/// Reads the numbers of a map; they may be out of any range.
///
/// # Errors
/// [`Error::Image`] that says what is damaged or missing, [`Error::TooLarge`] for too many pixels.
pub(crate) fn read_segmentation(path: &Path) -> Result<Indices, Error> {
    let bytes = files::read(path, "label map")?;
    let (columns, rows, numbers) = segmentation(&bytes).map_err(|reason| Error::image(path, reason))?;
    within_limit(path, (columns, rows))?;
    let (width, height) = (columns as usize, rows as usize);
    if numbers.len() != width * height {
        let reason = format!("{} numbers for a map of {height} rows x {width} columns", numbers.len());
        return Err(Error::image(path, reason));
    }
    // MATLAB stores column after column.
    let values = (0..height).flat_map(|row| (0..width).map(move |column| column * height + row));
    Ok(Indices { width: columns, height: rows, values: values.map(|at| numbers[at]).collect() })
}

/// Columns, rows and the numbers, column after column.
fn segmentation(file: &[u8]) -> Result<(u32, u32, Vec<u16>), String> {
    if file.get(..19) != Some(b"MATLAB 5.0 MAT-file") {
        return Err("it is no MATLAB file of level 5 (MATLAB's -v6 or -v7)".into());
    }
    let little = match file.get(126..128) {
        Some(b"IM") => true,
        Some(b"MI") => false,
        _ => return Err("its byte order is not told".into()),
    };
    let mut rest = Elements { bytes: &file[128..], little };
    while !rest.bytes.is_empty() {
        let before = rest.bytes;
        let (kind, data) = rest.next()?;
        let element = if kind == COMPRESSED { Cow::Owned(unpacked(data)?) } else { Cow::Borrowed(before) };
        let matrix = Elements { bytes: &element, little }.of_type(MATRIX)?;
        if let Some(found) = of_variable(&mut Elements { bytes: matrix, little })? {
            return Ok(found);
        }
    }
    Err("it holds no structure GTcls".into())
}

fn unpacked(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let most = MAX_WORKSPACE as u64;
    ZlibDecoder::new(data).take(most + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("it unpacks to more than {most} bytes"));
    }
    Ok(bytes)
}

/// The segmentation, if this variable is the structure that has it.
fn of_variable(matrix: &mut Elements) -> Result<Option<(u32, u32, Vec<u16>)>, String> {
    let (class, dimensions) = matrix.head()?;
    if matrix.of_type(INT8)? != VARIABLE {
        return Ok(None);
    }
    if class != STRUCTURE || dimensions.iter().any(|side| *side != 1) {
        return Err("GTcls is not one structure".into());
    }
    let length = matrix.integers(INT32)?.first().copied().unwrap_or(0) as usize;
    let names = matrix.of_type(INT8)?;
    for name in names.chunks_exact(length.max(1)) {
        let field = matrix.of_type(MATRIX)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name == FIELD {
            return numbers(&mut Elements { bytes: field, ..*matrix }).map(Some);
        }
    }
    Err("GTcls has no field Segmentation".into())
}

fn numbers(matrix: &mut Elements) -> Result<(u32, u32, Vec<u16>), String> {
    let (_, dimensions) = matrix.head()?;
    let &[rows, columns] = dimensions.as_slice() else {
        return Err(format!("Segmentation has {} dimensions, not 2", dimensions.len()));
    };
    matrix.of_type(INT8)?;
    let side = |n: u64| u32::try_from(n).map_err(|_| format!("Segmentation has a side of {n}"));
    let (kind, data) = matrix.next()?;
    let (little, wide) = (matrix.little, |bytes: &[u8]| matrix.whole(bytes));
    let values = match kind {
        INT8 => data.iter().map(|byte| u16::try_from(byte.cast_signed()).unwrap_or(u16::MAX)).collect(),
        UINT8 => data.iter().map(|byte| u16::from(*byte)).collect(),
        INT16 | UINT16 => data.chunks_exact(2).map(|bytes| wide(bytes) as u16).collect(),
        INT32 | UINT32 => data.chunks_exact(4).map(|bytes| clamped(wide(bytes))).collect(),
        DOUBLE => data.chunks_exact(8).map(|bytes| rounded(bytes, little)).collect(),
        _ => {
            return Err(format!(
                "Segmentation is stored as type {kind}, which is no number of 1, 2 or 4 bytes"
            ));
        }
    };
    Ok((side(columns)?, side(rows)?, values))
}

/// A number beyond 16 bits is no label either way.
fn clamped(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn rounded(bytes: &[u8], little: bool) -> u16 {
    let bytes: [u8; 8] = bytes.try_into().unwrap_or_default();
    let value = if little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) };
    if value.fract() == 0.0 && (0.0..65535.0).contains(&value) { value as u16 } else { u16::MAX }
}

/// Types of data elements.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT16: u32 = 3;
const UINT16: u32 = 4;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
/// Class of a matrix.
const STRUCTURE: u64 = 2;

/// Data elements one after the other: a tag of type and length, then that many bytes.
struct Elements<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Elements<'a> {
    /// Type and data of the next element.
    fn next(&mut self) -> Result<(u32, &'a [u8]), String> {
        let cut_off = || String::from("the MATLAB file is cut off");
        let tag = self.whole(self.bytes.get(..4).ok_or_else(cut_off)?) as u32;
        // Up to four bytes may stand in the tag itself, whose upper half is then their number.
        let (kind, length, start) = match (tag >> 16, self.bytes.get(4..8)) {
            (_, None) => return Err(cut_off()),
            (0, Some(length)) => (tag, self.whole(length) as usize, 8),
            (length, _) => (tag & 0xffff, (length as usize).min(4), 4),
        };
        let data = self.bytes.get(start..).and_then(|rest| rest.get(..length)).ok_or_else(cut_off)?;
        // Elements begin at multiples of 8 bytes, except behind a compressed one; the last need not be filled up.
        let padded = if kind == COMPRESSED { length } else { length.next_multiple_of(8) };
        let end = if start == 4 { 8 } else { start + padded };
        self.bytes = self.bytes.get(end..).unwrap_or_default();
        Ok((kind, data))
    }

    fn of_type(&mut self, wanted: u32) -> Result<&'a [u8], String> {
        match self.next()? {
            (kind, data) if kind == wanted => Ok(data),
            (kind, _) => Err(format!("an element of type {kind} stands where one of type {wanted} belongs")),
        }
    }

    /// Class and dimensions, which every matrix begins with.
    fn head(&mut self) -> Result<(u64, Vec<u64>), String> {
        let class = self.integers(UINT32)?.first().copied().unwrap_or(0) & 0xff;
        let dimensions = self.integers(INT32)?;
        if dimensions.len() > 8 {
            return Err(format!("a matrix has {} dimensions", dimensions.len()));
        }
        Ok((class, dimensions))
    }

    fn integers(&mut self, kind: u32) -> Result<Vec<u64>, String> {
        Ok(self.of_type(kind)?.chunks_exact(4).map(|bytes| self.whole(bytes)).collect())
    }

    /// A number of up to 8 bytes in the file's byte order.
    fn whole(&self, bytes: &[u8]) -> u64 {
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
    }
}

#[cfg(test)]
pub(super) mod tests;
