//! What can go wrong with a run's folder: one error type that names the file and says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// A fault with a run's folder or one of its files. The message is complete: it holds the reason, so printing it once is enough.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A folder or file could not be created.
    #[error("{}: cannot create it: {reason}; check the path and whether its folder may be written", path.display())]
    Create {
        /// What was to be created.
        path: PathBuf,
        /// The operating system's reason.
        reason: io::Error,
    },
    /// A file could not be written. An earlier file of that name is as it was.
    #[error("{}: cannot write it: {reason}; an earlier file of that name is unchanged", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's or the encoder's reason.
        reason: io::Error,
    },
    /// The disk or the quota was used up. An earlier file of that name is as it was.
    #[error("{}: cannot write it: the disk is full; free some space or choose another disk, earlier files are unchanged", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        reason: io::Error,
    },
    /// A file or folder could not be read.
    #[error("{}: cannot read it: {reason}; check the path and whether it may be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        reason: io::Error,
    },
    /// A file whose content is not what was written.
    #[error("{}: the file is damaged: {why}{}", path.display(), use_instead(others))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// Names of the other checkpoints of the run.
        others: Vec<String>,
    },
    /// A sound checkpoint that belongs to another config or network.
    #[error("{}: the checkpoint does not belong to this config: {why}; use the config.toml of its own run", path.display())]
    Foreign {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        why: String,
    },
    /// A file that weights cannot be taken from.
    #[error("{}: no weights can be taken from it: {why}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What it is or lacks, and what to do.
        why: String,
    },
    /// There is no run where one was looked for.
    #[error("{}: no run found: {why}; train first, or give the folder of a run", folder.display())]
    NoRun {
        /// The folder that was looked in.
        folder: PathBuf,
        /// What is missing there.
        why: String,
    },
    /// There is no such checkpoint.
    #[error("{}: no such checkpoint{}", path.display(), use_instead_or_train(others))]
    NoCheckpoint {
        /// The file that was looked for.
        path: PathBuf,
        /// Names of the checkpoints that there are.
        others: Vec<String>,
    },
    /// A log whose columns are not those of the rows to be added.
    #[error("{}: the log has the columns [{}], the rows have [{}]; start a new run", path.display(), found.join(", "), expected.join(", "))]
    Columns {
        /// The log.
        path: PathBuf,
        /// The columns of the file.
        found: Vec<String>,
        /// The columns of the rows.
        expected: Vec<String>,
    },
    /// A column that no log has.
    #[error("no log has a column '{column}' with numbers; there is: {}", if known.is_empty() { "none yet, train first".to_string() } else { known.join(", ") })]
    NoColumn {
        /// The column that was asked for.
        column: String,
        /// The columns that there are.
        known: Vec<String>,
    },
    /// Two things that must have one size do not.
    #[error("{what}")]
    Size {
        /// Both things and both sizes.
        what: String,
    },
    /// A tensor or a value that a checkpoint cannot hold.
    #[error("the checkpoint cannot hold '{name}': {why}")]
    Unsupported {
        /// The name of the tensor or value.
        name: String,
        /// The reason.
        why: String,
    },
}

impl Error {
    pub(crate) fn create(path: &Path, reason: io::Error) -> Self {
        if is_full(&reason) { Self::full(path, reason) } else { Self::Create { path: path.into(), reason } }
    }

    pub(crate) fn write(path: &Path, reason: io::Error) -> Self {
        if is_full(&reason) { Self::full(path, reason) } else { Self::Write { path: path.into(), reason } }
    }

    pub(crate) fn read(path: &Path, reason: io::Error) -> Self {
        Self::Read { path: path.into(), reason }
    }

    pub(crate) fn damaged(path: &Path, why: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), why: why.into(), others: Vec::new() }
    }

    pub(crate) fn weights(path: &Path, why: impl Into<String>) -> Self {
        Self::Weights { path: path.into(), why: why.into() }
    }

    fn full(path: &Path, reason: io::Error) -> Self {
        Self::DiskFull { path: path.into(), reason }
    }
}

fn is_full(reason: &io::Error) -> bool {
    matches!(reason.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn use_instead(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!("; there is also: {}", others.join(", ")) }
}

fn use_instead_or_train(others: &[String]) -> String {
    if others.is_empty() { "; there is none yet: train first".to_string() } else { use_instead(others) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let error = Error::write(Path::new("last.safetensors"), kind.into());
            assert!(matches!(error, Error::DiskFull { .. }));
            let text = error.to_string();
            assert!(text.starts_with("last.safetensors: ") && text.contains("disk is full"), "{text}");
        }
        let error = Error::write(Path::new("a"), io::ErrorKind::PermissionDenied.into());
        assert!(matches!(error, Error::Write { .. }));
    }

    #[test]
    fn a_damaged_file_is_named_with_its_alternatives() {
        let why = "its checksum differs".to_string();
        let error = Error::Damaged { path: "run/last.safetensors".into(), why, others: vec!["best".into()] };
        let text = error.to_string();
        assert_eq!(
            text,
            "run/last.safetensors: the file is damaged: its checksum differs; there is also: best"
        );
    }
}
