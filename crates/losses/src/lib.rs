//! Functions of logits and targets.
//!
//! A loss takes the scores of a network as they are (logits, never probabilities) and the targets as bytes, and returns a scalar to
//! call `backward` on. Means and sums over pixels are accumulated in f64. A batch without a valid pixel has loss 0 and gradient 0.
//! On a GPU labels are counted where they are, and nothing waits for them: a wrong one is not named but makes the loss NaN.
//!
//! | function | what it punishes |
//! |---|---|
//! | [`cross_entropy`], [`cross_entropy_weighted`] | wrong classes |
//! | [`focal`] | wrong classes, least where the network is sure already |
//! | [`edge_cross_entropy`] | wrong edges, both sorts of pixels weighing the same |
//! | [`boundary_attention`] | wrong classes on edge pixels |
//! | [`vertex_distance`] | vertices of a graph that come close to each other |
//! | [`agrnet`](fn@agrnet) | all that AGRNet is trained with |
//! | [`weighted_bce`] | wrong foreground, a missed pixel more than a false one |
//! | [`binary_focal`] | wrong foreground, least where the network is sure already |
//! | [`soft_f1`], [`dice`], [`dice_classes`] | little overlap |
//! | [`combined`] | wrong classes and little overlap |
//! | [`foreground`](fn@foreground) | whichever of these a config names for a foreground |
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use sconce_losses::{boundary_attention, cross_entropy};
//!
//! // One image of 2 x 2 pixels, 3 classes; 255 is a pixel without a label.
//! let logits = Var::from_tensor(&Tensor::new(&[[[[9f32, 0.], [0., 0.]], [[0., 9.], [9., 0.]], [[0., 0.], [0., 0.]]]], &Device::Cpu)?)?;
//! let labels = Tensor::new(&[[[0u8, 1], [2, 255]]], &Device::Cpu)?;
//! let edges = Tensor::new(&[[[0u8, 0], [1, 1]]], &Device::Cpu)?;
//!
//! let parsing = cross_entropy(&logits, &labels, 255)?;
//! let boundary = boundary_attention(&logits, &labels, &edges, 255)?;
//! // The third of the three labelled pixels is wrong by 9 nats; it is one of two edge pixels.
//! assert!((parsing.to_scalar::<f32>()? - 9.0 / 3.0).abs() < 1e-3);
//! assert!((boundary.to_scalar::<f32>()? - 9.0 / (2.0 + 1.0)).abs() < 1e-3);
//!
//! let gradients = (parsing + boundary)?.backward()?;
//! assert_eq!(gradients.get(&logits).map(|g| g.dims()), Some([1, 3, 2, 2].as_slice()));
//! # Ok::<(), candle_core::Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod agrnet;
mod binary_focal;
mod boundary;
pub mod classes;
mod combined;
mod cross_entropy;
mod dice;
mod edge;
mod focal;
pub mod foreground;
mod overlap;
mod soft_f1;
mod targets;
mod vertex_distance;
mod weighted_bce;

pub use agrnet::agrnet;
pub use binary_focal::binary_focal;
pub use boundary::boundary_attention;
pub use classes::classes;
pub use combined::combined;
pub use cross_entropy::{cross_entropy, cross_entropy_weighted};
pub use dice::{dice, dice_classes};
pub use edge::edge_cross_entropy;
pub use focal::focal;
pub use foreground::foreground;
pub use soft_f1::soft_f1;
pub use vertex_distance::vertex_distance;
pub use weighted_bce::weighted_bce;
