//! Files that are either whole or not there: written beside their final name, synced, then renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// The writer that [`write_atomically`] hands out: it can also seek, for values known only at the end.
pub type Writer = BufWriter<File>;

/// Writes a file so that a reader, a crash or a full disk never meets half of it.
///
/// `write` fills a temporary file in the same folder; then its bytes are forced to the disk, it takes the name `path`, and the folder
/// is forced to the disk too. Missing folders are created.
///
/// # Errors
///
/// Whatever `write` or the operating system reports. A file that was at `path` before is then as it was, and the temporary file is gone.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut Writer) -> io::Result<()>) -> Result<(), Error> {
    Staged::write(path, write)?.commit()
}

/// A file that is written and synced but does not have its name yet. Dropping it removes it.
pub(crate) struct Staged {
    temporary: PathBuf,
    path: PathBuf,
    renamed: bool,
}

impl Staged {
    pub(crate) fn write(
        path: &Path,
        write: impl FnOnce(&mut Writer) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let (file, staged) = Self::create(path)?;
        let mut writer = BufWriter::new(file);
        write(&mut writer)
            .and_then(|()| writer.flush())
            .and_then(|()| writer.get_ref().sync_all())
            .map_err(|reason| Error::write(path, reason))?;
        Ok(staged)
    }

    pub(crate) fn commit(mut self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.path).map_err(|reason| Error::write(&self.path, reason))?;
        self.renamed = true;
        sync_folder(parent(&self.path)).map_err(|reason| Error::write(&self.path, reason))
    }

    fn create(path: &Path) -> Result<(File, Self), Error> {
        let folder = parent(path);
        fs::create_dir_all(folder).map_err(|reason| Error::create(folder, reason))?;
        for number in 0_u64.. {
            let temporary = temporary_name(path, number)?;
            match File::create_new(&temporary) {
                Ok(file) => return Ok((file, Self { temporary, path: path.into(), renamed: false })),
                Err(reason) if reason.kind() == io::ErrorKind::AlreadyExists => {}
                Err(reason) => return Err(Error::create(path, reason)),
            }
        }
        Err(Error::create(path, io::ErrorKind::AlreadyExists.into()))
    }
}

/// A file that is filled piece by piece and takes its name at the end; dropped before, it leaves nothing.
pub(crate) struct Growing {
    writer: Writer,
    staged: Staged,
}

impl Growing {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let (file, staged) = Staged::create(path)?;
        Ok(Self { writer: BufWriter::new(file), staged })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.writer.write_all(bytes).map_err(|reason| Error::write(&self.staged.path, reason))
    }

    pub(crate) fn commit(mut self) -> Result<(), Error> {
        let synced = self.writer.flush().and_then(|()| self.writer.get_ref().sync_all());
        synced.map_err(|reason| Error::write(&self.staged.path, reason))?;
        self.staged.commit()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.renamed {
            // Nobody could act on a failure here.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Removes what killed processes left of `path`. Only for the one process that writes this file.
pub(crate) fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    let start = format!(".{name}.");
    let Ok(entries) = fs::read_dir(parent(path)) else { return };
    for entry in entries.flatten() {
        let is_leftover =
            entry.file_name().to_str().is_some_and(|e| e.starts_with(&start) && e.ends_with(ENDING));
        if is_leftover {
            let _ = fs::remove_file(entry.path());
        }
    }
}

const ENDING: &str = ".partial";

/// A hidden name in the same folder (a rename never crosses disks then).
pub(crate) fn temporary_name(path: &Path, number: u64) -> Result<PathBuf, Error> {
    let Some(name) = path.file_name() else {
        let reason = io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name");
        return Err(Error::create(path, reason));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}-{number}{ENDING}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A rename is durable once the folder that holds the names is on the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    match File::open(folder)?.sync_all() {
        // Some network file systems cannot sync a folder.
        Err(reason) if matches!(reason.kind(), InvalidInput | Unsupported) => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.txt");
        write_atomically(&path, |f| f.write_all(b"one")).unwrap();
        write_atomically(&path, |f| f.write_all(b"two")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(path.parent().unwrap()), ["a.txt"]);
    }

    #[test]
    fn a_failing_writer_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, |f| f.write_all(b"old")).unwrap();
        let error = write_atomically(&path, |f| {
            f.write_all(&[b'x'; 100_000])?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(matches!(error, Error::DiskFull { path: p, .. } if p == path));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_panicking_writer_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, |f| f.write_all(b"old")).unwrap();
        let result = std::panic::catch_unwind(|| write_atomically(&path, |_| panic!("a bug in the writer")));
        assert!(result.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write_atomically(&file.join("a.txt"), |_| Ok(())).unwrap_err();
        assert!(matches!(&error, Error::Create { path, .. } if *path == file), "{error}");
        assert!(write_atomically(Path::new("/"), |_| Ok(())).is_err());
    }

    #[test]
    fn leftovers_of_one_file_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".a.bin.17-0.partial", ".b.bin.17-0.partial", "a.bin"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_leftovers(&folder.path().join("a.bin"));
        assert_eq!(names(folder.path()), [".b.bin.17-0.partial", "a.bin"]);
    }

    #[test]
    fn many_threads_write_one_file_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::thread::scope(|scope| {
            for value in 0..4_u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..5 {
                        write_atomically(path, |f| f.write_all(&[value; 50_000])).unwrap();
                    }
                });
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 50_000 && bytes.iter().all(|b| *b == bytes[0]));
        assert_eq!(names(folder.path()), ["a.bin"]);
    }
}
