//! Weights as `torch.save(state_dict, FILE)` writes them, for `torch.load(FILE, weights_only=True)`.

use std::io::{self, Write};
use std::path::Path;

use candle_core::Tensor;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::Error;
use crate::atomic::write_atomically;
use crate::checkpoint::{each_piece, unsupported};

/// PyTorch maps storages into memory and wants them at multiples of this many bytes.
const ALIGNMENT: u16 = 64;
/// The folder inside the archive.
const FOLDER: &str = "archive";

/// Writes a state dict: tensors of f32 by name, in the given order, each in a storage of its own.
///
/// # Errors
///
/// The file cannot be written; an earlier one is then as it was. A tensor is not of f32.
pub fn write_pytorch(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Error> {
    if let Some((name, tensor)) = tensors.iter().find(|(_, tensor)| tensor.dtype() != candle_core::DType::F32)
    {
        return Err(unsupported(name, format!("its type is {:?}, weights are of F32", tensor.dtype())));
    }
    write_atomically(path, |file| {
        let mut archive = ZipWriter::new(file);
        let begin = |archive: &mut ZipWriter<_>, name: &str, bytes: usize| {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .with_alignment(ALIGNMENT)
                .large_file(u32::try_from(bytes).is_err());
            archive.start_file(format!("{FOLDER}/{name}"), options).map_err(io::Error::other)
        };
        for (name, content) in [("data.pkl", pickle(tensors)), ("byteorder", b"little".to_vec())] {
            begin(&mut archive, name, content.len())?;
            archive.write_all(&content)?;
        }
        for (key, (_, tensor)) in tensors.iter().enumerate() {
            begin(&mut archive, &format!("data/{key}"), tensor.elem_count() * 4)?;
            each_piece(tensor, |bytes| archive.write_all(bytes))?;
        }
        begin(&mut archive, "version", 2)?;
        archive.write_all(b"3\n")?;
        archive.finish().map(drop).map_err(io::Error::other)
    })
}

/// The pickle of an `OrderedDict` of tensors, in protocol 2.
fn pickle(tensors: &[(String, Tensor)]) -> Vec<u8> {
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (key, (name, tensor)) in tensors.iter().enumerate() {
        put_text(&mut pickle, name);
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        put_text(&mut pickle, "storage");
        pickle.extend(b"ctorch\nFloatStorage\n");
        put_text(&mut pickle, &key.to_string());
        put_text(&mut pickle, "cpu");
        put_size(&mut pickle, tensor.elem_count());
        pickle.extend(b"tQK\x00"); // the storage, and the offset 0 in it
        put_sizes(&mut pickle, tensor.dims());
        put_sizes(&mut pickle, &contiguous(tensor.dims()));
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR"); // no gradient, no hooks
    }
    pickle.extend(b"u.");
    pickle
}

fn contiguous(shape: &[usize]) -> Vec<usize> {
    (1..=shape.len()).map(|next| shape[next..].iter().product()).collect()
}

fn put_text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn put_sizes(pickle: &mut Vec<u8>, sizes: &[usize]) {
    pickle.push(b'(');
    sizes.iter().for_each(|&size| put_size(pickle, size));
    pickle.push(b't');
}

/// As a number of 4 bytes, or of 8 where it must be.
fn put_size(pickle: &mut Vec<u8>, size: usize) {
    match i32::try_from(size) {
        Ok(size) => {
            pickle.push(b'J');
            pickle.extend(size.to_le_bytes());
        }
        Err(_) => {
            pickle.extend([0x8a, 8]);
            pickle.extend((size as u64).to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_weights;
    use candle_core::Device;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.pth");
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let transposed = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).reshape((2, 3)).unwrap().t().unwrap();
        let scalar = tensor(&[0.5]).reshape(()).unwrap();
        let tensors = [("b.weight", transposed), ("a.bias", tensor(&[7.0])), ("scale", scalar)];
        let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor));
        write_pytorch(&path, &tensors).unwrap();
        let read = read_weights(&path).unwrap();
        assert_eq!(read.len(), 3);
        for (name, tensor) in &tensors {
            assert_eq!(read[name].dims(), tensor.dims());
            let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values(&read[name]), values(tensor));
        }
        let whole = [("n".to_owned(), Tensor::new(&[1_u8], &Device::Cpu).unwrap())];
        assert!(matches!(write_pytorch(&path, &whole), Err(Error::Unsupported { .. })));
        assert_eq!(read_weights(&path).unwrap().len(), 3, "the earlier file");
    }

    #[test]
    fn storages_begin_at_multiples_of_64_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.pth");
        let one = Tensor::new(&[1_f32], &Device::Cpu).unwrap();
        write_pytorch(&path, &[("a".to_owned(), one.clone()), ("b".to_owned(), one)]).unwrap();
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        for key in ["archive/data/0", "archive/data/1"] {
            assert_eq!(archive.by_name(key).unwrap().data_start().unwrap() % 64, 0);
        }
    }
}
