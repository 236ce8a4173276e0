//! Hostile files: damaged copies of good ones, given to a reader.
//!
//! A [`Target`] writes one damaged file after another and lets a reader open it. Whatever is in the file, the reader must
//! give its content or an error that names the file, within bounds of time and memory, and must not panic. The damage
//! is done by a function of the target's own, which knows the format (so that a checksum over a changed header is right
//! again), with [`damage_bytes`] and [`damage_text`] as its tools. An input that is refused in a new way is damaged further.
//!
//! Tests named `fuzz_…` run a fixed number of inputs from a fixed seed. To search longer, from a seed that is told:
//!
//! ```sh
//! cargo xtask check --fuzz 600                                              # all of them, each for 600 seconds
//! SCONCE_FUZZ_SECONDS=600 cargo test -p sconce-data --test fuzz fuzz_label  # one of them
//! SCONCE_FUZZ_SEED=17 SCONCE_FUZZ_SECONDS=600 cargo test -p sconce-data     # with the seed of an earlier search
//! ```
//!
//! The message of a failure holds the path of the input, which is kept. After a fault that ends the whole process, such as
//! an overflow of the stack, it is the file in the newest folder `sconce-fuzz-…` of the system's temporary folder. Each
//! input that ever failed belongs into a test of its own, with its bytes, through [`Target::check`].
//!
//! Memory is counted by an allocator that every program has which uses this crate: it is for tests only.
//!
//! ```
//! use sconce_fuzz::{Target, damage_bytes};
//!
//! /// A number of lines and then that many lines.
//! fn read(path: &std::path::Path) -> Result<(), String> {
//!     let fault = |what: String| format!("{}: {what}", path.display());
//!     let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
//!     let (count, lines) = text.split_once('\n').ok_or_else(|| fault("no line".into()))?;
//!     let count: usize = count.parse().map_err(|e| fault(format!("the number of lines: {e}")))?;
//!     if count == lines.lines().count() { Ok(()) } else { Err(fault("wrong number of lines".into())) }
//! }
//!
//! let target = Target::new("lines", "a.txt", |length| 1_000_000 + 8 * length, read);
//! target.run(100, vec![b"2\nsky\nsea\n".to_vec()], damage_bytes);
//! ```
#![forbid(unsafe_code)]

mod bytes;
mod random;
mod target;
mod text;

pub use bytes::{EXTREMES, damage_bytes};
pub use random::Random;
pub use target::Target;
pub use text::damage_text;
