//! The widest vectors that operations use, and a limit from outside.

use std::ffi::OsStr;
use std::sync::OnceLock;

use candle_core::{Error, Result};

/// Name of the environment variable that forbids wider vectors.
const VARIABLE: &str = "SCONCE_LANES";

/// Floats in the widest vectors with which operations work: 16 with AVX-512, 8 with AVX2, else 4.
///
/// The environment variable `SCONCE_LANES` forbids wider vectors than the 4, 8 or 16 floats it says, as if the processor
/// had none; it is read once. candle's matrix products do not know it.
///
/// # Errors
///
/// `SCONCE_LANES` has another value. A program should ask at its start: operations panic then.
pub fn vector_width() -> Result<usize> {
    read().as_ref().map_err(|message| Error::Msg(message.clone()))?;
    Ok(crate::conv::vector_width())
}

/// The most floats that a vector may hold, whatever the processor has.
///
/// # Panics
///
/// `SCONCE_LANES` is none of 4, 8 and 16.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn most_lanes() -> usize {
    let most = match read() {
        Ok(lanes) => *lanes,
        Err(message) => panic!("{message}"),
    };
    #[cfg(test)]
    let most = most.min(tests::MOST.get());
    most
}

/// What the environment says, as it was at the first call.
fn read() -> &'static std::result::Result<usize, String> {
    static READ: OnceLock<std::result::Result<usize, String>> = OnceLock::new();
    READ.get_or_init(|| parse(std::env::var_os(VARIABLE).as_deref()))
}

fn parse(value: Option<&OsStr>) -> std::result::Result<usize, String> {
    match value.map(OsStr::to_string_lossy).as_deref() {
        None | Some("16") => Ok(16),
        Some("8") => Ok(8),
        Some("4") => Ok(4),
        Some(other) => Err(format!("{VARIABLE} is '{other}'; it must be 4, 8 or 16, or not be set")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Tests may forbid single threads the use of wide vectors.
        pub(super) static MOST: Cell<usize> = const { Cell::new(16) };
    }

    /// Runs `work` on threads that use at most `lanes` lanes.
    pub(crate) fn with_lanes<T: Send>(lanes: usize, work: impl FnOnce() -> T + Send) -> T {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).start_handler(move |_| MOST.set(lanes));
        pool.build().expect("threads").install(work)
    }

    #[test]
    fn three_widths_are_allowed() {
        let parse = |text: &str| parse(Some(OsStr::new(text)));
        assert_eq!([parse("4"), parse("8"), parse("16"), super::parse(None)], [Ok(4), Ok(8), Ok(16), Ok(16)]);
        for wrong in ["", "32", "avx2", "8 "] {
            assert!(parse(wrong).unwrap_err().contains(&format!("SCONCE_LANES is '{wrong}'")));
        }
    }

    #[test]
    fn a_bound_holds() {
        let all = vector_width().unwrap();
        assert!([4, 8, 16].contains(&all));
        #[cfg(target_arch = "x86_64")]
        assert!([4, 8].iter().all(|&lanes| with_lanes(lanes, || vector_width().unwrap()) <= lanes));
    }
}
