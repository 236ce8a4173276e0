//! What a run's results depend on beside its config.

use anyhow::Result;
use candle_core::Device;
use sconce_data::{Dataset, fingerprint};
use sconce_runs::{Data, Machine, Program, Provenance, Run, Weights, processor};

/// Set by whoever builds and starts the program from a checkout.
const COMMIT: &str = "SCONCE_COMMIT";

/// Writes what makes the run into its folder; for a run that goes on, warns where that has changed since it began.
pub(crate) fn note<const T: usize>(
    run: &Run,
    device: &Device,
    data: &[(&str, &dyn Dataset<T>)],
) -> Result<()> {
    let mut now = Provenance { program: program(), machine: machine(device)?, ..Provenance::default() };
    for (name, dataset) in data {
        let content = Data { samples: dataset.len(), sha256: fingerprint(*dataset)? };
        now.data.insert((*name).to_owned(), content);
    }
    match Provenance::read(run.folder()) {
        Ok(None) => now.write(run.folder())?,
        Ok(Some(begun)) => {
            now.weights.clone_from(&begun.weights); // read once, at the start
            for line in begun.differences(&now) {
                eprintln!("warning: the run began with {line}");
            }
        }
        // Of another version: no reason not to go on.
        Err(error) => eprintln!("warning: {error}"),
    }
    Ok(())
}

/// Adds the file whose weights a run begins with to what [`note`] wrote.
pub(crate) fn note_weights(run: &Run, weights: Weights) -> Result<()> {
    let mut provenance = Provenance::read(run.folder())?.unwrap_or_default();
    provenance.weights = Some(weights);
    Ok(provenance.write(run.folder())?)
}

fn program() -> Program {
    Program {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: std::env::var(COMMIT).unwrap_or_default(),
        features: if cfg!(feature = "cuda") { vec!["cuda".to_owned()] } else { Vec::new() },
    }
}

fn machine(device: &Device) -> Result<Machine> {
    Ok(Machine {
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processor: processor().unwrap_or_default(),
        device: sconce_tensors::device_name(device)?,
        lanes: sconce_tensors::vector_width()?,
        threads: rayon::current_num_threads(),
    })
}
