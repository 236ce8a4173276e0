//! Fully connected conditional random fields: the labels of a network, drawn towards the edges of the image.
//!
//! Every pixel is connected with every other one by Gaussians of their positions and colours, and mean field finds each
//! one's probabilities (Krähenbühl and Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials,
//! 2011). The Gaussian sums over all pairs take linear time on a permutohedral lattice (Adams, Baek and Davis 2010), which
//! is built once per image, on all cores, and vectorised; results do not depend on the number of threads.
//!
//! A [`DenseCrf`] takes any number of kernels over any [`Features`], a [`Compatibility`] each; a [`Unary`] comes from
//! probabilities, logits, energies or labels; the result is a [`Posterior`]. [`DenseCrf::gradient`] trains through it. The
//! crate knows nothing of tensors or files. With the feature `cuda` a `CudaCrf` does the same on a GPU.
//!
//! Letters: C classes, H rows, W columns. Planes are (C, H, W), as networks return them.
//!
//! ```
//! use sconce_crf::{Bilateral, Compatibility::Potts, DenseCrf, Gaussian, Shape, Unary};
//!
//! // A dark left and a bright right half, and a network that is unsure and wrong about one pixel.
//! let (width, height) = (8, 6);
//! let rgb: Vec<u8> = (0..width * height).flat_map(|i| [if i % width < 4 { 30 } else { 200 }; 3]).collect();
//! let mut left: Vec<f32> = (0..width * height).map(|i| if i % width < 4 { 0.8 } else { 0.2 }).collect();
//! left[9] = 0.4;
//! let both: Vec<f32> = left.iter().copied().chain(left.iter().map(|p| 1.0 - p)).collect();
//!
//! let crf = DenseCrf::new(Shape::image(width, height), 2)?
//!     .gaussian(&Gaussian::new(3.0), Potts(3.0))?
//!     .bilateral(&rgb, &Bilateral::new(80.0, 13.0), Potts(10.0))?;
//! let posterior = crf.infer(&Unary::from_probabilities(&both, 1e-5)?, 5)?;
//!
//! assert!(posterior.probabilities()[9] > 0.9);
//! assert_eq!(posterior.labels()[9..15], [0, 0, 0, 1, 1, 1]);
//! # Ok::<(), sconce_crf::Error>(())
//! ```

mod brute_force;
mod compatibility;
mod covariance;
#[cfg(any(feature = "cuda", test))]
mod cuda;
mod dense_crf;
mod divergence;
mod error;
mod features;
mod gradient;
mod kernel;
mod lattice;
mod layout;
mod mean_field;
mod normalisation;
mod posterior;
mod shape;
mod simd;
mod softmax;
mod unary;

pub use brute_force::filter_exactly;
pub use compatibility::Compatibility;
pub use covariance::Covariance;
#[cfg(any(feature = "cuda", test))]
pub use cuda::DeviceCrf;
#[cfg(feature = "cuda")]
pub use cuda::{Card, CudaCrf};
pub use dense_crf::DenseCrf;
pub use error::Error;
pub use features::Features;
pub use gradient::Gradient;
pub use kernel::{Bilateral, Gaussian};
pub use mean_field::MeanField;
pub use normalisation::Normalisation;
pub use posterior::Posterior;
pub use shape::Shape;
pub use unary::Unary;
