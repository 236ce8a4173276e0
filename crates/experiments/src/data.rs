//! `data`: looks at sets of files, divides them, and makes what they lack.

mod arguments;
mod boxes;
mod check;
mod crop;
mod edges;
mod lines;
mod output;
mod set;
mod split;
mod stats;
mod texture;
mod tile;

pub(crate) use arguments::{
    CheckArguments, CropArguments, EdgesArguments, LinesArguments, SplitArguments, StatsArguments,
    TextureArguments, TileArguments,
};
pub(crate) use check::run as check;
pub(crate) use crop::run as crop;
pub(crate) use edges::run as edges;
pub(crate) use lines::run as lines;
pub(crate) use split::run as split;
pub(crate) use stats::run as stats;
pub(crate) use texture::run as texture;
pub(crate) use tile::run as tile;
