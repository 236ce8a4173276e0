//! A case in a process of its own.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use super::Case;
use super::timing::Measurement;
use crate::cli::BenchArguments;
use crate::device::DeviceName;

pub(super) fn ours(case: &Case, arguments: &BenchArguments) -> Result<Measurement> {
    line(this_program_with(case, arguments)?).with_context(|| format!("timing {}", case.name))
}

/// Lets a process print the profile of a case.
pub(super) fn profile(case: &Case, arguments: &BenchArguments) -> Result<()> {
    match this_program_with(case, arguments)?.arg("--profile").status()? {
        status if status.success() => Ok(()),
        status => bail!("the profile of {} ended with {status}", case.name),
    }
}

/// The limits for so many threads, as a process of this program prints them.
pub(super) fn limits<T: DeserializeOwned>(threads: u16, seconds: f64) -> Result<T> {
    let mut command = this_program(threads, seconds)?;
    command.arg("--limits");
    line(command).context("taking the limits of the machine")
}

/// This program, for one case.
fn this_program_with(case: &Case, arguments: &BenchArguments) -> Result<Command> {
    let mut command = this_program(arguments.threads, arguments.seconds)?;
    command.args(["--case", &case.name, "--device", &arguments.device.name().to_string()]);
    for (flag, given) in [("--amp", arguments.amp), ("--limits", arguments.limits)] {
        if given {
            command.arg(flag);
        }
    }
    Ok(command)
}

/// This program, with as many threads for candle's operations as for ours.
fn this_program(threads: u16, seconds: f64) -> Result<Command> {
    let program = std::env::current_exe().context("the path of this program is unknown")?;
    let mut command = Command::new(program);
    command.args(["bench", "--here", "--seconds", &seconds.to_string()]);
    command.env("RAYON_NUM_THREADS", threads.to_string()).env("CANDLE_NUM_THREADS", threads.to_string());
    Ok(command)
}

/// The peer's script in the given interpreter.
pub(super) fn peer(python: &Path, case: &Case, arguments: &BenchArguments) -> Result<Measurement> {
    let &BenchArguments { threads, seconds, device, amp, channels_last, .. } = arguments;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer").join(case.peer_script());
    let mut command = Command::new(python);
    command.arg(&script).args(["--case", case.peer_name(), "--seconds", &seconds.to_string()]);
    command.args(["--threads", &threads.to_string()]);
    if device.name() != DeviceName::Cpu {
        command.args(["--device", &device.name().to_string()]);
    }
    for (flag, given) in [("--amp", amp), ("--channels-last", channels_last)] {
        if given {
            command.arg(flag);
        }
    }
    command.env_remove("GLIBC_TUNABLES"); // ours, set for this program alone
    line(command).with_context(|| {
        let (script, python) = (script.display(), python.display());
        format!(
            "timing {} with {python}, an interpreter that needs what the head of {script} names",
            case.name
        )
    })
}

/// Runs a command that prints one object as JSON.
fn line<T: DeserializeOwned>(mut command: Command) -> Result<T> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("it ended with {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim()).with_context(|| format!("it printed '{}'", text.trim()))
}
