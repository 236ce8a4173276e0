//! A checkpoint: named tensors and the state of a training run in one file that proves itself undamaged.
//!
//! The file is ordinary safetensors, readable by any tool. Its metadata hold the state and, first of all, an XXH64 checksum over the
//! header (with zeros in the checksum's place) and the data.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::str::FromStr;

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use safetensors::tensor::{Metadata, TensorInfo};
use sha2::{Digest, Sha256};

use crate::atomic::{Staged, Writer};
use crate::checksum::Checksum;
use crate::{Error, little_endian::for_each_piece};

/// Everything that a run needs to go on: tensors by name and small values as text.
///
/// The names are the caller's. A part, such as the weights or the optimiser's state, is told apart by its prefix:
/// `model.layer1.weight`, `optim.layer1.weight`.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// Tensors of any device; types u8, u32, i16, i32, i64, bf16, f16, f32 and f64.
    pub tensors: BTreeMap<String, Tensor>,
    /// Small values: epoch, step, best score, seed, … Numbers written with `to_string` read back exactly.
    pub state: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Adds tensors under `prefix`; they share their memory with the given ones.
    pub fn add_part(&mut self, prefix: &str, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        self.tensors.extend(tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
    }

    /// The tensors whose names begin with `prefix`, by the rest of their names.
    pub fn part(&self, prefix: &str) -> HashMap<String, Tensor> {
        let named =
            self.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)));
        named.map(|(name, tensor)| (name.to_string(), tensor.clone())).collect()
    }

    /// The same without the tensors whose names begin with `prefix`.
    #[must_use]
    pub fn without_part(&self, prefix: &str) -> Self {
        let mut rest = self.clone();
        rest.tensors.retain(|name, _| !name.starts_with(prefix));
        rest
    }

    /// Sets one value of the state.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        self.state.insert(key.to_string(), value.to_string());
    }

    /// One value of the state; none if it is missing or of another type.
    pub fn get<T: FromStr>(&self, key: &str) -> Option<T> {
        self.state.get(key)?.parse().ok()
    }

    /// The SHA-256 of all tensors, by name: of names, types, shapes and values. Equal for equal weights and states of an optimiser,
    /// whatever else the checkpoints say.
    ///
    /// # Errors
    ///
    /// A tensor of a type that a checkpoint cannot hold.
    pub fn sha256(&self) -> Result<String, Error> {
        let mut sha256 = Sha256::new();
        for (name, tensor) in &self.tensors {
            sha256.update(format!("{name} {:?} {:?}\n", tensor.dtype(), tensor.dims()));
            let hash = |bytes: &[u8]| {
                sha256.update(bytes);
                Ok(())
            };
            each_piece(tensor, hash).map_err(|reason| unsupported(name, reason))?;
        }
        Ok(sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Writes the checkpoint so that the file is whole or not there.
    ///
    /// # Errors
    ///
    /// A failed write, or a tensor of a type that a checkpoint cannot hold. An earlier file is then as it was.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        self.stage(path)?.commit()
    }

    /// Reads a checkpoint into the memory of `device` and verifies its checksum.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is damaged in any byte, cut short, or not written by [`Checkpoint::write`].
    pub fn read(path: &Path, device: &Device) -> Result<Self, Error> {
        Self::read_part(path, "", device)
    }

    /// Reads the state and the tensors whose names begin with `prefix`, such as a network without its optimiser, and verifies the
    /// checksum of the whole file. The other tensors take no memory.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::read`].
    pub fn read_part(path: &Path, prefix: &str, device: &Device) -> Result<Self, Error> {
        let mut source = Source::open(path)?;
        let metadata = source.header()?;
        let mut tensors = BTreeMap::new();
        for name in metadata.offset_keys() {
            let info = metadata.info(&name).ok_or_else(|| source.damaged("its list of tensors is broken"))?;
            if name.starts_with(prefix) {
                tensors.insert(name, source.tensor(info, device)?);
            } else {
                source.skip(info.data_offsets.1 - info.data_offsets.0)?;
            }
        }
        source.verify()?;
        let mut state: BTreeMap<_, _> = metadata.metadata().clone().into_iter().flatten().collect();
        state.remove(CHECKSUM_KEY);
        Ok(Self { tensors, state })
    }

    /// Whether a file that begins with `bytes` was written by [`Checkpoint::write`].
    pub(crate) fn is_start(bytes: &[u8]) -> bool {
        bytes.get(LENGTH_BYTES..).is_some_and(|header| header.starts_with(HEADER_START.as_bytes()))
    }

    /// Written and synced, but not renamed yet.
    pub(crate) fn stage(&self, path: &Path) -> Result<Staged, Error> {
        let (header, order) = self.header()?;
        Staged::write(path, |file| {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            let mut checksum = Checksum::new();
            let mut put = |bytes: &[u8]| {
                checksum.update(bytes);
                file.write_all(bytes)
            };
            put(header.as_bytes())?;
            order.iter().try_for_each(|tensor| each_piece(tensor, &mut put))?;
            write_checksum(file, checksum.finish())
        })
    }

    /// The header as text, with zeros for the checksum, and the tensors in the order of their data.
    fn header(&self) -> Result<(String, Vec<&Tensor>), Error> {
        if self.state.contains_key(CHECKSUM_KEY) {
            return Err(unsupported(CHECKSUM_KEY, "the name is kept for the checksum"));
        }
        let mut header = format!("{HEADER_START}{:016x}\"", 0);
        for (key, value) in &self.state {
            header += &format!(",{}:{}", json(key), json(value));
        }
        header.push('}');
        let (mut offset, mut order) = (0, Vec::new());
        for (name, tensor) in self.in_order()? {
            let end = offset + tensor.elem_count() * tensor.dtype().size_in_bytes();
            let dtype = tensor.dtype().into();
            let info = TensorInfo { dtype, shape: tensor.dims().to_vec(), data_offsets: (offset, end) };
            let info = serde_json::to_string(&info).map_err(|e| unsupported(name, e))?;
            header += &format!(",{}:{info}", json(name));
            order.push(tensor);
            offset = end;
        }
        header.push('}');
        let padding = header.len().next_multiple_of(ALIGNMENT) - header.len();
        Ok((header + &" ".repeat(padding), order))
    }

    /// Wide numbers first, so that each tensor's data are aligned; then by name.
    fn in_order(&self) -> Result<Vec<(&str, &Tensor)>, Error> {
        for (name, tensor) in &self.tensors {
            if name == METADATA_KEY {
                return Err(unsupported(name, "the file format keeps this name"));
            }
            if !is_supported(tensor.dtype()) {
                return Err(unsupported(name, format!("its type is {:?}", tensor.dtype())));
            }
        }
        let mut order: Vec<_> = self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        order.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size_in_bytes()));
        Ok(order)
    }
}

