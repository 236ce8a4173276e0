//! Storages: the blocks of numbers that tensors lie in.

use std::collections::BTreeMap;

use candle_core::DType;

use crate::weights::pickle::{Id, Pickle};

/// The storages of a file by their keys.
pub(super) type Storages<'a> = BTreeMap<&'a str, Storage>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) kind: Kind,
    /// In elements.
    pub(super) length: u64,
}

impl Storage {
    /// The largest number stands for more than 64 bits.
    pub(super) fn bytes(&self) -> u64 {
        self.length.saturating_mul(self.kind.bytes())
    }
}

/// The type of a storage's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float(DType),
    /// In bytes.
    Integer(u64),
    /// Of two floats, in bytes.
    Complex(u64),
}

impl Kind {
    /// By the name of PyTorch's class.
    fn of(class: &str) -> Option<Self> {
        Some(match class {
            "FloatStorage" => Self::Float(DType::F32),
            "DoubleStorage" => Self::Float(DType::F64),
            "HalfStorage" => Self::Float(DType::F16),
            "BFloat16Storage" => Self::Float(DType::BF16),
            "LongStorage" => Self::Integer(8),
            "IntStorage" | "QInt32Storage" => Self::Integer(4),
            "ShortStorage" => Self::Integer(2),
            "CharStorage" | "ByteStorage" | "UntypedStorage" | "BoolStorage" | "QInt8Storage"
            | "QUInt8Storage" => Self::Integer(1),
            "ComplexFloatStorage" => Self::Complex(8),
            "ComplexDoubleStorage" => Self::Complex(16),
            _ => return None,
        })
    }

    /// The type of floats; none for whole numbers.
    pub(super) fn float(self) -> Result<Option<DType>, String> {
        match self {
            Self::Float(dtype) => Ok(Some(dtype)),
            Self::Integer(_) => Ok(None),
            Self::Complex(_) => Err("it holds complex numbers, which no network here has".to_owned()),
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::Float(dtype) => dtype.size_in_bytes() as u64,
            Self::Integer(bytes) | Self::Complex(bytes) => bytes,
        }
    }
}

/// What a pickle tells of a storage each time that a tensor needs it.
pub(super) struct Parts<'a> {
    pub(super) key: &'a str,
    class: &'a str,
    length: usize,
    /// Where a view into the storage begins, in elements; older files have such.
    pub(super) view: usize,
}

/// The parts of a storage's key: `("storage", class, key, device, length)`, and a view in older files.
pub(super) fn parts<'a>(pickle: &Pickle<'a>, id: Id) -> Option<Parts<'a>> {
    let &[word, class, key, _, length, ref view @ ..] = pickle.sequence(id)? else { return None };
    let (_, class) = pickle.global(class)?;
    if pickle.text(word)? != "storage" {
        return None;
    }
    let view = view.first().and_then(|&view| pickle.sequence(view));
    let view = view.and_then(|view| pickle.size(*view.get(1)?)).unwrap_or_default();
    Some(Parts { key: pickle.text(key)?, class, length: pickle.size(length)?, view })
}

/// Every storage that a pickle tells of. The error names what is not known of one.
pub(super) fn storages<'a>(pickle: &Pickle<'a>) -> Result<Storages<'a>, String> {
    let mut storages = Storages::new();
    for parts in pickle.outside().filter_map(|id| parts(pickle, id)) {
        let Parts { key, class, length, .. } = parts;
        let kind =
            Kind::of(class).ok_or_else(|| format!("the storage '{key}' has an unknown type {class}"))?;
        let storage = Storage { kind, length: length as u64 };
        if storages.insert(key, storage).is_some_and(|other| other != storage) {
            return Err(format!("the storage '{key}' has two types or lengths"));
        }
    }
    Ok(storages)
}
