//! Which numbers a key of a config takes.

use candle_core::{Error, Result};

pub(crate) fn not_negative(key: &str, value: f64) -> Result<()> {
    check(key, value, value >= 0.0, "0 or more")
}

pub(crate) fn positive(key: &str, value: f64) -> Result<()> {
    check(key, value, value > 0.0, "more than 0")
}

pub(crate) fn below_one(key: &str, value: f64) -> Result<()> {
    check(key, value, (0.0..1.0).contains(&value), "0 or more and less than 1")
}

pub(crate) fn share(key: &str, value: f64) -> Result<()> {
    check(key, value, (0.0..=1.0).contains(&value), "from 0 to 1")
}

fn check(key: &str, value: f64, fits: bool, wanted: &str) -> Result<()> {
    match fits && value.is_finite() {
        true => Ok(()),
        false => Err(refusal(format!("{key} is {value}, but must be {wanted}"))),
    }
}

/// An error about what a person wrote: without the backtrace that `bail!` may add.
pub(crate) fn refusal(text: String) -> Error {
    Error::Msg(text)
}
