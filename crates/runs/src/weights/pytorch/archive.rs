//! The zip archives that `torch.save` writes since PyTorch 1.6, and those of TorchScript.
//!
//! `<name>/data.pkl` is the pickle, `<name>/data/<key>` a storage. candle has a reader of such files, too; it clones what a pickle
//! repeats, believes the lengths in it, and passes over nested dictionaries and tensors with other strides.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use candle_core::Tensor;
use zip::{CompressionMethod, ZipArchive};

use super::{damaged, storage, tensors};
use crate::Error;
use crate::weights::pickle::Pickle;

const PICKLE: &str = "data.pkl";
/// Says "little" or "big".
const BYTE_ORDER: &str = "byteorder";

/// The weights in an archive.
pub(in crate::weights) fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let mut archive = Archive::open(path)?;
    if archive.has(BYTE_ORDER) && archive.read(BYTE_ORDER, 16)? != b"little" {
        return Err(Error::weights(
            path,
            "its numbers are of a big-endian machine; save it again on another",
        ));
    }
    let bytes = archive.read(PICKLE, u64::MAX)?;
    let (pickle, _) = Pickle::read(&bytes, 0).map_err(|fault| damaged(path, PICKLE, &fault))?;
    let storages = storage::storages(&pickle).map_err(|why| Error::weights(path, why))?;
    let length = archive.length;
    tensors(path, &pickle, &storages, length, |key, bytes| {
        let name = format!("data/{key}");
        let found = archive.read(&name, bytes)?;
        if found.len() as u64 != bytes {
            return Err(Error::damaged(
                path,
                format!("{name} has {} bytes and should have {bytes}", found.len()),
            ));
        }
        Ok(found)
    })
}

struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
    /// Of the file, in bytes: nothing in it is longer.
    length: u64,
    /// The folder that everything lies in.
    folder: String,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|reason| Error::read(path, reason))?;
        let length = file.metadata().map_err(|reason| Error::read(path, reason))?.len();
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|e| Error::damaged(path, format!("the archive: {e}")))?;
        let folder =
            zip.file_names().flatten().filter_map(|name| Some(name.strip_suffix(PICKLE)?.to_owned()));
        let folder = folder.min_by_key(String::len);
        let folder = folder.ok_or_else(|| {
            Error::weights(path, "it is a zip archive without data.pkl, which torch.save did not write; save the weights with torch.save(model.state_dict(), FILE)")
        })?;
        Ok(Self { path, zip, length, folder })
    }

    fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(&format!("{}{name}", self.folder)).is_some()
    }

    /// The bytes of one part, of which there are at most `most`.
    fn read(&mut self, name: &str, most: u64) -> Result<Vec<u8>, Error> {
        let (path, length) = (self.path, self.length);
        let fault = |why: String| Error::damaged(path, format!("{name}: {why}"));
        let entry = self.zip.by_name(&format!("{}{name}", self.folder)).map_err(|e| fault(e.to_string()))?;
        if entry.compression() != CompressionMethod::Stored {
            return Err(fault("it is compressed, which torch.save never does".to_owned()));
        }
        if entry.size() > most || entry.size() > length {
            return Err(fault(format!("it has {} bytes, too many", entry.size())));
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        entry.take(length).read_to_end(&mut bytes).map_err(|e| fault(e.to_string()))?;
        Ok(bytes)
    }
}
