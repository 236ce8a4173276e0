//! What the configs of several networks check.

use candle_core::{Result, bail};

/// An error that names the network and the first of its sizes that is 0.
pub(crate) fn at_least_one(network: &str, sizes: &[(&str, usize)]) -> Result<()> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => bail!("{network}: {name} is 0, must be at least 1"),
        None => Ok(()),
    }
}
