//! The CRF on NVIDIA GPUs, under the feature `cuda`.
//!
//! * A `.cu` file holds the kernels of one concept, the `.rs` file of that name launches them, for a `Runtime`: a card, or in tests
//!   `sconce-kernels`' emulation of one, which holds them against the CRF on the processor.
//! * The lattice is made by sorting: all corners of all pixels by their keys, so that equal vertices come to lie together and numbers
//!   follow from their order. Every vertex sums its pixels in theirs. Nothing is added by atomic operations: the same arguments give
//!   the same bits on the same card. Vertices and barycentric weights are the processor's, bit for bit.
//! * Rows of pixels and vertices hold the classes side by side, without padding.

mod array;
mod blur;
#[cfg(feature = "cuda")]
mod card;
mod compatibility;
mod crf;
mod divergence;
mod embed;
mod filter;
mod gradient;
mod lattice;
mod layout;
mod mean_field;
mod normalisation;
mod scan;
mod slice;
mod softmax;
mod sort;
mod splat;
#[cfg(test)]
mod tests;
mod vertices;

#[cfg(feature = "cuda")]
pub use card::{Card, CudaCrf};
pub use crf::DeviceCrf;
