//! What AGRNet is trained with.

use candle_core::{Context, Result, Tensor};
use sconce_tensors::{Corners, pixel_cross_entropy, resize_bilinear};
use serde::Deserialize;

use crate::boundary::mean_over_edges;
use crate::cross_entropy::mean_over_valid;
use crate::{cross_entropy, edge_cross_entropy, vertex_distance};

/// The label of pixels that no term counts.
const IGNORE: u8 = 255;
/// Half the distance beyond which two vertices cost nothing.
const MARGIN: f64 = 1.0;

/// How much each term weighs. The published code uses 1, 1, 1 and 0.5.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Cross entropy of the final and of the initial parsing.
    pub parsing: f64,
    /// Balanced cross entropy of the edges.
    pub edge: f64,
    /// Boundary attention of the final parsing.
    pub boundary: f64,
    /// Distance of the vertices.
    pub distance: f64,
    /// Whether all vertices are kept apart, as the paper describes it. The published code takes only as many as there are classes,
    /// which are the vertices of the first quarter of the classes when each class has four.
    pub all_vertices: bool,
}

/// The terms of the loss, unweighted, and their weighted sum: scalars.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The weighted sum: what to call `backward` on.
    pub total: Tensor,
    /// Cross entropy of the final parsing plus that of the initial one.
    pub parsing: Tensor,
    /// Balanced cross entropy of the edges.
    pub edge: Tensor,
    /// Boundary attention of the final parsing.
    pub boundary: Tensor,
    /// Distance of the vertices.
    pub distance: Tensor,
}

/// AGRNet's loss. Logits of other sizes are resized to the labels' bilinearly, pixels at half coordinates. Labels of 255 count in no
/// term that reads labels.
///
/// Te et al. 2021, "AGRNet: Adaptive Graph Representation Learning and Reasoning for Face Parsing", and its published code.
///
/// # Shapes
///
/// logits and initial (N, C, ·, ·), edge (N, 2, ·, ·), vertices (N, V, D), all f32; labels and edges (N, H, W) u8, edges of 0 and 1.
///
/// # Errors
///
/// When shapes do not fit, a label is neither a class nor 255, or an edge is neither 0 nor 1: term, image, row, column and value are
/// named.
pub fn agrnet(
    logits: &Tensor,
    initial: &Tensor,
    edge: &Tensor,
    vertices: &Tensor,
    labels: &Tensor,
    edges: &Tensor,
    config: &Config,
) -> Result<Terms> {
    let losses =
        pixel_cross_entropy(&at_size_of(labels, logits)?, labels, None, IGNORE).context("parsing")?;
    let initial = cross_entropy(&at_size_of(labels, initial)?, labels, IGNORE).context("initial parsing")?;
    let parsing = (mean_over_valid(&losses, labels, IGNORE)? + initial)?;
    let edge = edge_cross_entropy(&at_size_of(labels, edge)?, edges).context("edge")?;
    let boundary = mean_over_edges(&losses, edges).context("boundary attention")?;
    let apart = match config.all_vertices {
        true => vertices.clone(),
        false => vertices.narrow(1, 0, logits.dim(1)?).context("vertices of as many as classes")?,
    };
    let distance = vertex_distance(&apart, MARGIN).context("vertex distance")?;
    let weighted = |term: &Tensor, weight: f64| term * weight;
    let total = ((weighted(&parsing, config.parsing)? + weighted(&edge, config.edge)?)?
        + (weighted(&boundary, config.boundary)? + weighted(&distance, config.distance)?)?)?;
    Ok(Terms { total, parsing, edge, boundary, distance })
}

/// Scores at the size of the labels.
fn at_size_of(labels: &Tensor, logits: &Tensor) -> Result<Tensor> {
    let (_, h, w) = labels.dims3().context("labels")?;
    match logits.dims4()? {
        (_, _, rows, columns) if (rows, columns) == (h, w) => Ok(logits.clone()),
        _ => resize_bilinear(logits, (h, w), Corners::HalfPixel),
    }
}