const CHECKSUM_KEY: &str = "xxh64";
const METADATA_KEY: &str = "__metadata__";
/// The checksum is the first thing in the file, at a fixed place.
const HEADER_START: &str = "{\"__metadata__\":{\"xxh64\":\"";
const CHECKSUM_DIGITS: usize = 16;
const LENGTH_BYTES: usize = 8;
const ALIGNMENT: usize = 8;
/// In bytes; the limit of the safetensors format.
const LONGEST_HEADER: u64 = 100_000_000;
/// In bytes: they stay in the processor's cache.
const SKIPPED_AT_ONCE: usize = 256 << 10;

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(crate) fn unsupported(name: &str, why: impl ToString) -> Error {
    Error::Unsupported { name: name.to_string(), why: why.to_string() }
}

fn is_supported(dtype: DType) -> bool {
    use DType::{BF16, F16, F32, F64, I16, I32, I64, U8, U32};
    matches!(dtype, U8 | U32 | I16 | I32 | I64 | BF16 | F16 | F32 | F64)
}

/// Gives the bytes of a tensor to `sink`, straight from its memory when that is in order and in the processor's reach.
pub(crate) fn each_piece(tensor: &Tensor, sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let tensor = tensor.to_device(&Device::Cpu).and_then(|t| t.contiguous()).map_err(io::Error::other)?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { return Err(io::Error::other("the tensor left the CPU")) };
    let range = layout.start_offset()..layout.start_offset() + tensor.elem_count();
    match storage {
        CpuStorage::U8(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::U32(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::I16(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::I32(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::I64(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::BF16(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::F16(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::F32(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        CpuStorage::F64(v) => for_each_piece(&v[range], |x| x.to_le_bytes(), sink),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

fn write_checksum(file: &mut Writer, checksum: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start((LENGTH_BYTES + HEADER_START.len()) as u64))?;
    write!(file, "{checksum:016x}")
}

/// A checkpoint file that is being read from start to end.
struct Source<'a> {
    path: &'a Path,
    file: File,
    /// Of the whole file, in bytes: nothing is allocated for more than this.
    length: u64,
    checksum: Checksum,
    expected: String,
    buffer: Vec<u8>,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let open = || {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().map_err(|reason| Error::read(path, reason))?;
        let (checksum, expected, buffer) = (Checksum::new(), String::new(), Vec::new());
        Ok(Self { path, file, length, checksum, expected, buffer })
    }

    /// The list of tensors and the state; remembers the expected checksum.
    fn header(&mut self) -> Result<Metadata, Error> {
        self.fill(LENGTH_BYTES)?;
        let length = self.buffer.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte));
        if length > LONGEST_HEADER || length > self.length - LENGTH_BYTES as u64 {
            return Err(self.damaged("it says that its header is longer than the file"));
        }
        self.fill(length as usize)?;
        let metadata: Metadata =
            serde_json::from_slice(&self.buffer).map_err(|e| self.damaged(format!("its header: {e}")))?;
        self.take_expected()?;
        self.checksum.update(&self.buffer);
        let whole = LENGTH_BYTES as u64 + length + metadata.data_len() as u64;
        if whole != self.length {
            return Err(self.damaged(format!("it has {} bytes and should have {whole}", self.length)));
        }
        Ok(metadata)
    }

    /// Takes the checksum out of the header and leaves zeros there.
    fn take_expected(&mut self) -> Result<(), Error> {
        let digits = HEADER_START.len()..HEADER_START.len() + CHECKSUM_DIGITS;
        if !self.buffer.starts_with(HEADER_START.as_bytes()) || self.buffer.len() < digits.end {
            return Err(
                self.damaged("it has no checksum: it was not written as a checkpoint, or was changed")
            );
        }
        self.expected = String::from_utf8_lossy(&self.buffer[digits.clone()]).into_owned();
        self.buffer[digits].fill(b'0');
        Ok(())
    }

    fn tensor(&mut self, info: &TensorInfo, device: &Device) -> Result<Tensor, Error> {
        // candle multiplies the sizes of a tensor without values, too.
        let sizes = info.shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size.max(1)));
        let dtype = DType::try_from(info.dtype).ok().filter(|dtype| is_supported(*dtype) && sizes.is_some());
        let Some(dtype) = dtype else {
            let what = format!("a tensor of type {:?} and shape {:?}", info.dtype, info.shape);
            return Err(self.damaged(format!("it holds {what}, which no checkpoint has")));
        };
        self.fill(info.data_offsets.1 - info.data_offsets.0)?;
        self.checksum.update(&self.buffer);
        Tensor::from_raw_buffer(&self.buffer, dtype, &info.shape, device)
            .map_err(|e| self.damaged(format!("a tensor cannot be made: {e}")))
    }

    /// Passes over bytes, which count for the checksum all the same.
    fn skip(&mut self, mut length: usize) -> Result<(), Error> {
        while length > 0 {
            let piece = length.min(SKIPPED_AT_ONCE);
            self.fill(piece)?;
            self.checksum.update(&self.buffer);
            length -= piece;
        }
        Ok(())
    }

    fn verify(&self) -> Result<(), Error> {
        if self.expected == format!("{:016x}", self.checksum.finish()) {
            return Ok(());
        }
        Err(self.damaged("its checksum differs from its content"))
    }

    /// Reads the next `length` bytes into the buffer.
    fn fill(&mut self, length: usize) -> Result<(), Error> {
        if length as u64 > self.length {
            return Err(self.damaged(format!("it has only {} bytes", self.length)));
        }
        self.buffer.resize(length, 0);
        self.file.read_exact(&mut self.buffer).map_err(|reason| match reason.kind() {
            ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
            _ => Error::read(self.path, reason),
        })
    }

    fn damaged(&self, why: impl Into<String>) -> Error {
        Error::damaged(self.path, why)
    }
}

#[cfg(test)]
mod tests;
