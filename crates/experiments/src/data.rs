//! `data`: looks at sets of files, divides them, and makes what they lack.

mod arguments;
mod check;
mod crop;
mod edges;
mod output;
mod set;
mod split;
mod stats;

pub(crate) use arguments::{CheckArguments, CropArguments, EdgesArguments, SplitArguments, StatsArguments};
pub(crate) use check::run as check;
pub(crate) use crop::run as crop;
pub(crate) use edges::run as edges;
pub(crate) use split::run as split;
pub(crate) use stats::run as stats;
