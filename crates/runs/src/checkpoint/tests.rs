use super::*;
use proptest::prelude::*;

fn saved(checkpoint: &Checkpoint) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    checkpoint.write(&path).unwrap();
    (folder, path)
}

fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = Vec::new();
    each_piece(tensor, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .unwrap();
    bytes
}

fn assert_same(a: &Checkpoint, b: &Checkpoint) {
    assert_eq!(a.state, b.state);
    assert_eq!(a.tensors.keys().collect::<Vec<_>>(), b.tensors.keys().collect::<Vec<_>>());
    for (name, tensor) in &a.tensors {
        let other = &b.tensors[name];
        assert_eq!((tensor.dtype(), tensor.dims()), (other.dtype(), other.dims()), "{name}");
        assert!(bytes_of(tensor) == bytes_of(other), "{name}");
    }
}

/// All types, with the values on which a careless copy would fail.
fn rich() -> Checkpoint {
    let device = Device::Cpu;
    let odd = [f32::from_bits(0x7FC0_1234), -0.0, f32::MIN_POSITIVE / 8.0, f32::NEG_INFINITY, 0.1, f32::MAX];
    let floats = Tensor::new(&odd, &device).unwrap();
    let mut checkpoint = Checkpoint::default();
    let mut add = |name: &str, tensor: Tensor| checkpoint.tensors.insert(name.to_string(), tensor);
    add("f32", floats.reshape((2, 3)).unwrap());
    add("f64", Tensor::new(&[0.1_f64, -0.0, f64::NAN], &device).unwrap());
    add("u8", Tensor::new(&[0_u8, 255, 7], &device).unwrap());
    add("u32", Tensor::new(&[[u32::MAX, 1]], &device).unwrap());
    add("i16", Tensor::new(&[i16::MIN, 3], &device).unwrap());
    add("i32", Tensor::new(&[i32::MIN, 3], &device).unwrap());
    add("i64", Tensor::new(&[i64::MIN, i64::MAX, -1], &device).unwrap());
    add("f16", floats.to_dtype(DType::F16).unwrap());
    add("bf16", floats.to_dtype(DType::BF16).unwrap());
    add("scalar", Tensor::new(2.5_f32, &device).unwrap());
    add("empty", Tensor::zeros((0, 4), DType::F32, &device).unwrap());
    add("turned", floats.reshape((2, 3)).unwrap().t().unwrap());
    add("narrow", floats.narrow(0, 2, 3).unwrap());
    add("a \"quoted\\ name\n", Tensor::new(1_u8, &device).unwrap());
    checkpoint.set("step", 1234);
    checkpoint.set("best", 0.1 + 0.2);
    checkpoint.set("text \"x\"", "tab\tline\nend — ✓ \"xxh64\":\"");
    checkpoint
}

#[test]
fn every_type_comes_back_bit_for_bit() {
    let checkpoint = rich();
    let (_guard, path) = saved(&checkpoint);
    let back = Checkpoint::read(&path, &Device::Cpu).unwrap();
    assert_same(&checkpoint, &back);
    assert_eq!(back.get::<f64>("best"), Some(0.1 + 0.2));
    assert_eq!(back.get::<u64>("step"), Some(1234));
    assert_eq!(back.get::<u64>("none"), None);
}

#[test]
fn an_empty_checkpoint_comes_back() {
    let (_guard, path) = saved(&Checkpoint::default());
    assert_same(&Checkpoint::default(), &Checkpoint::read(&path, &Device::Cpu).unwrap());
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let (_a, a) = saved(&rich());
    let (_b, b) = saved(&rich());
    assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap());
}

#[test]
fn other_tools_can_read_the_file() {
    let checkpoint = rich();
    let (_guard, path) = saved(&checkpoint);
    let bytes = std::fs::read(&path).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(metadata.metadata().as_ref().unwrap()["step"], "1234");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    assert_eq!(tensors.len(), checkpoint.tensors.len());
    for (name, tensor) in &tensors {
        assert!(bytes_of(tensor) == bytes_of(&checkpoint.tensors[name]), "{name}");
    }
}

