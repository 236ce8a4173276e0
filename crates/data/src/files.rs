//! Reading and writing whole files, with the path in every error.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The bytes of a file; `role` says what it would hold when it is missing.
pub(crate) fn read(path: &Path, role: &str) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::MissingFile { path: path.to_path_buf(), role: role.into() },
        _ => Error::io(path, "read", e),
    })
}

/// Writes a file in one piece: to a temporary file beside it, then renamed over it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (mut file, temporary) = create_beside(path).map_err(|e| Error::io(path, "write", e))?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|e| {
        // The first error is the one to report; a temporary file that cannot be removed does no harm.
        let _ = fs::remove_file(&temporary);
        Error::io(path, "write", e)
    })
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|e| Error::io(path, "create the folder", e))
}

/// A new file in the same folder, under the first free temporary name.
fn create_beside(path: &Path) -> std::io::Result<(File, PathBuf)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut number = 0;
    loop {
        let temporary = path.with_file_name(format!(".{name}.{number}.tmp"));
        match File::create_new(&temporary) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
            result => return result.map(|file| (file, temporary)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        fs::write(folder.path().join(".list.txt.0.tmp"), "left by a crash").unwrap();
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(read(&path, "list").unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn errors_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none").join("list.txt");
        assert!(matches!(read(&missing, "id list"), Err(Error::MissingFile { path, .. }) if path == missing));
        assert!(matches!(write_whole(&missing, b""), Err(Error::Io { path, .. }) if path == missing));
        assert!(matches!(read(folder.path(), "id list"), Err(Error::Io { .. })));
    }
}
