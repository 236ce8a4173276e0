//! Networks for dense prediction, one a file, named after its paper.
//!
//! A network is built from its `Config` and a builder, reads no file and gives out logits, never a loss. It takes the input
//! that its backbone expects: for the residual networks and SqueezeNet, [`sconce_backbones::normalize`]d images. AGRNet has an
//! output of its own, the others share [`Output`].
//!
//! A network with dropout draws its masks from a seed and the number of the training pass, see
//! [`Dropout`](sconce_tensors::Dropout): a run that stops after `n` passes resumes with `network.restart_dropout(seed, n)`.
//!
//! | module | network |
//! |---|---|
//! | [`agrnet`] | AGRNet: face parsing by adaptive graph representation learning and reasoning (Te et al. 2021) |
//! | [`unet`] | U-Net: a decoder that sees every level of the encoder (Ronneberger et al. 2015) |
//! | [`deeplab_v3_plus`] | DeepLabV3+: dilated convolutions of several rates and a decoder (Chen et al. 2018) |
//! | [`deeplab_v3`] | DeepLabV3: the same without a decoder, in torchvision's form (Chen et al. 2017) |
//! | [`pspnet`] | PSPNet: context pooled over bins of several sizes (Zhao et al. 2017) |
//! | [`hair_pspnet`] | hair network: the same pooling on a SqueezeNet, with a decoder |
//!
//! A network built from [`Parameters`](sconce_tensors::Parameters) records what training needs. For inference alone, build it
//! from plain tensors ([`VarBuilder::from_tensors`](candle_nn::VarBuilder::from_tensors)): it then keeps nothing behind.
//!
//! Every network tells by `weight_names()` what files of other programs call its parameters.
//!
//! # Example
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::VarBuilder;
//! use sconce_backbones::{normalize, resnet};
//! use sconce_models::agrnet::{self, Agrnet};
//! use sconce_tensors::{Memory, Parameters};
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
//!     memory: Memory::Plain,
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
mod config;
pub mod deeplab_v3;
pub mod deeplab_v3_plus;
pub mod hair_pspnet;
mod key_map;
mod output;
pub mod pspnet;
mod stages;
pub mod unet;
mod weight_names;

pub use agrnet::Agrnet;
pub use deeplab_v3::DeepLabV3;
pub use deeplab_v3_plus::DeepLabV3Plus;
pub use hair_pspnet::HairPspNet;
pub use key_map::{Key, KeyMap};
pub use output::Output;
pub use pspnet::PspNet;
pub use unet::Unet;
pub use weight_names::{Misfit, WeightNames};