#[test]
fn parts_are_split_by_prefix() {
    let weight = Tensor::new(1_u8, &Device::Cpu).unwrap();
    let mut checkpoint = Checkpoint::default();
    checkpoint.add_part("model.", [("a.weight".to_string(), weight.clone())]);
    checkpoint.add_part("optim.", [("a.weight".to_string(), weight.clone()), ("b".to_string(), weight)]);
    assert_eq!(checkpoint.part("model.").into_keys().collect::<Vec<_>>(), ["a.weight"]);
    assert_eq!(checkpoint.part("optim.").len(), 2);
    assert!(checkpoint.part("schedule.").is_empty());
}

#[test]
fn every_damaged_byte_is_noticed() {
    let (_guard, path) = saved(&rich());
    let whole = std::fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        std::fs::write(&path, &bytes).unwrap();
        match Checkpoint::read(&path, &Device::Cpu) {
            Err(Error::Damaged { path: named, .. }) => assert_eq!(named, path),
            Err(error) => panic!("byte {place}: {error}"),
            Ok(_) => panic!("byte {place}: damage not noticed"),
        }
    }
}

#[test]
fn every_truncated_length_is_noticed() {
    let (_guard, path) = saved(&rich());
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = Checkpoint::read(&path, &Device::Cpu).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{length}: {error}");
    }
    std::fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(matches!(Checkpoint::read(&path, &Device::Cpu), Err(Error::Damaged { .. })));
}

#[test]
fn a_file_of_another_tool_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let weight = Tensor::new(&[1_f32, 2.0], &Device::Cpu).unwrap();
    weight.save_safetensors("weight", &path).unwrap();
    let error = Checkpoint::read(&path, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("no checksum"), "{error}");
}

#[test]
fn a_tensor_of_impossible_size_is_refused() {
    let header = format!(
        "{HEADER_START}0000000000000000\"}},\"a\":{{\"dtype\":\"F32\",\"shape\":[0,{},2],\"data_offsets\":[0,0]}}}}",
        u64::MAX
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()).unwrap();
    let error = Checkpoint::read(&path, &Device::Cpu).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn reserved_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut checkpoint = Checkpoint::default();
    checkpoint.tensors.insert(METADATA_KEY.to_string(), Tensor::new(1_u8, &Device::Cpu).unwrap());
    assert!(matches!(checkpoint.write(&path), Err(Error::Unsupported { .. })));
    assert!(!path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_content_comes_back(
        tensors in prop::collection::btree_map(".{0,12}", prop::collection::vec(any::<u32>(), 0..40), 0..6),
        state in prop::collection::btree_map(".{0,12}", ".{0,20}", 0..6),
    ) {
        let make = |bits: Vec<u32>| {
            let floats: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            Tensor::from_slice(&floats, floats.len(), &Device::Cpu).unwrap()
        };
        let tensors = tensors.into_iter().map(|(name, bits)| (name, make(bits))).collect();
        let checkpoint = Checkpoint { tensors, state };
        let (_guard, path) = saved(&checkpoint);
        assert_same(&checkpoint, &Checkpoint::read(&path, &Device::Cpu).unwrap());
    }
}

#[test]
fn a_part_is_read_alone_and_damage_outside_of_it_is_found() {
    let mut checkpoint = rich();
    let large = Tensor::zeros(3 * SKIPPED_AT_ONCE / 4 + 5, DType::F32, &Device::Cpu).unwrap();
    checkpoint.tensors.insert("optim.moment".into(), large);
    let (_folder, path) = saved(&checkpoint);
    let part = Checkpoint::read_part(&path, "f", &Device::Cpu).unwrap();
    checkpoint.tensors.retain(|name, _| name.starts_with('f'));
    assert_eq!(part.tensors.len(), 3);
    assert_same(&part, &checkpoint);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = Checkpoint::read_part(&path, "f", &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("its checksum differs"), "{error}");
}
