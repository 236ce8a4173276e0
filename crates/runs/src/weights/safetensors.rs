//! Weights in safetensors files: our checkpoints, and files of any other program.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};

use super::tensor;
use crate::atomic::write_atomically;
use crate::checkpoint::unsupported;
use crate::{Checkpoint, Error};

/// In a [`Checkpoint`], of the network's tensors.
const MODEL: &str = "model.";

pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let bytes = std::fs::read(path).map_err(|reason| Error::read(path, reason))?;
    if Checkpoint::is_start(&bytes) {
        drop(bytes);
        return Ok(Checkpoint::read_part(path, MODEL, &Device::Cpu)?.part(MODEL).into_iter().collect());
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|error| Error::damaged(path, error.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            _ => continue,
        };
        let tensor = tensor(view.data(), dtype, view.shape());
        let tensor = tensor.map_err(|why| Error::damaged(path, format!("the tensor '{name}': {why}")))?;
        tensors.insert(name.to_owned(), tensor);
    }
    Ok(tensors)
}

/// Writes tensors by name, without the checksum of a [`Checkpoint`].
///
/// # Errors
///
/// The file cannot be written; an earlier one is then as it was.
pub fn write_safetensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Error> {
    // Hugging Face's libraries look for the name of a framework.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let tensors = tensors.iter().map(|(name, tensor)| (name, tensor));
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|e| unsupported("the weights", e))?;
    write_atomically(path, |file| file.write_all(&bytes))
}
