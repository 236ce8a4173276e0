//! `cargo xtask check --fuzz SECONDS`: the tests named `fuzz_…` of the whole workspace, for so long each.

use std::path::Path;
use std::process::{Command, ExitCode};

/// Reads by the targets (crates/fuzz tells what they are and what to do with a failure).
const SECONDS: &str = "SCONCE_FUZZ_SECONDS";

/// Exit code 1 if a reader failed. One target after another: they measure their time.
pub(crate) fn run(root: &Path, seconds: u32) -> ExitCode {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The whole workspace: one crate alone would have other features, and build candle again.
    cargo.args(["test", "--quiet", "--workspace", "--tests", "--no-fail-fast"]);
    cargo.arg("--manifest-path").arg(root.join("Cargo.toml"));
    cargo.args(["--", "fuzz_", "--test-threads=1"]).env(SECONDS, seconds.to_string());
    match cargo.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
