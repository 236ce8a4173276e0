use std::collections::HashMap;
use std::path::PathBuf;

use super::*;
use crate::Checkpoint;

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.bin");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn safetensors_of_any_float_are_read_in_f32() {
    let weight = Tensor::new(&[[1_f32, -2.5], [0.0, 4.0]], &Device::Cpu).unwrap();
    let mut tensors = HashMap::new();
    for dtype in [DType::F32, DType::F16, DType::BF16, DType::F64] {
        tensors.insert(format!("module.{}", dtype.as_str()), weight.to_dtype(dtype).unwrap());
    }
    tensors.insert("module.bn.num_batches_tracked".to_owned(), Tensor::new(7_i64, &Device::Cpu).unwrap());
    let (_folder, path) = file(&[]);
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let read = read_weights(&path).unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["bf16", "f16", "f32", "f64"]);
    for tensor in read.values() {
        assert_eq!((tensor.dtype(), tensor.dims()), (DType::F32, &[2, 2][..]));
        assert_eq!(values(tensor), values(&weight));
    }
}

#[test]
fn a_checkpoint_gives_its_weights_alone() {
    let mut checkpoint = Checkpoint::default();
    let one = Tensor::new(&[1_f32], &Device::Cpu).unwrap();
    checkpoint.add_part("model.", [("a.weight".to_owned(), one.clone())]);
    checkpoint.add_part("optim.", [("a.weight".to_owned(), one)]);
    let (_folder, path) = file(&[]);
    checkpoint.write(&path).unwrap();
    assert_eq!(read_weights(&path).unwrap().keys().collect::<Vec<_>>(), ["a.weight"]);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(read_weights(&path), Err(Error::Damaged { .. })));
}

#[test]
fn other_files_are_named_with_what_to_do() {
    for (bytes, hint) in [
        (&b""[..], "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"\x89HDF\r\n\x1a\n and more", "torch.save(model.state_dict()"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{}", "neither safetensors nor"),
    ] {
        let (_folder, path) = file(bytes);
        let error = read_weights(&path).unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()) && error.contains(hint), "{error}");
    }
    assert!(matches!(read_weights(Path::new("/no/such/file")), Err(Error::Read { .. })));
}

#[test]
fn a_hash_is_that_of_sha256sum() {
    let (_folder, path) = file(b"abc");
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(file_sha256(&path).unwrap(), expected);
}

#[test]
fn written_safetensors_are_read_by_others_and_here() {
    let (_folder, path) = file(&[]);
    let weight = Tensor::new(&[[1_f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap().t().unwrap();
    write_safetensors(&path, &[("a.weight".to_owned(), weight.clone())]).unwrap();
    assert_eq!(values(&read_weights(&path).unwrap()["a.weight"]), values(&weight));
    let others = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    assert_eq!(values(&others["a.weight"]), [1.0, 3.0, 2.0, 4.0]);
}
