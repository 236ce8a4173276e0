//! What runs CUDA kernels, for the crates that have some.
//!
//! * A [`Runtime`] launches kernels on memory of its own. It is a card (feature `cuda`), or for tests an emulation of one (feature
//!   `emulation`) that runs every thread of every block on the processor: code that launches kernels is the same for both, so that all
//!   arithmetic with indices is held against the operations' CPU forms where there is no card.
//! * A crate's `.cu` files lie in its `src/cuda` and begin with `include/kernel.cuh`. Its `build.rs` takes `compile.rs`, which lies
//!   beside this crate's `Cargo.toml`, as a module, and compiles them to PTX; the driver turns that into code when a kernel is used for
//!   the first time. A type of the crate's own says where its kernels are and on which card they run: `OnCard`.
//! * `cargo xtask cuda-resources` tells what every kernel takes of a multiprocessor.

#[cfg(feature = "cuda")]
mod card;
#[cfg(feature = "emulation")]
mod emulation;
mod runtime;

pub use candle_core::{Error, Result};
#[cfg(feature = "cuda")]
pub use card::{CudaDevice, Kernels, OnCard, open};
#[cfg(feature = "emulation")]
pub use emulation::Emulation;
pub use runtime::{Argument, Kernel, Runtime, THREADS, Value, blocks};
