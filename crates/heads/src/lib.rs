//! Features to scores. Every head knows channels and sizes only, never the backbone behind them.
//!
//! * [`PyramidPooling`]: the image's context, pooled over a few bins a side.
//! * [`Aspp`]: the same by dilated convolutions.
//! * [`Fcn`]: scores of every pixel. [`Doubling`]: a decoder that doubles a map step by step.
//! * [`EdgeBranch`]: where labels change, from three levels at once.
//! * [`project_to_graph`], [`GraphReasoning`], [`reproject_to_pixels`]: pixels to a few vertices, a graph convolution among
//!   them, and back.
//!
//! A head takes a builder and names its parameters under the builder's prefix, so several heads can share one prefix.
//!
//! # Example
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use sconce_heads::{GraphReasoning, project_to_graph, reproject_to_pixels};
//! use sconce_tensors::Parameters;
//!
//! # fn main() -> candle_core::Result<()> {
//! let (classes, per_class, state) = (3, 2, 8);
//! let parameters = Parameters::new(0, &Device::Cpu);
//! let reasoning = GraphReasoning::new(classes * per_class, state, parameters.builder())?;
//!
//! let features = Tensor::randn(0f32, 1., (1, state, 5, 7), &Device::Cpu)?;
//! let scores = Tensor::randn(0f32, 1., (1, classes, 5, 7), &Device::Cpu)?;
//! let edge = Tensor::rand(0f32, 1., (1, 1, 5, 7), &Device::Cpu)?;
//! let graph = project_to_graph(&features, &edge, &scores, per_class)?;
//! let vertices = reasoning.forward(&graph.vertices)?;
//! let better = reproject_to_pixels(&features, &vertices, &graph.projection)?;
//! assert_eq!(graph.vertices.dims(), [1, 6, 8]);
//! assert_eq!(better.dims(), features.dims());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod aspp;
mod doubling;
mod edge;
mod fcn;
mod graph;
mod pyramid_pooling;

pub use aspp::{Aspp, AsppConfig};
pub use doubling::Doubling;
pub use edge::EdgeBranch;
pub use fcn::Fcn;
pub use graph::{Graph, GraphReasoning, product_cost, project_to_graph, reproject_to_pixels};
pub use pyramid_pooling::{BINS, Pooling, PyramidPooling};
