//! A run: one folder that holds everything that one training made.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::timestamp::timestamp;
use crate::{Checkpoints, Error, check_toml, write_atomically};

/// The folder of one run:
///
/// ```text
/// runs/agrnet/2031-07-14_09-30-05/         or with a label, such as ..._soft-f1
///     config.toml     the resolved config: every key, after overrides
///     provenance.toml version, commit, machine and a fingerprint of the data
///     parts/          a run for each part of the picture, if the config has parts
///     log.tsv         one row per logged step
///     epochs.tsv      one row per epoch: scores of the held-out images
///     times.tsv       one row per logged step: what it cost
///     nan/            batches at which training stopped because a number was not finite
///     events/         the same and more for TensorBoard, if the config asks for it
///     checkpoints/    best.safetensors, last.safetensors, previous.safetensors
///     eval/           a folder for each split and checkpoint scored: tables and overlays
///     export/         weights for other programs
///     report.html     all of it on one page
///     predictions/    what `predict` wrote, unless told otherwise
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    folder: PathBuf,
    config: String,
}

impl Run {
    /// Makes `root/name/<date and time in UTC>` with the resolved `config` in it. Two runs never share a folder: a second one within
    /// a second gets the suffix `-2`, and so on.
    ///
    /// # Errors
    ///
    /// The folder or the config cannot be written.
    pub fn create(root: &Path, name: &str, config: &str) -> Result<Self, Error> {
        Self::create_at(root, name, config, SystemTime::now())
    }

    /// As [`create`](Self::create), with a label after the moment, such as the loss: `2031-07-14_09-30-05_soft-f1`.
    ///
    /// # Errors
    ///
    /// The folder or the config cannot be written.
    pub fn create_labelled(root: &Path, name: &str, label: &str, config: &str) -> Result<Self, Error> {
        Self::create_as(&root.join(name), &format!("{}_{label}", timestamp(SystemTime::now())), config)
    }

    /// Opens the run in `folder`, or makes it there with the resolved `config` if there is none yet.
    ///
    /// # Errors
    ///
    /// The folder or the config cannot be read or written.
    pub fn open_or_create(folder: &Path, config: &str) -> Result<Self, Error> {
        if !folder.join(CONFIG).is_file() {
            fs::create_dir_all(folder).map_err(|reason| Error::create(folder, reason))?;
            write_atomically(&folder.join(CONFIG), |file| file.write_all(config.as_bytes()))?;
        }
        Self::open(folder)
    }

    /// Opens the run in `folder`, to go on with it or to read from it.
    ///
    /// # Errors
    ///
    /// There is no config.toml, or it cannot be read, or it is no config by its length or depth.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(CONFIG);
        match fs::read_to_string(&path) {
            Ok(config) => {
                check_toml(&config).map_err(|why| Error::damaged(&path, why))?;
                Ok(Self { folder: folder.into(), config })
            }
            Err(reason) if is_missing(&reason) => Err(no_run(folder, "it holds no config.toml")),
            Err(reason) => Err(Error::read(&path, reason)),
        }
    }

    /// Opens the newest run of `root/name`: by the date in the folder's name, among those that hold a config.toml.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be read.
    pub fn latest(root: &Path, name: &str) -> Result<Self, Error> {
        let folder = root.join(name);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(reason) if is_missing(&reason) => return Err(no_run(&folder, "there is no such folder")),
            Err(reason) => return Err(Error::read(&folder, reason)),
        };
        let runs = entries.flatten().filter(|entry| entry.path().join(CONFIG).is_file());
        let newest = runs.filter_map(|run| Some((age(run.file_name().to_str()?)?, run.path()))).max();
        let (_, newest) = newest.ok_or_else(|| no_run(&folder, "no folder in it holds a config.toml"))?;
        Self::open(&newest)
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What tells it from others: the last two parts of its folder, experiment and moment.
    pub fn name(&self) -> String {
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        let parts: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
        parts[parts.len().saturating_sub(2)..].join("/")
    }

    /// The text of config.toml.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// The run's checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.folder.join("checkpoints"))
    }

    /// The file of the training log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log.tsv")
    }

    /// The folder for the batches of steps whose numbers were not finite; whatever writes into it makes it.
    pub fn nan(&self) -> PathBuf {
        self.folder.join("nan")
    }

    /// The folder of the event files, for `tensorboard --logdir`.
    pub fn events(&self) -> PathBuf {
        self.folder.join("events")
    }

    /// The folder for the scores of one evaluation, named after its split and checkpoint; whatever writes into it makes it.
    pub fn evaluation(&self, name: &str) -> PathBuf {
        self.folder.join("eval").join(name)
    }

    /// The folder for predictions; whatever writes into it makes it.
    pub fn predictions(&self) -> PathBuf {
        self.folder.join("predictions")
    }

    fn create_at(root: &Path, name: &str, config: &str, moment: SystemTime) -> Result<Self, Error> {
        Self::create_as(&root.join(name), &timestamp(moment), config)
    }

    fn create_as(parent: &Path, name: &str, config: &str) -> Result<Self, Error> {
        let folder = new_folder(parent, name)?;
        write_atomically(&folder.join(CONFIG), |file| file.write_all(config.as_bytes()))?;
        Ok(Self { folder, config: config.to_string() })
    }
}

