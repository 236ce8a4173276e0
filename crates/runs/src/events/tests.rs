//! Event files, read back by a reader that shares nothing with the writer.

use super::*;
use image::Rgb;

/// A field of a protobuf message.
#[derive(Debug, Clone, PartialEq)]
enum Field {
    Whole(u64),
    Double(f64),
    Float(f32),
    Bytes(Vec<u8>),
}

/// Number and value of every field.
type Fields = Vec<(u64, Field)>;

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Fields {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => 0,
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        let field = match key & 7 {
            0 => Field::Whole(varint(&mut bytes)),
            1 => Field::Double(f64::from_le_bytes(value.try_into().unwrap())),
            2 => Field::Bytes(value.to_vec()),
            _ => Field::Float(f32::from_le_bytes(value.try_into().unwrap())),
        };
        if key & 7 != 0 {
            bytes = rest;
        }
        found.push((key >> 3, field));
    }
    found
}

fn inside(fields: &Fields, number: u64) -> Option<Fields> {
    fields.iter().find_map(|(n, field)| match field {
        Field::Bytes(bytes) if *n == number => Some(self::fields(bytes)),
        _ => None,
    })
}

fn get(fields: &Fields, number: u64) -> Option<Field> {
    fields.iter().find(|(n, _)| *n == number).map(|(_, field)| field.clone())
}

/// CRC-32C bit by bit, with TensorFlow's mask.
fn checksum(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    }) ^ u32::MAX;
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// The events of a file; every checksum is verified.
fn read(path: &Path) -> Vec<Fields> {
    let file = fs::read(path).unwrap();
    let mut rest = &file[..];
    let mut events = Vec::new();
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(checksum(&rest[..8]), word(&rest[8..12]));
        let payload = &rest[12..12 + length];
        assert_eq!(checksum(payload), word(&rest[12 + length..16 + length]));
        events.push(fields(payload));
        rest = &rest[16 + length..];
    }
    events
}

fn step(event: &Fields) -> u64 {
    match get(event, 2) {
        Some(Field::Whole(step)) => step,
        None => 0,
        other => panic!("{other:?}"),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The values of a summary: tag and the rest.
fn values(event: &Fields) -> Vec<(String, Fields)> {
    let summary = inside(event, 5).unwrap_or_default();
    let values = summary.into_iter().map(|(_, field)| match field {
        Field::Bytes(bytes) => fields(&bytes),
        other => panic!("{other:?}"),
    });
    let tag = |value: &Fields| match get(value, 1) {
        Some(Field::Bytes(bytes)) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    values.map(|value| (tag(&value), value)).collect()
}

#[test]
fn the_known_checksum() {
    // The check value of CRC-32C, unmasked.
    assert_eq!(checksum(b"123456789").wrapping_sub(0xA282_EAD8).rotate_left(15), 0xE306_9283);
}

#[test]
fn scalars_and_pictures_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::open(folder.path(), 0).unwrap();
    events.scalars(7, &[("loss/total", 0.75), ("lr", 1e-3)]).unwrap();
    let picture = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8, y as u8, 200]));
    events.picture(300, "held-out/a", &picture).unwrap();
    let read = read(&files(folder.path())[0]);
    assert_eq!(get(&read[0], 3), Some(Field::Bytes(b"brain.Event:2".to_vec())));
    assert!(matches!(get(&read[1], 1), Some(Field::Double(time)) if time > 1.6e9));
    let numbers: Vec<_> = values(&read[1]).into_iter().map(|(tag, v)| (tag, get(&v, 2).unwrap())).collect();
    let expected = [("loss/total".to_string(), Field::Float(0.75)), ("lr".to_string(), Field::Float(1e-3))];
    assert_eq!((step(&read[1]), &numbers[..]), (7, &expected[..]));
    let (tag, value) = values(&read[2]).remove(0);
    let image = inside(&value, 4).unwrap();
    assert_eq!((step(&read[2]), tag.as_str()), (300, "held-out/a"));
    assert_eq!(image[..3], [(1, Field::Whole(3)), (2, Field::Whole(5)), (3, Field::Whole(3))]);
    let Some(Field::Bytes(png)) = get(&image, 4) else { panic!() };
    assert_eq!(image::load_from_memory(&png).unwrap().into_rgb8(), picture);
}

#[test]
fn histograms_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::open(folder.path(), 0).unwrap();
    let mut histogram = Histogram::default();
    events.histogram(1, "empty", &histogram).unwrap();
    histogram.add(&[-1.0, 0.25, 0.25, 2.0]);
    events.histogram(2, "weights/a", &histogram).unwrap();
    let read = read(&files(folder.path())[0]);
    assert_eq!(read.len(), 2, "a histogram of nothing is left out");
    let (tag, value) = values(&read[1]).remove(0);
    let histo = inside(&value, 5).unwrap();
    let packed = |number| match get(&histo, number) {
        Some(Field::Bytes(bytes)) => {
            bytes.chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(tag, "weights/a");
    let summary: Vec<_> = (1..=5).map(|number| get(&histo, number).unwrap()).collect();
    assert_eq!(summary, [-1.0, 2.0, 4.0, 1.5, 5.125].map(Field::Double));
    assert_eq!(packed(6).len(), packed(7).len());
    assert_eq!(packed(7).iter().filter(|count| **count > 0.0).copied().collect::<Vec<_>>(), [1.0, 2.0, 1.0]);
}

#[test]
fn a_run_that_goes_on_purges_the_steps_it_makes_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Events::open(folder.path(), 0).unwrap();
    (1..=5).for_each(|step| events.scalars(step, &[("loss", step as f64)]).unwrap());
    let before = fs::read(&files(folder.path())[0]).unwrap();
    let mut events = Events::open(folder.path(), 3).unwrap();
    (4..=6).for_each(|step| events.scalars(step, &[("loss", 10.0 * step as f64)]).unwrap());
    let paths = files(folder.path());
    assert_eq!(paths.len(), 2);
    assert_eq!(fs::read(&paths[0]).unwrap(), before, "an earlier file stays as it was");
    let mut kept: Vec<(u64, Field)> = Vec::new();
    for event in paths.iter().flat_map(|path| read(path)) {
        if inside(&event, 7).is_some_and(|log| get(&log, 1) == Some(Field::Whole(1))) {
            kept.retain(|(earlier, _)| *earlier < step(&event));
        }
        kept.extend(values(&event).into_iter().map(|(_, value)| (step(&event), get(&value, 2).unwrap())));
    }
    let expected = [1.0, 2.0, 3.0, 40.0, 50.0, 60.0].into_iter().map(Field::Float);
    assert_eq!(kept, (1..=6).zip(expected).collect::<Vec<_>>());
}

#[test]
fn files_are_numbered_on_and_foreign_ones_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["events.out.tfevents.000009", "events.out.tfevents.x", "notes"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    Events::open(folder.path(), 0).unwrap();
    assert!(folder.path().join("events.out.tfevents.000010").is_file());
    let file = folder.path().join("notes");
    assert!(matches!(Events::open(&file, 0), Err(Error::Create { .. })));
}
