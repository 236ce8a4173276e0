//! Where a run comes from: the program, the machine and the data that made it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, check_toml, write_atomically};

/// The file `provenance.toml` of a run's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// What computed.
    pub program: Program,
    /// What it ran on.
    pub machine: Machine,
    /// What it read, by the name of the part, such as `train`.
    pub data: BTreeMap<String, Data>,
    /// The file whose weights it began with, if it began with any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
}

/// A build of the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// The commit it was built from, with `+changes` if files differed from it; empty if unknown.
    pub commit: String,
    /// Features it was built with.
    pub features: Vec<String>,
}

/// A computer, as far as results or times depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Operating system and architecture.
    pub system: String,
    /// The processor's name; empty if unknown.
    pub processor: String,
    /// `cpu`, or number and name of the GPU; empty in files of earlier versions.
    #[serde(default)]
    pub device: String,
    /// Floats in a vector: sums are rounded differently for others.
    pub lanes: usize,
    /// Threads that compute: results do not depend on them.
    pub threads: usize,
}

/// A part of a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Number of samples.
    pub samples: usize,
    /// Fingerprint of the content.
    pub sha256: String,
}

/// A file of weights.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Its path, as it was given.
    pub file: String,
    /// The hash of its bytes.
    pub sha256: String,
}

impl Provenance {
    /// Writes the file into a run's folder.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let text = toml::to_string(self).map_err(|error| Error::damaged(&path, error.to_string()))?;
        write_atomically(&path, |file| file.write_all(text.as_bytes()))
    }

    /// Reads the file of a run's folder; none if there is no such file.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is damaged.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => check_toml(&text)
                .and_then(|()| toml::from_str(&text).map_err(|error| error.to_string()))
                .map(Some)
                .map_err(|why| Error::damaged(&path, why)),
            Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(Error::read(&path, reason)),
        }
    }

    /// In which lines the two differ: `machine.lanes: 16, here 8`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |name: String, ours: String, theirs: String| {
            if ours != theirs {
                lines.push(format!("{name}: {ours}, here {theirs}"));
            }
        };
        let (a, b) = (&self.program, &other.program);
        compare("program.version".into(), a.version.clone(), b.version.clone());
        compare("program.commit".into(), a.commit.clone(), b.commit.clone());
        compare("program.features".into(), a.features.join(" "), b.features.join(" "));
        let (a, b) = (&self.machine, &other.machine);
        compare("machine.system".into(), a.system.clone(), b.system.clone());
        compare("machine.processor".into(), a.processor.clone(), b.processor.clone());
        if !a.device.is_empty() {
            compare("machine.device".into(), a.device.clone(), b.device.clone());
        }
        compare("machine.lanes".into(), a.lanes.to_string(), b.lanes.to_string());
        compare("machine.threads".into(), a.threads.to_string(), b.threads.to_string());
        let text = |weights: &Option<Weights>| match weights {
            Some(weights) => format!("{}, {:.12}", weights.file, weights.sha256),
            None => "none".to_owned(),
        };
        compare("weights".into(), text(&self.weights), text(&other.weights));
        for (name, data) in &self.data {
            let there = other.data.get(name).cloned().unwrap_or_default();
            let text = |data: &Data| format!("{} samples, {:.12}", data.samples, data.sha256);
            compare(format!("data.{name}"), text(data), text(&there));
        }
        lines
    }
}

/// The processor's name; none where the system does not tell. Linux does.
pub fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

const FILE: &str = "provenance.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provenance_reads_back_and_names_differences() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Provenance::read(folder.path()).unwrap(), None);
        let mut one = Provenance::default();
        one.machine.lanes = 16;
        one.data.insert("train".into(), Data { samples: 3, sha256: "0123456789abcdef".into() });
        one.write(folder.path()).unwrap();
        assert_eq!(Provenance::read(folder.path()).unwrap(), Some(one.clone()));
        let mut other = one.clone();
        let weights = Weights { file: "a.pth".into(), sha256: "fedcba9876543210".into() };
        other.weights = Some(weights);
        other.write(folder.path()).unwrap();
        assert_eq!(Provenance::read(folder.path()).unwrap(), Some(other.clone()));
        assert_eq!(one.differences(&other), ["weights: none, here a.pth, fedcba987654"]);
        other.weights = None;
        assert!(one.differences(&other).is_empty());
        other.machine.lanes = 8;
        other.data.clear();
        let lines = one.differences(&other);
        assert_eq!(
            lines,
            ["machine.lanes: 16, here 8", "data.train: 3 samples, 0123456789ab, here 0 samples, "]
        );
    }
}
