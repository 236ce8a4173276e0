//! Timing of the published networks, of single convolutions and of the dense CRF: alone, operation by operation, beside PyTorch and
//! pydensecrf, against the limits of the machine, and as images grow.
//!
//! Each case runs in a process of its own, so that its peak of memory is its own.

mod case;
mod convolution;
mod dense_crf;
mod growth;
mod limits;
mod network;
mod peer;
mod process;
mod profile;
mod timing;

use anyhow::{Result, bail};
use sconce_tensors::{Arithmetic, Precision, peak_memory_of};

use crate::cli::BenchArguments;
use crate::device::DeviceName;
use case::Case;
use limits::Limits;
use timing::Plan;

/// `bench`: one JSON line a case, or a table.
pub(crate) fn run(arguments: &BenchArguments) -> Result<()> {
    if arguments.here {
        return here(arguments);
    }
    if arguments.limits && arguments.device.name() != DeviceName::Cpu {
        bail!("--limits are those of the processor: leave out --cuda and --device");
    }
    if arguments.profile {
        let named =
            if arguments.case.is_empty() { &["train/agrnet".to_owned()] } else { &arguments.case[..] };
        return profile::run(
            &case::matching(named, [Case::published(), Case::full(), Case::growing()].concat())?,
            arguments,
        );
    }
    if arguments.growth {
        return growth::run(&case::matching(&arguments.case, Case::growing())?, arguments);
    }
    if arguments.limits {
        return limits::compare(&case::matching(&arguments.case, Case::operations())?, arguments);
    }
    let mut all = Case::published();
    if !arguments.case.is_empty() {
        all.extend([Case::full(), Case::crf()].concat());
    }
    let cases = case::matching(&arguments.case, all)?;
    match &arguments.peer {
        None => cases.iter().try_for_each(|case| {
            println!("{}", process::ours(case, arguments)?.to_json()?);
            Ok(())
        }),
        Some(python) => peer::compare(python, &cases, arguments),
    }
}

/// What a process does that another one started for its figures.
fn here(arguments: &BenchArguments) -> Result<()> {
    if arguments.limits && arguments.case.is_empty() {
        println!("{}", serde_json::to_string(&Limits::measure(arguments.seconds)?)?);
        return Ok(());
    }
    let all = [Case::published(), Case::full(), Case::crf(), Case::growing()].concat();
    let device = arguments.device.open()?;
    let precision = if arguments.amp { Precision::Bf16 } else { Precision::F32 };
    let plan = Plan { seconds: arguments.seconds, limit: arguments.limits };
    let print = |case: &Case| -> Result<()> {
        if arguments.profile {
            println!("{}", case.profile(arguments.seconds, &device)?);
        } else {
            let measurement = case.measure(plan, &device)?;
            println!("{}", measurement.on_card(peak_memory_of(&device)?).to_json()?);
        }
        Ok(())
    };
    let arithmetic = Arithmetic { precision, ..Arithmetic::default() };
    arithmetic.scope(|| case::matching(&arguments.case, all)?.iter().try_for_each(print))
}