const CONFIG: &str = "config.toml";

fn new_folder(parent: &Path, name: &str) -> Result<PathBuf, Error> {
    fs::create_dir_all(parent).map_err(|reason| Error::create(parent, reason))?;
    for number in 1_u32.. {
        let folder =
            parent.join(if number == 1 { name.to_string() } else { format!("{name}{SUFFIX}{number}") });
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(reason) if reason.kind() == ErrorKind::AlreadyExists => {}
            Err(reason) => return Err(Error::create(&folder, reason)),
        }
    }
    Err(Error::create(parent, ErrorKind::AlreadyExists.into()))
}

const SUFFIX: char = '-';
const LABEL: char = '_';
/// Of a date and time, in bytes.
const LENGTH: usize = "YYYY-MM-DD_HH-MM-SS".len();

/// The date and the number of a folder's name, which order runs, whatever label is between them; none if the name is not one of a run.
fn age(name: &str) -> Option<(String, u32)> {
    let (date, suffix) = name.split_at_checked(LENGTH)?;
    let is_date = date.bytes().enumerate().all(|(i, byte)| match i {
        4 | 7 | 13 | 16 => byte == b'-',
        10 => byte == b'_',
        _ => byte.is_ascii_digit(),
    });
    let (label, number) = match suffix.rsplit_once(SUFFIX) {
        Some((label, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            (label, number.parse().ok()?)
        }
        _ => (suffix, 1),
    };
    let is_run = is_date && (label.is_empty() || label.starts_with(LABEL));
    is_run.then(|| (date.to_string(), number))
}

fn is_missing(reason: &std::io::Error) -> bool {
    matches!(reason.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn no_run(folder: &Path, why: &str) -> Error {
    Error::NoRun { folder: folder.into(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_run_is_created_and_opened() {
        let root = tempfile::tempdir().unwrap();
        let run = Run::create_at(root.path(), "agrnet", "epochs = 30\n", at(1_234_567_890)).unwrap();
        assert_eq!(run.folder(), root.path().join("agrnet/2009-02-13_23-31-30"));
        assert_eq!(fs::read_to_string(run.folder().join("config.toml")).unwrap(), "epochs = 30\n");
        assert_eq!(Run::open(run.folder()).unwrap(), run);
        assert_eq!(run.log(), run.folder().join("log.tsv"));
    }

    #[test]
    fn runs_of_one_second_get_folders_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let mut folders = std::collections::BTreeSet::new();
        for number in 1..=11 {
            let run = Run::create_at(root.path(), "a", &number.to_string(), at(5)).unwrap();
            assert!(folders.insert(run.folder().to_path_buf()));
            assert_eq!(Run::latest(root.path(), "a").unwrap(), run);
        }
    }

    #[test]
    fn the_latest_run_is_the_newest_that_has_a_config() {
        let root = tempfile::tempdir().unwrap();
        for seconds in [3_000_000_000, 1_000_000_000, 2_000_000_000] {
            Run::create_at(root.path(), "a", &seconds.to_string(), at(seconds)).unwrap();
        }
        fs::create_dir(root.path().join("a/2999-01-01_00-00-00")).unwrap();
        fs::create_dir(root.path().join("a/zzz")).unwrap();
        fs::write(root.path().join("a/zzz/config.toml"), "mine").unwrap();
        assert_eq!(Run::latest(root.path(), "a").unwrap().config(), "3000000000");
    }

    #[test]
    fn a_missing_run_names_the_folder_and_the_remedy() {
        let root = tempfile::tempdir().unwrap();
        let error = Run::latest(root.path(), "agrnet").unwrap_err().to_string();
        assert!(error.starts_with(root.path().join("agrnet").to_str().unwrap()), "{error}");
        assert!(error.contains("train first"), "{error}");
        fs::create_dir(root.path().join("agrnet")).unwrap();
        assert!(matches!(Run::latest(root.path(), "agrnet"), Err(Error::NoRun { .. })));
        assert!(matches!(Run::open(root.path()), Err(Error::NoRun { .. })));
    }

    #[test]
    fn other_names_are_no_runs() {
        assert_eq!(age("2009-02-13_23-31-30"), Some(("2009-02-13_23-31-30".to_string(), 1)));
        assert_eq!(age("2009-02-13_23-31-30_dice-focal"), Some(("2009-02-13_23-31-30".to_string(), 1)));
        assert_eq!(age("2009-02-13_23-31-30_dice-focal-2"), Some(("2009-02-13_23-31-30".to_string(), 2)));
        assert_eq!(age("2009-02-13_23-31-30-12"), Some(("2009-02-13_23-31-30".to_string(), 12)));
        for name in
            ["", "good", "2009-02-13_23-31-3x", "2009-02-13_23-31-30 copy", "2009-02-13_23-31-30-", "äöü"]
        {
            assert_eq!(age(name), None, "{name}");
        }
    }
}
