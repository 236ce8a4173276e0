//! What `torch.save` wrote before PyTorch 1.6, and torchvision's older files are: pickles one after the other, then the storages.
//!
//! The pickles are a magic number, the version 1001, facts about the machine, the object, and the keys of the storages. Then
//! for each key come its number of elements in 8 bytes and the elements.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use candle_core::Tensor;

use super::storage::{self, Storages};
use super::{damaged, tensors};
use crate::Error;
use crate::weights::pickle::Pickle;

/// How every such file begins, behind the protocol's number: 10 bytes of a number, and the pickle's end.
const MAGIC: [u8; 13] = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
/// The operation that tells the protocol, and its number.
const PROTOCOL: usize = 2;

/// Whether a file that begins with `start` is of this kind.
pub(in crate::weights) fn is_start(start: &[u8]) -> bool {
    start.get(PROTOCOL..).is_some_and(|start| start.starts_with(&MAGIC))
}

/// The weights in a file.
pub(in crate::weights) fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let bytes = std::fs::read(path).map_err(|reason| Error::read(path, reason))?;
    let next = |at: usize, part: &str| Pickle::read(&bytes, at).map_err(|fault| damaged(path, part, &fault));
    let (_, at) = next(PROTOCOL + MAGIC.len(), "the version")?;
    let (machine, at) = next(at, "the machine's facts")?;
    if !is_little_endian(&machine) {
        return Err(Error::weights(
            path,
            "its numbers are of a big-endian machine; save it again on another",
        ));
    }
    let (object, at) = next(at, "the object")?;
    let storages = storage::storages(&object).map_err(|why| Error::weights(path, why))?;
    let (keys, at) = next(at, "the keys of the storages")?;
    let ranges = ranges(&bytes, at, &keys, &storages).map_err(|why| Error::damaged(path, why))?;
    tensors(path, &object, &storages, bytes.len() as u64, |key, _| {
        let range =
            ranges.get(key).ok_or_else(|| Error::damaged(path, format!("it lacks the storage '{key}'")))?;
        Ok(bytes[range.clone()].to_vec())
    })
}

fn is_little_endian(machine: &Pickle) -> bool {
    let items = machine.items(machine.root).unwrap_or_default();
    let value = items.iter().find(|(key, _)| machine.text(*key) == Some("little_endian"));
    value.and_then(|&(_, value)| machine.bool(value)).unwrap_or(true)
}

/// Where each storage lies.
fn ranges<'a>(
    bytes: &[u8],
    mut at: usize,
    keys: &Pickle<'a>,
    storages: &Storages,
) -> Result<HashMap<&'a str, Range<usize>>, String> {
    let mut ranges = HashMap::new();
    for &key in keys.sequence(keys.root).ok_or("it has no list of storages")? {
        let key = keys.text(key).ok_or("the key of a storage is no text")?;
        let storage = storages.get(key).ok_or_else(|| format!("no tensor is in the storage '{key}'"))?;
        let end = |at: usize, length: u64| {
            at.checked_add(length.try_into().ok()?).filter(|&end| end <= bytes.len())
        };
        let start = end(at, 8).ok_or("it ends too early")?;
        let length = bytes[at..start].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        if length != storage.length {
            return Err(format!(
                "the storage '{key}' has {length} elements and should have {}",
                storage.length
            ));
        }
        at = end(start, storage.bytes()).ok_or_else(|| format!("it ends within the storage '{key}'"))?;
        ranges.insert(key, start..at);
    }
    Ok(ranges)
}
