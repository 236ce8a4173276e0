//! What networks on a backbone have in common.

use candle_core::{Error, Result};
use sconce_backbones::Level;
use sconce_tensors::Cost;

/// The four levels that the networks here read, the finest first.
pub(crate) fn four<T: Clone>(levels: &[T]) -> Result<[T; 4]> {
    let found = levels.len();
    levels
        .to_vec()
        .try_into()
        .map_err(|_| Error::msg(format!("the network reads four levels, the backbone gives {found}")))
}

/// A part's name for an error, with the stride of the level it works at.
pub(crate) fn part(name: &str, level: &Level) -> String {
    format!("{name}, stride {}", level.stride)
}

/// A backbone's stages under the names that they have in a network.
pub(crate) fn of_backbone(stages: Vec<(String, Cost)>) -> Vec<(String, Cost)> {
    stages.into_iter().map(|(name, cost)| (format!("backbone.{name}"), cost)).collect()
}
