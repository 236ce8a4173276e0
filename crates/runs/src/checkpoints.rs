//! The checkpoints folder of a run: `best`, `last`, and the `previous` last one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use candle_core::Device;

use crate::atomic::{remove_leftovers, temporary_name};
use crate::{Checkpoint, Error};

/// Which checkpoint of a run is meant. Text reads as `best`, `last`, `epoch-N`, or else a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one with the best score so far.
    Best,
    /// The newest one.
    Last,
    /// The one kept at the end of an epoch; the first is 1.
    Epoch(usize),
    /// A file anywhere.
    Path(PathBuf),
}

/// The folder that holds a run's checkpoints. One process at a time may save into it; any number may load.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
}

/// A checkpoint, and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The content, verified.
    pub checkpoint: Checkpoint,
    /// The file it was read from.
    pub path: PathBuf,
    /// Why this is the previous checkpoint and not the last one, if so.
    pub warning: Option<Error>,
}

impl Checkpoints {
    /// The checkpoints in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Saves in the place of an earlier one. When writing fails, that one is as it was, and a crash at any moment leaves a whole
    /// checkpoint. What was `last` becomes `previous`.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or a tensor or value cannot be in a checkpoint.
    pub fn save(&self, which: &Which, checkpoint: &Checkpoint) -> Result<(), Error> {
        if *which == Which::Last {
            return self.save_last(checkpoint);
        }
        let path = self.path(which);
        remove_leftovers(&path);
        checkpoint.write(&path)
    }

    fn save_last(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (last, previous) = (self.file(LAST), self.file(PREVIOUS));
        remove_leftovers(&last);
        remove_leftovers(&previous);
        let staged = checkpoint.stage(&last)?;
        let spare = temporary_name(&previous, 0)?;
        match fs::hard_link(&last, &spare) {
            Ok(()) => {
                staged.commit()?;
                fs::rename(&spare, &previous).map_err(|reason| Error::write(&previous, reason))
            }
            Err(reason) if reason.kind() == ErrorKind::NotFound => staged.commit(),
            // A file system without second names for a file: for a moment there is no `last`, and loading takes `previous`.
            Err(_) => {
                fs::rename(&last, &previous).map_err(|reason| Error::write(&previous, reason))?;
                staged.commit()
            }
        }
    }

    /// Loads a checkpoint into the memory of `device`.
    ///
    /// If `last` is damaged or missing and `previous` is sound, that one comes back, and [`Loaded::warning`] tells why.
    ///
    /// # Errors
    ///
    /// A missing or damaged checkpoint; the message names the other checkpoints that there are.
    pub fn load(&self, which: &Which, device: &Device) -> Result<Loaded, Error> {
        self.load_part(which, "", device)
    }

