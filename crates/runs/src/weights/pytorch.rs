//! What `torch.save` writes: a pickle that tells of tensors, and the storages that their numbers lie in.

pub(super) mod archive;
pub(super) mod legacy;
mod state_dict;
mod storage;
mod strided;
pub(super) mod write;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;

use self::state_dict::Place;
use self::storage::Storages;
use super::pickle::{Fault, Pickle};
use crate::Error;

/// The tensors of a state dict whose storages `read` fetches by their key, one after the other.
fn tensors(
    path: &Path,
    pickle: &Pickle,
    storages: &Storages,
    length: u64,
    mut read: impl FnMut(&str, u64) -> Result<Vec<u8>, Error>,
) -> Result<BTreeMap<String, Tensor>, Error> {
    let places = state_dict::places(pickle).map_err(|why| Error::weights(path, why))?;
    check_amount(path, &places, storages, length)?;
    let mut by_storage: BTreeMap<&str, Vec<(String, Place)>> = BTreeMap::new();
    for (name, place) in places {
        by_storage.entry(place.storage).or_default().push((name, place));
    }
    let mut tensors = BTreeMap::new();
    for (key, places) in by_storage {
        let storage = storages.get(key).ok_or_else(|| Error::damaged(path, format!("no storage '{key}'")))?;
        let Some(dtype) = storage.kind.float().map_err(|why| Error::weights(path, why))? else { continue };
        let bytes = read(key, storage.bytes())?;
        for (name, place) in places {
            let tensor = strided::tensor(&bytes, dtype, &place);
            let tensor = tensor.map_err(|why| Error::damaged(path, format!("the tensor '{name}': {why}")))?;
            tensors.insert(name, tensor);
        }
    }
    Ok(tensors)
}

/// Storages may be shared, but a small file must not fill the memory.
fn check_amount(
    path: &Path,
    places: &[(String, Place)],
    storages: &Storages,
    length: u64,
) -> Result<(), Error> {
    let elements = places.iter().try_fold(0_u64, |sum, (_, place)| sum.checked_add(place.elements()?));
    let bytes = storages.values().try_fold(0_u64, |sum, storage| sum.checked_add(storage.bytes()));
    match (elements, bytes) {
        (Some(elements), Some(bytes)) if elements <= length && bytes <= length => Ok(()),
        _ => Err(Error::damaged(path, "it tells of more numbers than a file of its size can hold")),
    }
}

fn damaged(path: &Path, part: &str, fault: &Fault) -> Error {
    Error::damaged(path, format!("{part}, byte {}: {}", fault.at, fault.what))
}

#[cfg(test)]
mod tests;
