//! Weights of any origin: tensors by name from files that other programs wrote.

mod pickle;
mod pytorch;
mod safetensors;

pub use pytorch::write::write_pytorch;
pub use safetensors::write_safetensors;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use sha2::{Digest, Sha256};

use crate::Error;

/// Reads the weights that a file holds, in f32 and by the names that its network gave them.
///
/// The content tells what the file is, not its name:
///
/// | file | what is taken |
/// |---|---|
/// | a [`Checkpoint`](crate::Checkpoint) | the tensors under `model.`; the checksum is verified |
/// | safetensors | all tensors |
/// | PyTorch's, zip archive or legacy | the state dict, if need be from under a key such as `state_dict` or `model_state` |
/// | TorchScript's | parameters and buffers of the module and those inside it |
///
/// Pickles in PyTorch's files are read as data: nothing in them is executed.
///
/// Prefixes that wrap all names, as PyTorch's `DataParallel` adds `module.`, are taken off. Tensors of whole numbers, such as the
/// counts of batches of a batch norm, are no weights and left out.
///
/// # Errors
///
/// A file that cannot be read, is damaged or of another kind, or holds no weights; the message says what to do.
pub fn read_weights(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let tensors = match Kind::of(path)? {
        Kind::Safetensors => safetensors::read(path)?,
        Kind::Archive => pytorch::archive::read(path)?,
        Kind::Legacy => pytorch::legacy::read(path)?,
    };
    if tensors.is_empty() {
        return Err(Error::weights(path, "it holds no tensor of floating point numbers"));
    }
    Ok(unwrapped(tensors))
}

/// The SHA-256 of a file's bytes, as `sha256sum` prints it.
///
/// # Errors
///
/// The file cannot be read.
pub fn file_sha256(path: &Path) -> Result<String, Error> {
    let mut sha256 = Sha256::new();
    let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut Hashing(&mut sha256)));
    copied.map_err(|reason| Error::read(path, reason))?;
    Ok(sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Kind {
    Safetensors,
    /// PyTorch's since 1.6.
    Archive,
    /// PyTorch's before.
    Legacy,
}

/// Bytes that tell the kinds of files apart.
const LONGEST_START: u64 = 64;

impl Kind {
    fn of(path: &Path) -> Result<Self, Error> {
        let (start, length) = start(path).map_err(|reason| Error::read(path, reason))?;
        if start.starts_with(b"PK\x03\x04") {
            return Ok(Self::Archive);
        }
        if pytorch::legacy::is_start(&start) {
            return Ok(Self::Legacy);
        }
        if let Some((header, rest)) = start.split_first_chunk::<8>()
            && rest.starts_with(b"{")
            && u64::from_le_bytes(*header) <= length - 8
        {
            return Ok(Self::Safetensors);
        }
        Err(Error::weights(path, unknown(&start)))
    }
}

fn start(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut start = Vec::new();
    file.take(LONGEST_START).read_to_end(&mut start)?;
    Ok((start, length))
}

/// What a file that nobody here reads may be.
fn unknown(start: &[u8]) -> &'static str {
    let text = start.trim_ascii_start().to_ascii_lowercase();
    if start.is_empty() {
        "it is empty; fetch it again"
    } else if text.starts_with(b"version https://git-lfs") {
        "it is only a pointer to the file in Git LFS; fetch the file itself with: git lfs pull"
    } else if text.starts_with(b"<!doctype") || text.starts_with(b"<html") {
        "it is a web page; fetch the file itself"
    } else if start.starts_with(&[0x80]) {
        "it is a pickle that torch.save did not write; save the weights with torch.save(model.state_dict(), FILE)"
    } else {
        "it is neither safetensors nor a file of torch.save; save the weights with torch.save(model.state_dict(), FILE)"
    }
}

/// Prefixes that wrappers of networks add to all names.
const WRAPPERS: [&str; 4] = ["module.", "_orig_mod.", "model.", "net."];

fn unwrapped(mut tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    while let Some(wrapper) = WRAPPERS.iter().find(|&&w| tensors.keys().all(|name| name.starts_with(w))) {
        let bare = |name: String| name[wrapper.len()..].to_owned();
        tensors = tensors.into_iter().map(|(name, tensor)| (bare(name), tensor)).collect();
    }
    tensors
}

/// A tensor in f32 of as many little-endian bytes as `dtype` and `shape` need; an error says what is wrong.
fn tensor(bytes: &[u8], dtype: DType, shape: &[usize]) -> Result<Tensor, String> {
    if count(shape).and_then(|count| count.checked_mul(dtype.size_in_bytes())) != Some(bytes.len()) {
        return Err(format!("{} bytes for a tensor of shape {shape:?} and type {dtype:?}", bytes.len()));
    }
    let tensor = Tensor::from_raw_buffer(bytes, dtype, shape, &Device::Cpu);
    tensor.and_then(|tensor| tensor.to_dtype(DType::F32)).map_err(|error| error.to_string())
}

/// Elements of a tensor, if even a part without the sizes of 0 can be counted: candle multiplies those, too.
fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size.max(1)))?;
    Some(shape.iter().product())
}

#[cfg(test)]
mod tests;
