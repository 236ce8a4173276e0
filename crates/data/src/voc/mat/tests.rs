use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{GrayImage, Luma};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::testing::put;

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An element whose data stand in its tag.
fn small(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = (kind | (data.len() as u32) << 16).to_le_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(8, 0);
    bytes
}

fn matrix(class: u32, dimensions: [u32; 2], name: &str, rest: &[u8]) -> Vec<u8> {
    let flags = [class.to_le_bytes(), [0; 4]].concat();
    let name = if name.len() > 4 { element(INT8, name.as_bytes()) } else { small(INT8, name.as_bytes()) };
    let body = [
        element(UINT32, &flags),
        element(INT32, &dimensions.map(u32::to_le_bytes).concat()),
        name,
        rest.to_vec(),
    ];
    element(MATRIX, &body.concat())
}

/// `GTcls` with its three fields, as SBD has it.
fn variable(map: &GrayImage, values: Vec<u8>) -> Vec<u8> {
    let names = ["Boundaries", "Segmentation", "CategoriesPresent"];
    let mut table = vec![0; 3 * 32];
    names
        .iter()
        .enumerate()
        .for_each(|(at, name)| table[32 * at..][..name.len()].copy_from_slice(name.as_bytes()));
    let cell = matrix(6, [1, 1], "", &element(DOUBLE, &1f64.to_le_bytes()));
    let fields = [
        small(INT32, &32u32.to_le_bytes()),
        element(INT8, &table),
        matrix(1, [2, 1], "", &[cell.clone(), cell].concat()),
        matrix(9, [map.height(), map.width()], "", &values),
        matrix(9, [1, 1], "", &small(UINT8, &[3])),
    ];
    matrix(STRUCTURE as u32, [1, 1], "GTcls", &fields.concat())
}

/// The numbers of a map, column after column.
fn columns(map: &GrayImage) -> Vec<u8> {
    (0..map.width()).flat_map(|x| (0..map.height()).map(move |y| map.get_pixel(x, y)[0])).collect()
}

fn file(variables: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1, b'I', b'M']);
    bytes.extend(variables.concat());
    bytes
}

fn packed(variable: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(variable).unwrap();
    let data = encoder.finish().unwrap();
    [COMPRESSED.to_le_bytes().as_slice(), &(data.len() as u32).to_le_bytes(), &data].concat()
}

/// A file as SBD's; MATLAB packs them.
pub(in crate::voc) fn mat_file(map: &GrayImage, pack: bool) -> Vec<u8> {
    let variable = variable(map, element(UINT8, &columns(map)));
    file(&[if pack { packed(&variable) } else { variable }])
}

fn read(bytes: &[u8]) -> Result<(u32, u32, Vec<u16>), String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("7.mat");
    put(&path, bytes);
    read_segmentation(&path).map(|m| (m.width, m.height, m.values)).map_err(|e| e.to_string())
}

fn map() -> GrayImage {
    GrayImage::from_fn(7, 5, |x, y| Luma([(3 * x + y) as u8]))
}

fn wanted() -> (u32, u32, Vec<u16>) {
    (7, 5, map().iter().map(|label| u16::from(*label)).collect())
}

#[test]
fn maps_are_read_packed_or_not_and_behind_other_variables() {
    for pack in [false, true] {
        assert_eq!(read(&mat_file(&map(), pack)).unwrap(), wanted());
    }
    let other = matrix(6, [1, 1], "x", &element(DOUBLE, &1f64.to_le_bytes()));
    let ours = variable(&map(), element(UINT8, &columns(&map())));
    assert_eq!(read(&file(&[packed(&other), other, packed(&ours)])).unwrap(), wanted());
    assert_eq!(read(&file(&[packed(&ours)])[..]).unwrap(), wanted());
}

#[test]
fn numbers_may_be_stored_wider() {
    let double: Vec<u8> = columns(&map()).iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let short: Vec<u8> = columns(&map()).iter().flat_map(|v| u16::from(*v).to_le_bytes()).collect();
    for (kind, data) in [(DOUBLE, double), (UINT16, short)] {
        assert_eq!(read(&file(&[variable(&map(), element(kind, &data))])).unwrap(), wanted());
    }
    let mut negative = columns(&map());
    negative[0] = 255;
    assert_eq!(read(&file(&[variable(&map(), element(INT8, &negative))])).unwrap().2[0], u16::MAX);
}

#[test]
fn faults_are_told() {
    let told = |bytes: &[u8]| read(bytes).unwrap_err();
    assert!(
        told(b"\x89HDF and more").contains("7.mat: cannot read the image: it is no MATLAB file of level 5")
    );
    assert!(told(&file(&[])).contains("no structure GTcls"));
    assert!(told(&file(&[matrix(6, [1, 1], "GTcls", &[])])).contains("GTcls is not one structure"));
    let short = variable(&map(), element(UINT8, &[1, 2, 3]));
    assert!(told(&file(&[short])).contains("3 numbers for a map of 5 rows x 7 columns"));
    let whole = mat_file(&map(), false);
    assert!(told(&whole[..whole.len() - 400]).contains("cut off"));
    assert!(told(&file(&[packed(&vec![0; MAX_WORKSPACE + 1])])).contains("unpacks to more than"));
    let huge = GrayImage::new(7, 5);
    let mut bytes = mat_file(&huge, false);
    let at = bytes.windows(8).rposition(|w| w == [5u32.to_le_bytes(), 7u32.to_le_bytes()].concat()).unwrap();
    bytes[at..at + 8].copy_from_slice(&[0xff; 8]);
    assert!(told(&bytes).contains("declares 4294967295 x 4294967295 pixels"));
}

proptest! {
    #[test]
    fn no_damaged_byte_panics(at in 0usize..3000, to: u8, pack: bool, cut in 0usize..3000) {
        let whole = mat_file(&map(), pack);
        let mut bytes = whole.clone();
        bytes[at % whole.len()] = to;
        let _ = read(&bytes);
        let _ = read(&whole[..cut % whole.len()]);
    }

    #[test]
    fn no_content_panics(elements in prop::collection::vec((0u32..20, prop::collection::vec(any::<u8>(), 0..40)), 0..8)) {
        let body: Vec<u8> = elements.iter().flat_map(|(kind, data)| element(*kind, data)).collect();
        let _ = read(&file(std::slice::from_ref(&body)));
        let _ = read(&file(&[matrix(STRUCTURE as u32, [1, 1], "GTcls", &body)]));
    }
}
