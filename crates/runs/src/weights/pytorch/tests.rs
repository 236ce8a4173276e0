//! The files in tests/weights were written by PyTorch 2.15.

use std::path::{Path, PathBuf};

use candle_core::Tensor;

use crate::{Error, read_weights};

fn written(name: &str) -> PathBuf {
    Path::new("tests/weights").join(name)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn refusal(name: &str) -> String {
    let path = written(name);
    let error = read_weights(&path).unwrap_err().to_string();
    assert!(error.starts_with(path.to_str().unwrap()), "{error}");
    error
}

/// A state dict behind `DataParallel`, in three kinds of files: among other things in a checkpoint, and alone.
#[test]
fn tensors_of_every_layout_and_float_are_read() {
    for file in ["checkpoint.pth", "protocol4.pth", "legacy.pth"] {
        let tensors = read_weights(&written(file)).unwrap();
        let base: Vec<f32> = (0..24_u8).map(|i| f32::from(i) / 8.0 - 1.0).collect();
        let at = |places: &[usize]| places.iter().map(|&place| base[place]).collect::<Vec<_>>();
        let transposed: Vec<usize> = (0..24).map(|i| i % 4 * 6 + i / 4).collect();
        let expected: [(&str, &[usize], Vec<f32>); 11] = [
            ("f32", &[4, 6], base.clone()),
            ("transposed", &[6, 4], at(&transposed)),
            ("part", &[2, 3], at(&[8, 9, 10, 14, 15, 16])),
            ("column", &[4], at(&[3, 9, 15, 21])),
            ("channels_last", &[2, 3, 2, 2], (0..24_u8).map(f32::from).collect()),
            ("f16", &[3], vec![1.5, -2.25, 0.125]),
            ("bf16", &[3], vec![1.5, -2.25, 0.125]),
            ("f64", &[2, 1], vec![1.5, 1.0 / 3.0]),
            ("scalar", &[], vec![0.75]),
            ("empty", &[0, 3], vec![]),
            ("parameter", &[2], vec![3.0, -1.0]),
        ];
        assert_eq!(tensors.len(), expected.len(), "{file}: {:?}", tensors.keys());
        for (name, shape, numbers) in expected {
            assert_eq!((tensors[name].dims(), values(&tensors[name])), (shape, numbers), "{file}: {name}");
        }
    }
}

#[test]
fn a_script_gives_the_tensors_of_its_modules() {
    let tensors = read_weights(&written("script.pt")).unwrap();
    let names: Vec<_> = tensors.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["0.bn.bias", "0.bn.running_mean", "0.bn.running_var", "0.bn.weight", "0.conv.bias", "0.conv.weight"]
    );
    assert_eq!(
        (tensors["0.conv.weight"].dims(), values(&tensors["0.bn.weight"])),
        (&[2, 1, 1, 1][..], vec![2.5, 3.5])
    );
}

#[test]
fn a_pickled_model_is_named_with_the_remedy() {
    for (file, class) in [
        ("whole_model.pth", "torch.nn.modules.container.Sequential"),
        ("whole_model_legacy.pth", "__main__.Net"),
    ] {
        let error = refusal(file);
        assert!(error.contains(class) && error.contains("torch.save(model.state_dict()"), "{error}");
    }
}

#[test]
fn a_file_cut_short_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["checkpoint.pth", "legacy.pth"] {
        let (bytes, path) = (std::fs::read(written(name)).unwrap(), folder.path().join(name));
        for length in [40, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(matches!(read_weights(&path), Err(Error::Damaged { .. })), "{name} at {length}");
        }
    }
}
