//! An image to a pyramid of features.
//!
//! A backbone turns an image (N, 3, H, W) into feature maps that grow coarser and wider, the finest first. Heads know only
//! the [`Level`]s, that is channels and strides, never the network behind them.
//!
//! | module | networks |
//! |---|---|
//! | [`resnet`] | bottleneck residual networks of depth 50, 101 and 152 with a dilated tail, and a small one of the same wiring for small images |
//! | [`squeezenet`] | SqueezeNet 1.0 and 1.1, of few parameters |
//!
//! # Example
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use sconce_backbones::{Backbone, Resnet, normalize, resnet};
//! use sconce_tensors::Parameters;
//!
//! # fn main() -> candle_core::Result<()> {
//! let small = resnet::SmallConfig { width: 4, blocks: [1, 1, 1, 1], stem_width: 8, stem_stride: 2, max_pool: true };
//! let parameters = Parameters::new(0, &Device::Cpu);
//! let network = Resnet::new(&resnet::Config::Small(small).leaky(), parameters.builder())?;
//!
//! let photo = Tensor::zeros((1, 3, 33, 65), DType::F32, &Device::Cpu)?; // RGB in 0..=1
//! let features = network.features(&normalize(&photo)?, false)?;
//! assert_eq!(features[0].dims(), [1, 16, 9, 17]); // stride 4
//! assert_eq!(features[3].dims(), [1, 128, 5, 9]); // stride 8
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod backbone;
mod normalize;
pub mod resnet;
pub mod squeezenet;

pub use backbone::{Backbone, Level};
pub use normalize::{IMAGENET_MEAN, IMAGENET_STD, normalize};
pub use resnet::Resnet;
pub use squeezenet::Squeezenet;
