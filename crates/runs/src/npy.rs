//! NumPy's array files (.npy), as `numpy.load` reads them.

use std::io::Write;
use std::path::Path;

use crate::little_endian::for_each_piece;
use crate::{Error, write_atomically};

/// Writes an f32 array of any number of dimensions, the last one running fastest (C order).
///
/// Source: NumPy documentation, `numpy.lib.format`, version 1.0.
///
/// # Errors
///
/// The file cannot be written, or `values` has not as many numbers as `shape` says.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f32]) -> Result<(), Error> {
    let count = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    if count != Some(values.len()) {
        let what = format!("{}: {} values for an array of shape {shape:?}", path.display(), values.len());
        return Err(Error::Size { what });
    }
    write_atomically(path, |file| {
        file.write_all(&header("<f4", shape))?;
        for_each_piece(values, f32::to_le_bytes, |piece| file.write_all(piece))
    })
}

/// All that stands before the numbers, of `kind` such as `<f4` for f32: a Python dictionary, padded so that they begin at
/// a multiple of 64 bytes. Its length fits 16 bits for any shape of which an array can exist: NumPy has at most 64
/// dimensions.
pub(crate) fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sizes: Vec<_> = shape.iter().map(usize::to_string).collect();
    let sizes = if let [one] = &sizes[..] { format!("{one},") } else { sizes.join(", ") };
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let length = (MAGIC.len() + 2 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 2;
    let padded = format!("{text:<width$}\n", width = length - 1);
    [MAGIC, &(length as u16).to_le_bytes(), padded.as_bytes()].concat()
}

/// What an array's file says of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
    /// Where the numbers begin, in bytes.
    pub(crate) start: usize,
}

/// Reads a header as this crate writes it; none if it is another.
pub(crate) fn description(bytes: &[u8]) -> Option<Description> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let length = usize::from(u16::from_le_bytes(rest.get(..2)?.try_into().ok()?));
    let text = std::str::from_utf8(rest.get(2..2 + length)?).ok()?;
    let kind = text.split_once("'descr': '")?.1.split_once('\'')?.0.to_owned();
    let sizes = text.split_once("'shape': (")?.1.split_once(')')?.0;
    let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
    let c_order = text.contains("'fortran_order': False");
    c_order.then_some(Description { kind, shape, start: MAGIC.len() + 2 + length })
}

/// Begins every file of version 1.0.
const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(shape: &[usize], values: &[f32]) -> (String, Vec<f32>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        write_npy(&path, shape, values).unwrap();
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let start = 10 + u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
        assert_eq!(start % 64, 0);
        let header = String::from_utf8(bytes[10..start].to_vec()).unwrap();
        assert!(header.ends_with('\n'));
        let values = bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        (header.trim_end().to_string(), values.collect())
    }

    #[test]
    fn the_header_is_numpys() {
        let (header, values) = written(&[2, 3], &[0.0, 1.0, 2.0, -3.5, 4.0, 1e-40]);
        assert_eq!(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
        assert_eq!(values, [0.0, 1.0, 2.0, -3.5, 4.0, 1e-40]);
        assert!(written(&[1], &[5.0]).0.contains("'shape': (1,)"));
        assert!(written(&[], &[5.0]).0.contains("'shape': ()"));
        assert!(written(&[0, 7], &[]).1.is_empty());
    }

    #[test]
    fn another_reader_agrees() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let values: Vec<f32> = (0..24).map(|i| i as f32 / 7.0).collect();
        write_npy(&path, &[2, 3, 4], &values).unwrap();
        let array = candle_core::Tensor::read_npy(&path).unwrap();
        assert_eq!(array.dims(), [2, 3, 4]);
        assert_eq!(array.flatten_all().unwrap().to_vec1::<f32>().unwrap(), values);
    }

    #[test]
    fn a_wrong_shape_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for shape in [&[2, 2][..], &[], &[usize::MAX, 2]] {
            assert!(matches!(write_npy(&path, shape, &[1.0, 2.0]), Err(Error::Size { .. })));
        }
        assert!(!path.exists());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_shape_comes_back(shape in prop::collection::vec(0_usize..5, 0..6)) {
            let values: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32 * 0.37).collect();
            let (header, back) = written(&shape, &values);
            let list = header.split_once('(').unwrap().1.split_once(')').unwrap().0;
            let sizes: Vec<usize> =
                list.split(',').filter(|s| !s.trim().is_empty()).map(|s| s.trim().parse().unwrap()).collect();
            prop_assert_eq!(sizes, shape);
            prop_assert_eq!(back, values);
        }
    }
}