    /// Loads the state and the tensors whose names begin with `prefix`; see [`Checkpoint::read_part`].
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoints::load`].
    pub fn load_part(&self, which: &Which, prefix: &str, device: &Device) -> Result<Loaded, Error> {
        let path = self.path(which);
        let error = match self.read(&path, prefix, device) {
            Ok(checkpoint) => return Ok(Loaded { checkpoint, path, warning: None }),
            Err(error) => error,
        };
        let previous = self.file(PREVIOUS);
        let lost = matches!(error, Error::Damaged { .. } | Error::NoCheckpoint { .. });
        if *which == Which::Last
            && lost
            && let Ok(checkpoint) = Checkpoint::read_part(&previous, prefix, device)
        {
            return Ok(Loaded { checkpoint, path: previous, warning: Some(error) });
        }
        Err(error)
    }

    /// Whether there is anything to go on from.
    pub fn can_resume(&self) -> bool {
        self.file(LAST).exists() || self.file(PREVIOUS).exists()
    }

    /// The highest epoch whose checkpoint was kept, if any.
    pub fn highest_epoch(&self) -> Option<Which> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let epochs = files.filter_map(|file| {
            let name = file.file_name();
            let name = name.to_str()?.strip_prefix(EPOCH)?.strip_suffix(EXTENSION)?;
            name.strip_suffix('.')?.parse().ok()
        });
        epochs.max().map(Which::Epoch)
    }

    /// The file of a checkpoint, whether it exists or not.
    pub fn path(&self, which: &Which) -> PathBuf {
        match which {
            Which::Best => self.file(BEST),
            Which::Last => self.file(LAST),
            Which::Epoch(epoch) => self.file(&format!("{EPOCH}{epoch}")),
            Which::Path(path) => path.clone(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }

    fn read(&self, path: &Path, prefix: &str, device: &Device) -> Result<Checkpoint, Error> {
        Checkpoint::read_part(path, prefix, device).map_err(|error| match error {
            Error::Read { reason, .. } if reason.kind() == ErrorKind::NotFound => {
                Error::NoCheckpoint { path: path.into(), others: self.others(path) }
            }
            Error::Damaged { path: p, why, .. } => Error::Damaged { path: p, why, others: self.others(path) },
            error => error,
        })
    }

    /// Names of the checkpoints in the folder, without `path`.
    fn others(&self, path: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|file| file != path && file.extension().is_some_and(|e| e == EXTENSION))
            .filter_map(|file| Some(file.file_stem()?.to_str()?.to_string()))
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }
}

const BEST: &str = "best";
const LAST: &str = "last";
const PREVIOUS: &str = "previous";
const EPOCH: &str = "epoch-";
const EXTENSION: &str = "safetensors";

impl Loaded {
    /// One value of the state.
    ///
    /// # Errors
    ///
    /// The value is missing or of another type: another program or version wrote the checkpoint.
    pub fn state<T: FromStr>(&self, key: &str) -> Result<T, Error> {
        let missing = || self.foreign(format!("it has no '{key}'"));
        let text = self.checkpoint.state.get(key).ok_or_else(missing)?;
        text.parse().map_err(|_| self.foreign(format!("its '{key}' is '{text}'")))
    }

    /// Checks that a value of the state, such as the name of the network or the number of classes, is the expected one.
    ///
    /// # Errors
    ///
    /// The value is missing or another one: the checkpoint belongs to another config.
    pub fn require(&self, key: &str, expected: &str) -> Result<(), Error> {
        let found: String = self.state(key)?;
        if found == expected {
            return Ok(());
        }
        Err(self.foreign(format!("its '{key}' is '{found}', here it is '{expected}'")))
    }

    /// An error that names this checkpoint as one of another config or network.
    pub fn foreign(&self, why: String) -> Error {
        Error::Foreign { path: self.path.clone(), why }
    }
}

impl From<&str> for Which {
    fn from(text: &str) -> Self {
        match text {
            BEST => Self::Best,
            LAST => Self::Last,
            text => match text.strip_prefix(EPOCH).and_then(|epoch| epoch.parse().ok()) {
                Some(epoch) => Self::Epoch(epoch),
                None => Self::Path(text.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Tensor;

    fn folder() -> (tempfile::TempDir, Checkpoints) {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().join("checkpoints"));
        (folder, checkpoints)
    }

    fn of_step(step: u32) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        let weight = Tensor::new(&[step as f32; 100], &Device::Cpu).unwrap();
        checkpoint.add_part("model.", [("weight".to_string(), weight)]);
        checkpoint.set("step", step);
        checkpoint.set("network", "agrnet");
        checkpoint
    }

    fn step(loaded: &Loaded) -> u32 {
        loaded.state("step").unwrap()
    }

    fn damage(path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn last_previous_and_best_are_kept() {
        let (_guard, checkpoints) = folder();
        for step in 1..=3 {
            checkpoints.save(&Which::Last, &of_step(step)).unwrap();
        }
        checkpoints.save(&Which::Best, &of_step(2)).unwrap();
        let load = |which: Which| checkpoints.load(&which, &Device::Cpu).unwrap();
        assert_eq!(step(&load(Which::Last)), 3);
        assert_eq!(step(&load(Which::Best)), 2);
        assert_eq!(step(&load(Which::Path(checkpoints.file(PREVIOUS)))), 2);
        assert!(load(Which::Last).warning.is_none() && checkpoints.highest_epoch().is_none());
        for epoch in [9, 10, 2] {
            checkpoints.save(&Which::Epoch(epoch), &of_step(3)).unwrap();
        }
        assert_eq!(checkpoints.highest_epoch(), Some(Which::Epoch(10)));
        assert_eq!(fs::read_dir(&checkpoints.folder).unwrap().count(), 3 + 3);
    }

    #[test]
    fn a_damaged_last_gives_the_previous_with_a_warning() {
        let (_guard, checkpoints) = folder();
        checkpoints.save(&Which::Last, &of_step(1)).unwrap();
        checkpoints.save(&Which::Last, &of_step(2)).unwrap();
        damage(&checkpoints.file(LAST));
        let loaded = checkpoints.load(&Which::Last, &Device::Cpu).unwrap();
        assert_eq!(step(&loaded), 1);
        assert_eq!(loaded.path, checkpoints.file(PREVIOUS));
        let warning = loaded.warning.unwrap().to_string();
        assert!(warning.contains("last.safetensors") && warning.contains("damaged"), "{warning}");
    }

    #[test]
    fn a_missing_last_gives_the_previous_with_a_warning() {
        let (_guard, checkpoints) = folder();
        checkpoints.save(&Which::Last, &of_step(1)).unwrap();
        fs::rename(checkpoints.file(LAST), checkpoints.file(PREVIOUS)).unwrap();
        let loaded = checkpoints.load(&Which::Last, &Device::Cpu).unwrap();
        assert_eq!(step(&loaded), 1);
        assert!(matches!(loaded.warning, Some(Error::NoCheckpoint { .. })));
    }

    #[test]
    fn errors_name_the_other_checkpoints() {
        let (_guard, checkpoints) = folder();
        let load = |which: Which| checkpoints.load(&which, &Device::Cpu).unwrap_err().to_string();
        assert!(load(Which::Last).ends_with("no such checkpoint; there is none yet: train first"));
        checkpoints.save(&Which::Best, &of_step(1)).unwrap();
        assert!(load(Which::Last).ends_with("last.safetensors: no such checkpoint; there is also: best"));
        checkpoints.save(&Which::Last, &of_step(2)).unwrap();
        damage(&checkpoints.file(LAST));
        let error = load(Which::Last);
        assert!(
            error.contains("last.safetensors: the file is damaged") && error.ends_with("best"),
            "{error}"
        );
        assert!(load(Which::from("no/such.file")).ends_with("there is also: best, last"));
    }

    #[test]
    fn a_failed_save_leaves_everything() {
        let (_guard, checkpoints) = folder();
        checkpoints.save(&Which::Last, &of_step(1)).unwrap();
        checkpoints.save(&Which::Last, &of_step(2)).unwrap();
        let mut bad = of_step(3);
        bad.set("xxh64", "taken");
        assert!(matches!(checkpoints.save(&Which::Last, &bad), Err(Error::Unsupported { .. })));
        assert_eq!(step(&checkpoints.load(&Which::Last, &Device::Cpu).unwrap()), 2);
        fs::remove_file(checkpoints.file(LAST)).unwrap();
        assert_eq!(step(&checkpoints.load(&Which::Last, &Device::Cpu).unwrap()), 1);
    }

    #[test]
    fn leftovers_of_a_killed_save_go_with_the_next_one() {
        let (_guard, checkpoints) = folder();
        fs::create_dir_all(&checkpoints.folder).unwrap();
        fs::write(checkpoints.folder.join(".last.safetensors.1-0.partial"), "half").unwrap();
        checkpoints.save(&Which::Last, &of_step(1)).unwrap();
        assert_eq!(fs::read_dir(&checkpoints.folder).unwrap().count(), 1);
    }

    #[test]
    fn a_checkpoint_of_another_network_is_refused() {
        let (_guard, checkpoints) = folder();
        checkpoints.save(&Which::Best, &of_step(7)).unwrap();
        let loaded = checkpoints.load(&"best".into(), &Device::Cpu).unwrap();
        loaded.require("network", "agrnet").unwrap();
        let error = loaded.require("network", "unet").unwrap_err().to_string();
        assert!(error.contains("best.safetensors") && error.contains("'agrnet'") && error.contains("'unet'"));
        assert!(loaded.state::<u32>("classes").unwrap_err().to_string().contains("no 'classes'"));
        assert!(loaded.state::<u32>("network").unwrap_err().to_string().contains("is 'agrnet'"));
    }
}
