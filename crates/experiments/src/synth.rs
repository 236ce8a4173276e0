//! `data synth`: procedural sets as files.

use anyhow::{Context, Result, bail};
use sconce_data::{Dataset, Split, faces, write_nia};

use crate::cli::SynthArguments;

/// Renders portraits into the NIA layout: eight of ten to train on, one to validate, one to test.
pub(crate) fn faces(arguments: &SynthArguments) -> Result<()> {
    if arguments.count < 3 {
        bail!("--count {}: at least 3 faces are needed, one for each split", arguments.count);
    }
    let tenth = (arguments.count / 10).max(1);
    let config = faces::Config {
        seed: arguments.seed,
        size: arguments.size,
        train: arguments.count - 2 * tenth,
        val: tenth,
        test: tenth,
    };
    for split in Split::ALL {
        let set = faces::Faces::open(&config, split)?;
        let total = set.len();
        write_nia(&arguments.out, split, &set, |done| {
            if done == total || done % 100 == 0 {
                println!("{split}: {done} of {total}");
            }
        })
        .context("the set is not complete")?;
    }
    println!("{} faces of {} x {1} pixels in {}", arguments.count, arguments.size, arguments.out.display());
    Ok(())
}
