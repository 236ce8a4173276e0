//! Timing of the published networks and of single convolutions, alone or beside PyTorch.
//!
//! Each case runs in a process of its own, so that its peak of memory is its own.

mod case;
mod convolution;
mod network;
mod peer;
mod process;
mod timing;

use anyhow::Result;

use crate::cli::BenchArguments;
use case::Case;

/// `bench`: one JSON line a case, or with a peer a table of ratios.
pub(crate) fn run(arguments: &BenchArguments) -> Result<()> {
    let cases = case::matching(&arguments.case)?;
    if arguments.here {
        return cases.iter().try_for_each(|case| {
            println!("{}", case.measure(arguments.seconds)?.to_json()?);
            Ok(())
        });
    }
    match &arguments.peer {
        None => cases.iter().try_for_each(|case| {
            println!("{}", process::ours(case, arguments.threads, arguments.seconds)?.to_json()?);
            Ok(())
        }),
        Some(python) => peer::compare(python, &cases, arguments),
    }
}
