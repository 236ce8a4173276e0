//! Reasoning over a graph of image parts (Te et al. 2021, "AGRNet: Adaptive graph representation learning and reasoning
//! for face parsing"): pixels are projected to vertices, the vertices exchange what they know, and pixels get it back.

mod projection;
mod reasoning;
mod reprojection;

pub use projection::{Graph, project_to_graph};
pub use reasoning::GraphReasoning;
pub use reprojection::reproject_to_pixels;

use sconce_tensors::Cost;

/// The cost of the matrix product in [`project_to_graph`], and of that in [`reproject_to_pixels`]: each is of `vertices` x
/// `state` x pixels, for features of `size` (height, width).
pub fn product_cost(vertices: usize, state: usize, size: (usize, usize)) -> Cost {
    Cost { parameters: 0, multiply_adds: (vertices * state * size.0 * size.1) as u64, size }
}
