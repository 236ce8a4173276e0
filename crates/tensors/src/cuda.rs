//! The operations on NVIDIA GPUs, under the feature `cuda`.
//!
//! * A `.cu` file holds the kernels of one concept, the `.rs` file of that name launches them, for a [`runtime::Runtime`]:
//!   a card, or in tests `sconce-kernels`' emulation of one, which holds them against the operations' CPU forms.
//! * Sums have an order that depends on shapes alone, and nothing is added by atomic operations: the same arguments give the
//!   same bits on the same card.
//! * Layers in a row ([`conv_norms`](crate::conv_norms)) run one by one, and a block that runs again
//!   ([`recompute`](crate::recompute)) reads a copy of its input. Types other than f32 are refused.
//! * All work of a device goes to one stream of the calling thread: a network belongs to one thread.

pub(crate) mod batch_norm;
pub(crate) mod binary_cross_entropy;
#[cfg(feature = "cuda")]
pub(crate) mod card;
pub(crate) mod channel_sum;
pub(crate) mod channels;
pub(crate) mod confusion;
#[cfg(feature = "cuda")]
pub(crate) mod conv;
pub(crate) mod dropout;
#[cfg(feature = "cuda")]
pub(crate) mod locked;
pub(crate) mod max_pool;
#[cfg(feature = "cuda")]
pub(crate) mod memory;
pub(crate) mod optimiser;
pub(crate) mod overlap;
pub(crate) mod pixel_classes;
pub(crate) mod projection;
pub(crate) mod rectifier;
pub(crate) mod reduce;
pub(crate) mod separable;
#[cfg(test)]
mod tests;
pub(crate) mod top_k;

pub(crate) use sconce_kernels as runtime;
