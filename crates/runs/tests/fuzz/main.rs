//! Hostile checkpoints and weight files. How to search longer: the documentation of `sconce-fuzz`.

mod weights;

use candle_core::{DType, Device, Tensor};
use sconce_fuzz::{EXTREMES, Random, Target, damage_bytes, damage_text};
use sconce_runs::Checkpoint;

const LENGTH_BYTES: usize = 8;

/// Words of a checkpoint's header.
const WORDS: [&str; 16] = [
    "dtype",
    "shape",
    "data_offsets",
    "__metadata__",
    "xxh64",
    "F32",
    "F64",
    "U8",
    "BF16",
    "F8_E4M3",
    "F4",
    "C64",
    "BOOL",
    "[0,0]",
    "{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}",
    ",",
];

/// The list of tensors takes some hundred times its text while it is read, the data no more than twice their bytes.
fn checkpoints() -> Target {
    let memory = |length| 400 * length + (1 << 20);
    let good = files();
    Target::new("checkpoint", "last.safetensors", memory, move |path| {
        Checkpoint::read(path, &Device::Cpu).map_err(|error| error.to_string())?;
        assert!(good.contains(&std::fs::read(path).unwrap()), "a changed file passes for a sound one");
        Ok(())
    })
}

fn small() -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    let weight = Tensor::new(&[[1_f32, -2.0, 0.5], [0.0, 4.0, 9.0]], &Device::Cpu).unwrap();
    let parts = [
        ("weight", weight.clone()),
        ("half", weight.to_dtype(DType::BF16).unwrap()),
        ("count", Tensor::new(7_i64, &Device::Cpu).unwrap()),
        ("none", Tensor::zeros((0, 4), DType::U8, &Device::Cpu).unwrap()),
    ];
    checkpoint.add_part("model.", parts.map(|(name, tensor)| (name.to_owned(), tensor)));
    checkpoint.set("epoch", 3);
    checkpoint.set("best \"so far\"", 0.5);
    checkpoint
}

fn files() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let written = |checkpoint: &Checkpoint| {
        checkpoint.write(&path).unwrap();
        std::fs::read(&path).unwrap()
    };
    vec![written(&small()), written(&Checkpoint::default())]
}

/// Changes the header's text, and then mostly the length in front of it so that it fits; or the length; or anything.
fn damage(random: &mut Random, base: &[u8], other: &[u8]) -> Vec<u8> {
    let (Some((header, data)), false) = (split(base), random.one_in(6)) else {
        return damage_bytes(random, base, other);
    };
    if random.one_in(8) {
        return [&random.pick(&EXTREMES).to_le_bytes(), header, data].concat();
    }
    let foreign = split(other).map_or(&[][..], |(header, _)| header);
    let changed = damage_text(random, header, foreign, &WORDS);
    let length = if random.one_in(10) { header.len() } else { changed.len() };
    [&(length as u64).to_le_bytes(), changed.as_slice(), data].concat()
}

/// Header and data.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

#[test]
fn fuzz_checkpoint() {
    checkpoints().run(600, files(), damage);
}
