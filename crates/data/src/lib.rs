//! Files to samples to batches.
//!
//! A [`Dataset`] gives [`Sample`]s: an image with its target maps. [`nia::open`], [`voc::open`], [`figaro::open`] and
//! [`folder::open`] read them from files. [`augment::Config`] brings a sample to the network's size, at random or plainly, and always moves image,
//! labels and edges together. A [`Loader`] does that on worker threads and hands out [`Batch`]es of tensors.
//!
//! [`Inventory`] finds all files of a set, for tools: [`check`] reads them and tells what is wrong, [`Stats`] counts pixels
//! and classes, [`stratified_split`] divides a set, [`crop`] cuts faces out of photographs.
//!
//! [`faces`], [`hair`], [`shapes`] and [`wrinkles`] are procedural sets, drawn from a seed; [`ridge_strength`] is the filter for
//! dark lines that a network for wrinkles must beat.
//!
//! * Labels are read as stored indices ([`read_labels`]) and are never interpolated; 255 ([`VOID`]) is no class.
//! * A batch depends on the seed, the epoch and its number alone, not on threads or timing.
//! * Pixels are 0..=1 in a batch; mean and deviation belong to the network.
//! * Whatever a file holds, the answer is a sample or an [`Error`] that names the file, and for a label the pixel.
//!
//! ```
//! use std::sync::Arc;
//!
//! use candle_core::Device;
//! use image::{GrayImage, Luma, RgbImage};
//! use sconce_data::{Dataset, Error, Loader, Sample, augment, edge_map, loader};
//!
//! /// Pictures of a sky over the sea.
//! struct Horizons(Vec<String>);
//!
//! impl Dataset<2> for Horizons {
//!     fn len(&self) -> usize {
//!         5
//!     }
//!     fn read(&self, index: usize) -> Result<Sample<2>, Error> {
//!         let labels = GrayImage::from_fn(32, 32, |_, y| Luma([u8::from(y > 8 + index as u32)]));
//!         let edges = edge_map(&labels);
//!         Ok(Sample { image: RgbImage::new(32, 32), targets: [labels, edges] })
//!     }
//!     fn id(&self, index: usize) -> String {
//!         format!("horizon {index}")
//!     }
//!     fn classes(&self) -> &[String] {
//!         &self.0
//!     }
//!     fn swaps(&self) -> &[(u8, u8)] {
//!         &[]
//!     }
//! }
//!
//! let set = Arc::new(Horizons(vec!["sky".into(), "sea".into()]));
//! let settings = loader::Config { batch: 2, threads: 2, prefetch: 2, shuffle: true, drop_last: true };
//! let augment = augment::Config { flip: 0.5, ..augment::Config::resize_only([16, 16]) };
//! let loader = Loader::new(set, settings, augment, 7, &Device::Cpu)?;
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     assert_eq!(batch.image.dims(), [2, 3, 16, 16]);
//!     assert_eq!(batch.targets[0].dims(), [2, 16, 16]);
//! }
//! # Ok::<(), Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod augment;
mod batch;
mod binary_mask;
mod cached;
mod canny;
pub mod check;
mod classes;
mod colour;
pub mod crop;
mod dataset;
mod defect;
mod drawing;
mod edges;
mod error;
pub mod faces;
pub mod figaro;
mod files;
mod fingerprint;
pub mod folder;
mod foreground;
mod geometry;
pub mod hair;
mod inventory;
mod label;
pub mod loader;
mod mask_values;
pub mod nia;
mod only_labels;
mod pairs;
pub mod parts;
mod plan;
mod presence;
mod random;
mod rendered;
mod resize;
mod rgb;
mod ridge;
pub mod shapes;
mod stats;
mod stratify;
pub mod strokes;
#[cfg(test)]
mod testing;
mod texture;
mod tiles;
pub mod voc;
mod workers;
pub mod wrinkles;
mod write;

pub use batch::{Batch, image_tensor, map_tensor};
pub use binary_mask::read_binary_mask;
pub use cached::Cached;
pub use canny::Canny;
pub use dataset::{Dataset, Map, Sample, Split, VOID};
pub use defect::Defect;
pub use edges::edge_map;
pub use error::Error;
pub use fingerprint::fingerprint;
pub use foreground::Foreground;
pub use inventory::{Folders, Inventory, Item, Layout};
pub use label::{read_labels, read_mask, write_index_png};
pub use loader::{Epoch, Loader};
pub use mask_values::MaskValues;
pub use only_labels::OnlyLabels;
pub use pairs::Pairs;
pub use presence::Presence;
pub use resize::resize_image;
pub use rgb::{MAX_PIXELS, read_rgb, read_rgb_upright, write_rgb_png};
pub use ridge::ridge_strength;
pub use stats::{SizeBin, Stats};
pub use stratify::{Fractions, stratified_split};
pub use texture::{texture_map, with_texture};
pub use tiles::{Assembly, Tile, Tiles};
pub use write::{write_folder, write_ids, write_nia, write_voc};
