//! Networks for dense prediction, one a file, named after its paper.
//!
//! A network is built from its `Config` and a builder, reads no file and gives out logits, never a loss. It takes the input
//! that its backbone expects: for the residual networks, [`sconce_backbones::normalize`]d images.
//!
//! | module | network |
//! |---|---|
//! | [`agrnet`] | AGRNet: face parsing by adaptive graph representation learning and reasoning (Te et al. 2021) |
//!
//! A network built from [`Parameters`](sconce_tensors::Parameters) records what training needs. For inference alone, build it
//! from plain tensors ([`VarBuilder::from_tensors`](candle_nn::VarBuilder::from_tensors)): it then keeps nothing behind.
//!
//! # Example
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::VarBuilder;
//! use sconce_backbones::{normalize, resnet};
//! use sconce_models::agrnet::{self, Agrnet};
//! use sconce_tensors::Parameters;
//!
//! # fn main() -> candle_core::Result<()> {
//! let small = resnet::SmallConfig { width: 4, blocks: [1, 1, 1, 1], stem_width: 4, stem_stride: 2, max_pool: true };
//! let config = agrnet::Config {
//!     classes: 3,
//!     vertices_per_class: 2,
//!     backbone: resnet::Config::Small(small),
//!     pyramid_width: 16,
//!     edge_width: 8,
//!     low_width: 8,
//!     state_width: 16,
//!     reduce_width: 8,
//! };
//! let parameters = Parameters::new(0, &Device::Cpu); // seed 0
//! let network = Agrnet::new(&config, parameters.builder())?;
//!
//! let photo = Tensor::zeros((1, 3, 33, 49), DType::F32, &Device::Cpu)?; // RGB in 0..=1
//! let output = network.forward_t(&normalize(&photo)?, false)?;
//! assert_eq!(output.logits.dims(), [1, 3, 33, 49]);
//!
//! // The same network for inference alone.
//! let tensors = parameters.tensors().into_iter().collect();
//! let network = Agrnet::new(&config, VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))?;
//! let labels = network.forward_t(&normalize(&photo)?, false)?.logits.argmax(1)?;
//! assert_eq!(labels.dims(), [1, 33, 49]);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod agrnet;

pub use agrnet::Agrnet;
