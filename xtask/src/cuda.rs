//! `cargo xtask cuda-toolchain`, `cargo xtask cuda-resources`, and building with `--cuda`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Where the toolchain lies unless told otherwise, in the workspace's folder.
const HOME: &str = ".cuda";

/// Runs one of this crate's scripts, which tells what it does.
pub(crate) fn script(root: &Path, name: &str, arguments: &[String]) -> ExitCode {
    let mut script = Command::new("bash");
    script.arg(root.join("xtask").join(name).with_extension("sh")).args(arguments).current_dir(root);
    crate::run_to_end(&mut script)
}

/// A command that runs cargo; with the toolchain of `.cuda` if there is one and the system has no CUDA compiler of its own.
pub(crate) fn with_toolchain(root: &Path, cargo: &OsStr) -> Command {
    let environment = root.join(HOME).join("env.sh");
    if has_compiler() || !environment.is_file() {
        return Command::new(cargo);
    }
    let mut command = Command::new("bash");
    command.args(["-c", r#". "$0" && exec "$@""#]).arg(environment).arg(cargo);
    command
}

/// The program's exit code, and a word about what a build or start without CUDA's parts ends with.
pub(crate) fn run_to_end(cargo: &mut Command) -> ExitCode {
    if !has_compiler() && cargo.get_program() != "bash" {
        eprintln!(
            "error: --cuda: there is no nvcc: install a CUDA toolkit, or run `cargo xtask cuda-toolchain` once"
        );
        return ExitCode::FAILURE;
    }
    let code = crate::run_to_end(cargo);
    if code == ExitCode::from(NOT_STARTED) {
        eprintln!(
            "error: --cuda: the program cannot start without the libraries of an NVIDIA driver (libcuda) and of CUDA (cuBLAS, cuDNN, cuRAND): \
             put them on LD_LIBRARY_PATH, or leave out --cuda"
        );
        return ExitCode::FAILURE;
    }
    code
}

/// Exit code of a program that the system's loader refuses to start.
const NOT_STARTED: u8 = 127;

/// Whether the crates' build scripts will find nvcc.
fn has_compiler() -> bool {
    let runs = |program: &OsStr| Command::new(program).arg("--version").output().is_ok();
    std::env::var_os("NVCC").is_some_and(|nvcc| runs(&nvcc)) || runs(OsStr::new("nvcc"))
}
