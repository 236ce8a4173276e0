//! Tensor operations that candle lacks or does slowly for dense prediction, with gradients.
//!
//! candle supplies tensors, devices, matrix products and automatic differentiation. This crate supplies the
//! operations of networks that label every pixel: convolution, pooling, resizing, batch normalisation,
//! dropout, softmax over channels, each with a backward pass of its own; plain layers made of them; and a seeded store
//! for the parameters of a network.
//!
//! * Images and feature maps are (N, C, H, W): N images, C channels, H rows and W columns of pixels,
//!   contiguous f32. Views are copied where an operation needs contiguous memory.
//! * Every operation runs on the CPU, on the threads of rayon's global pool. Its result does not depend on
//!   their number. Sums of products do differ, within rounding, between processors with vectors of different
//!   widths; the environment variable `SCONCE_LANES` makes one behave as a lesser one (see [`vector_width`]): 8 forbids
//!   AVX-512, 4 also AVX2, another value is an error.
//! * A thread outside that pool wakes one of it for each operation and sleeps meanwhile, which costs small images up to a
//!   fifth of their time. To save it, start the pool with `ThreadPoolBuilder::new().use_current_thread().build_global()` on
//!   the thread that predicts or trains, which needs a large stack, since candle walks a loss's graph recursively. That
//!   thread must not sleep until another is done that needs the pool: it may be the pool's only one.
//! * With the feature `cuda` they run on NVIDIA GPUs too, in f32, on tensors that lie there; [`conv_norms`] runs its layers one by one
//!   there. No such operation has been run on a card so far: their kernels are held against the CPU forms by an emulation in the tests, cuDNN's convolutions by nothing.
//! * Sums over many pixels run in f64, or in f32 over short runs only.
//! * Bad shapes, types and values are errors that name them.
//! * Nothing random happens without a seed.
//!
//! A network takes its tensors by name from a `VarBuilder`: from [`Parameters`] to train, from a file to
//! infer. Names and initialisation are PyTorch's.
//!
//! ```
//! use candle_core::{Device, Module, ModuleT, Result};
//! use sconce_tensors::{Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, Corners, Parameters};
//! use sconce_tensors::{backward, resize_bilinear, testing::hashed_uniform};
//!
//! fn main() -> Result<()> {
//!     let parameters = Parameters::new(7, &Device::Cpu);
//!     let vb = parameters.builder();
//!     let halve = ConvNormConfig { stride: 2, ..Default::default() };
//!     let stem = ConvNorm::new(3, 16, 3, halve, vb.pp("stem"))?;
//!     let classify = Conv2d::with_bias(16, 5, 1, Conv2dConfig::default(), vb.pp("classify"))?;
//!
//!     let image = hashed_uniform("image", (2, 3, 33, 49));
//!     let features = stem.forward_t(&image, true)?;
//!     assert_eq!(features.dims(), [2, 16, 17, 25]);
//!     let scores = resize_bilinear(&classify.forward(&features)?, (33, 49), Corners::Aligned)?;
//!     assert_eq!(scores.dims(), [2, 5, 33, 49]);
//!
//!     let gradients = backward(&scores.sqr()?.mean_all()?)?;
//!     for (name, var) in parameters.trainable() {
//!         assert!(gradients.get(&var).is_some(), "{name} has no gradient");
//!     }
//!     Ok(())
//! }
//! ```

mod activation;
mod allocator;
mod arithmetic;
mod batch_norm;
mod binary_cross_entropy;
mod blocks;
mod checked;
#[cfg(test)]
mod checks;
mod confusion;
mod conv;
mod conv_transpose;
mod cost;
mod cross_entropy;
#[cfg(any(feature = "cuda", test))]
mod cuda;
mod device;
mod dropout;
mod fetch;
mod filled;
#[cfg(feature = "cuda")]
pub mod fused_step;
mod gradients;
mod hash;
mod host;
mod kept;
mod label_map;
mod labels;
mod layers;
mod limits;
mod overlap;
mod parameters;
mod pool;
mod profile;
mod projection;
mod recompute;
mod reduce;
mod reprojection;
mod resize;
mod separable;
mod simd;
mod softmax;
pub mod testing;
mod top_k;
mod upload;
mod vector_width;

pub use activation::{Activation, add_relu, leaky_relu, relu};
pub use allocator::{Allocator, keep_freed_memory};
pub use arithmetic::{Arithmetic, Precision};
pub use batch_norm::{BatchNorm, Beside, conv_norm, conv_norms};
pub use binary_cross_entropy::binary_cross_entropy_sums;
pub use checked::{Findings, Input, NonFinite, OF_CANDLE, checked, look_at_graph};
pub use confusion::ConfusionCounts;
pub use conv::{Conv2dConfig, conv2d, conv2d_input_gradient, conv2d_weight_gradient};
pub use conv_transpose::{ConvTranspose2d, ConvTranspose2dConfig, conv_transpose2d};
pub use cross_entropy::pixel_cross_entropy;
pub use device::{device_name, keep_freed_memory_of, peak_memory_of};
pub use dropout::{Dropout, dropout, dropout_channels};
pub use gradients::backward;
pub use label_map::label_map;
pub use layers::{Conv2d, ConvNorm, ConvNormConfig, Cost};
pub use limits::{Bandwidth, memory_bandwidth, peak_multiply_adds};
pub use overlap::{OverlapConfig, Probabilities, overlap_sums};
pub use parameters::{Loaded, Parameters};
pub use pool::{PoolConfig, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d};
pub use profile::{Spent, profiled};
pub use projection::project_on_vertices;
pub use recompute::{Memory, once, recompute};
pub use reduce::{sum_all, weighted_sum};
pub use reprojection::reproject_from_vertices;
pub use resize::{Corners, resize_bilinear, resize_nearest};
pub use softmax::softmax_channels;
pub use top_k::top_k_indices;
pub use upload::{Upload, Uploads};
pub use vector_width::vector_width;
