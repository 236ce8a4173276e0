//! Hostile weight files of other programs.

use std::io::{Cursor, Read, Write};

use candle_core::{DType, Device, Tensor};
use sconce_fuzz::{EXTREMES, Random, Target, damage_bytes};
use sconce_runs::{read_weights, write_safetensors};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// A value of a pickle takes some fifty bytes, of which the file may have one.
fn weights() -> Target {
    let memory = |length| 400 * length + (1 << 20);
    Target::new("weights", "weights.pth", memory, |path| {
        read_weights(path).map(drop).map_err(|error| error.to_string())
    })
}

/// Of PyTorch, the first two zip archives, and a small one of safetensors.
fn files() -> Vec<Vec<u8>> {
    let written = |name| std::fs::read(format!("tests/weights/{name}")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weight = Tensor::new(&[[1_f32, -2.0, 0.5], [0.0, 4.0, 9.0]], &Device::Cpu).unwrap();
    let tensors = [
        ("module.weight", weight.clone()),
        ("module.half", weight.to_dtype(DType::F16).unwrap()),
        ("module.count", Tensor::new(7_i64, &Device::Cpu).unwrap()),
    ];
    write_safetensors(&path, &tensors.map(|(name, tensor)| (name.to_owned(), tensor))).unwrap();
    let safetensors = std::fs::read(path).unwrap();
    vec![written("checkpoint.pth"), written("script.pt"), written("legacy.pth"), safetensors]
}

/// Changes the pickle or the order of bytes of an archive, whose checksums are right again then; or anything.
fn damage(random: &mut Random, base: &[u8], other: &[u8]) -> Vec<u8> {
    let inside = if random.one_in(5) { None } else { changed_inside(random, base, other) };
    inside.unwrap_or_else(|| damage_bytes(random, base, other))
}

fn changed_inside(random: &mut Random, base: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let foreign = part(other, "data.pkl").unwrap_or_default();
    let mut archive = ZipArchive::new(Cursor::new(base)).ok()?;
    let mut changed = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).ok()?;
        let (name, mut content) = (entry.name().ok()?.into_owned(), Vec::new());
        entry.read_to_end(&mut content).ok()?;
        if name.ends_with("data.pkl") {
            content = damage_pickle(random, &content, &foreign);
        } else if random.one_in(40) {
            content = damage_bytes(random, &content, &foreign);
        }
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        changed.start_file(name, stored).ok()?;
        changed.write_all(&content).ok()?;
    }
    Some(changed.finish().ok()?.into_inner())
}

/// A number or an operation, which are at random places of a pickle as well as anywhere.
fn damage_pickle(random: &mut Random, base: &[u8], other: &[u8]) -> Vec<u8> {
    const OPERATIONS: &[u8] =
        b"().012abcdehjlqrstuxBCGJKMNQRTUX]}\x81\x85\x86\x87\x8a\x8b\x8d\x8e\x90\x93\x94\x95";
    let mut bytes = base.to_vec();
    let at = random.below(bytes.len());
    match random.below(4) {
        0 if !bytes.is_empty() => bytes[at] = *random.pick(OPERATIONS),
        1 => {
            let number = random.pick(&EXTREMES).to_le_bytes();
            let size = [&[0x8a, 8][..], &number].concat(); // LONG1
            bytes.splice(at..(at + 2).min(bytes.len()), size);
        }
        _ => return damage_bytes(random, base, other),
    }
    bytes
}

fn part(archive: &[u8], ending: &str) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).ok()?;
    let index = (0..archive.len())
        .find(|&index| archive.by_index(index).is_ok_and(|e| e.name().is_ok_and(|n| n.ends_with(ending))))?;
    let mut content = Vec::new();
    archive.by_index(index).ok()?.read_to_end(&mut content).ok()?;
    Some(content)
}

#[test]
fn fuzz_weights() {
    weights().run(600, files(), damage);
}

/// A dictionary of many keys that all name one dictionary of many keys: quadratic for who follows each.
#[test]
fn what_repeats_is_not_followed_again_and_again() {
    let (inner, outer) = (b"U\x00K\x01".repeat(20_000), b"U\x00h\x00".repeat(20_000));
    let pickle = [b"\x80\x02}q\x00(", &inner[..], b"u0}(", &outer, b"u."].concat();
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive
        .start_file(
            "a/data.pkl",
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
        )
        .unwrap();
    archive.write_all(&pickle).unwrap();
    let error = weights().check(&archive.finish().unwrap().into_inner()).unwrap_err();
    assert!(error.contains("repeat each other"), "{error}");
}
