//! A run's folder: resolved config, log, checkpoints, pictures. Not a training loop: it knows no network and no experiment.
//!
//! | file | what it is |
//! |---|---|
//! | [`Run`] | the folder of one run, created, opened or found |
//! | [`Log`] | log.tsv, one row per logged step, cut back when a run goes on from a checkpoint |
//! | [`Events`], [`Histogram`] | event files for TensorBoard: numbers, pictures, distributions |
//! | [`Checkpoint`], [`Checkpoints`] | tensors and state in one file with a checksum; best, last and previous ones |
//! | [`read_weights`], [`write_pytorch`], [`write_safetensors`] | tensors by name from and for other programs |
//! | [`ImageScores`], [`Lowest`] | scores of every image, written as they come; the few lowest |
//! | [`overlay`], [`comparison`], [`contact_sheet`], [`palette`] | pictures to look at |
//! | [`write_report`] | one page of one run, or of several side by side |
//! | [`plot`] | curves of runs as SVG and PNG |
//! | [`check_toml`] | refuses TOML that would overflow the stack |
//! | [`write_npy`] | files of arrays |
//! | [`Table`], [`Progress`] | scores in columns, and the progress line of a training |
//! | [`write_atomically`] | how all of them write: a file is whole or not there |
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use sconce_runs::{Checkpoint, Log, Run, Which};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let guard = tempfile::tempdir()?;
//! # let root = guard.path();
//! let run = Run::create(root, "agrnet-small", "epochs = 1\n")?;
//! let mut log = Log::open(&run.log(), &["step", "loss"])?;
//! let mut checkpoint = Checkpoint::default();
//! for step in 1..=3_u64 {
//!     log.append(&[step.into(), (1.0 / step as f64).into()])?;
//!     if step == 2 {
//!         let weight = Tensor::new(&[1_f32, 2.0], &Device::Cpu)?;
//!         checkpoint.add_part("model.", [("weight".to_string(), weight)]);
//!         checkpoint.set("step", step);
//!         log.sync()?;
//!         run.checkpoints().save(&Which::Last, &checkpoint)?;
//!     }
//! }
//!
//! // Later: go on from where the newest run was saved.
//! let run = Run::latest(root, "agrnet-small")?;
//! let loaded = run.checkpoints().load(&Which::Last, &Device::Cpu)?;
//! let step: u64 = loaded.state("step")?;
//! Log::open(&run.log(), &["step", "loss"])?.truncate_after(step)?;
//! assert_eq!((step, loaded.checkpoint.part("model.").len()), (2, 1));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod atomic;
mod bounds;
mod checkpoint;
mod checkpoints;
mod checksum;
mod error;
mod events;
mod image_scores;
mod little_endian;
mod log;
mod lowest;
mod memory;
mod npy;
mod palette;
mod picture;
mod plot;
mod progress;
mod provenance;
mod report;
mod run;
mod table;
mod timestamp;
mod weights;

pub use atomic::{Writer, write_atomically};
pub use bounds::check_toml;
pub use checkpoint::Checkpoint;
pub use checkpoints::{Checkpoints, Loaded, Which};
pub use error::Error;
pub use events::{Events, Histogram};
pub use image_scores::{ClassCounts, ImageScores, ScoredImages};
pub use log::{Cell, Log, Rows};
pub use lowest::Lowest;
pub use memory::{available_memory, peak_memory};
pub use npy::write_npy;
pub use palette::{Colour, palette};
pub use picture::{
    FALSE_ALARM, HIT, MISS, comparison, comparison_of_several, comparison_of_several_with_errors,
    comparison_with_errors, contact_sheet, error_map, hits, overlay,
};
pub use plot::{PlotConfig, plot, plot_shares};
pub use progress::{Progress, ProgressLine, StepTime, clock};
pub use provenance::{Data, Machine, Program, Provenance, Weights, processor};
pub use report::write_report;
pub use run::Run;
pub use table::Table;
pub use weights::{file_sha256, read_weights, write_pytorch, write_safetensors};
