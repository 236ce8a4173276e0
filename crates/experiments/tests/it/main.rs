//! The program as a user starts it: tiny networks on tiny faces, and everything that can go wrong.

mod annotated;
mod closed_pipe;
mod data;
mod hair;
mod mistakes;
mod not_finite;
mod torture;
mod visible;
mod voc;
mod weights;
mod whole_run;
mod wrinkle;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A config of seconds: 12 faces of 32 pixels, 2 epochs.
const TINY: &str = r#"experiment = "agrnet"
seed = 3
epochs = 2
on-nan = "stop"

[data.faces]
seed = 3
size = 32
train = 12
val = 3
test = 2

[loader]
batch = 4
threads = 1
prefetch = 2
shuffle = true
drop-last = true

[augment]
size = [32, 32]
flip = 0.5

[model]
classes = 19
vertices-per-class = 2
pyramid-width = 8
edge-width = 8
low-width = 8
state-width = 8
reduce-width = 8
memory = "plain"

[model.backbone.small]
width = 4
blocks = [1, 1, 1, 1]
stem-width = 4
stem-stride = 2
max-pool = false

[loss]
parsing = 1.0
edge = 1.0
boundary = 1.0
distance = 0.5
all-vertices = true

[optim.sgd]
lr = 0.01
momentum = 0.9
weight-decay = 5e-4
nesterov = false

[schedule.poly]
power = 0.9

[log]
tensorboard = true
pictures = 1
histograms-every = 2
"#;

/// A folder with the tiny config in `configs/tiny.toml`, changed as asked.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self::with(|text| text)
    }

    fn with(change: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("configs")).unwrap();
        std::fs::write(folder.path().join("configs/tiny.toml"), change(TINY.to_owned())).unwrap();
        Self(folder)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sconce"));
        command.args(arguments).current_dir(self.0.path());
        command
    }

    /// What a command that must succeed prints.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?} failed:\n{}", error(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The message of a command that must end with exit code 1.
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", error(&output));
        let message = error(&output);
        assert!(!message.contains("panicked"), "{message}");
        message
    }

    /// The only run of the tiny config.
    fn only_run(&self) -> PathBuf {
        let runs: Vec<PathBuf> = entries(&self.path("runs/tiny"));
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
