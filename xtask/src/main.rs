//! `cargo xtask VERB …`: builds the program in release mode and starts it, or checks the house rules.

#![forbid(unsafe_code)]

mod arrows;
mod check;
mod cuda;
mod fuzz;
mod source;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask check             arrows between crates and house rules
       cargo xtask check --fuzz SECONDS
                                     the same, and hostile files to every reader for so long each
       cargo xtask check --torture KILLS
                                     the same, and a training killed so often must end as an undisturbed one
       cargo xtask cuda-toolchain [--link | --check] [--home FOLDER]
                                     sets up what --cuda needs to build where no CUDA toolkit is; --help tells more
       cargo xtask cuda-resources    registers and spills of every CUDA kernel; exit code 1 if one spills
       cargo xtask VERB … [--cuda]   builds the program in release mode, with --cuda for NVIDIA GPUs, and runs it; its verbs
                                     follow
";

/// Settings of glibc, which other systems ignore.
const TUNABLES: &str = "GLIBC_TUNABLES";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("check") => check(&arguments[1..]),
        Some("cuda-toolchain") => cuda::script(&root(), "cuda-toolchain", &arguments[1..]),
        Some("cuda-resources") => cuda::script(&root(), "cuda-resources", &arguments[1..]),
        None | Some("help" | "--help" | "-h") => {
            let _ = writeln!(std::io::stdout(), "{USAGE}"); // a reader may have gone
            start(&["--help".to_owned()])
        }
        Some(_) => start(&arguments),
    }
}

/// The house rules and, if asked for, the fuzz targets.
fn check(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().ok().filter(|&number| number > 0);
    let more: Option<Box<dyn Fn() -> ExitCode>> = match arguments[..] {
        [] => Some(Box::new(|| ExitCode::SUCCESS)),
        ["--fuzz", seconds] => number(seconds).map(|n| Box::new(move || fuzz::run(&root(), n)) as _),
        ["--torture", kills] => number(kills).map(|n| Box::new(move || torture(n)) as _),
        _ => None,
    };
    let Some(more) = more else {
        eprintln!(
            "error: check: expected nothing, --fuzz SECONDS or --torture KILLS, whole numbers from 1\n{USAGE}"
        );
        return ExitCode::FAILURE;
    };
    let rules = check::run(&root());
    if rules == ExitCode::SUCCESS { more() } else { rules }
}

/// Builds `sconce` with optimisation and hands the arguments on; the exit code is the program's.
fn start(arguments: &[String]) -> ExitCode {
    let with_cuda =
        arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--cuda");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = if with_cuda { cuda::with_toolchain(&root(), &cargo) } else { Command::new(cargo) };
    cargo.args(["run", "--quiet", "--release", "--package", "sconce-experiments", "--bin", "sconce"]);
    if with_cuda {
        cargo.args(["--features", "cuda"]);
    }
    cargo.arg("--manifest-path").arg(root().join("Cargo.toml")).arg("--").args(arguments);
    // glibc's heap in pages of 2 MiB: a hundredth of the page faults. Only the environment at the start can say so.
    if std::env::var_os(TUNABLES).is_none() {
        cargo.env(TUNABLES, "glibc.malloc.hugetlb=1");
    }
    if let Some(commit) = commit() {
        cargo.env("SCONCE_COMMIT", commit); // goes into the folders of runs
    }
    if with_cuda { cuda::run_to_end(&mut cargo) } else { run_to_end(&mut cargo) }
}

/// The exit code is the program's.
fn run_to_end(cargo: &mut Command) -> ExitCode {
    match cargo.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the test that kills a training, with so many kills.
fn torture(kills: u32) -> ExitCode {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--package", "sconce-experiments", "--test", "it", "--manifest-path"]);
    cargo.arg(root().join("Cargo.toml")).args(["--", "--nocapture", "a_run_killed_at_random_moments"]);
    run_to_end(cargo.env("SCONCE_TORTURE", kills.to_string()))
}

/// The commit that the checkout is at, with `+changes` if files differ from it; none without git.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changes = if git(&["status", "--porcelain"])?.is_empty() { "" } else { "+changes" };
    Some(git(&["rev-parse", "HEAD"])? + changes)
}

/// The workspace's folder: the parent of this crate's.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}
