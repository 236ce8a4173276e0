//! Layers of convolution, batch normalisation and activation one after another, as one node of the graph.

mod beside;
mod link;
#[cfg(test)]
mod tests;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, ModuleT, Result, Shape, Tensor, bail};

use super::conv_norm::is_leaf;
use crate::checked::seen;
use crate::recompute::nothing_is_kept;
use crate::{ConvNorm, host};
pub use beside::Beside;
use beside::Placement;
use link::{Link, with_values};

/// `layers[n - 1](… layers[0](x))`; with `beside`, the first layer reads the channels of `x` and then those of `beside`.
///
/// One node of candle's graph. Until the backward pass it keeps the results of the convolutions alone: the normalised
/// maps between the layers and the map that two are joined to are cheaply made again. As with
/// [`conv_norm`](crate::conv_norm), there is one backward pass a graph, and without anything to train nothing is kept.
///
/// Train it with [`backward`](crate::backward).
///
/// # Shapes
///
/// `x` (N, C, H, W) and `beside` (N, D, H, W), see [`Beside`]; the first layer reads C + D channels.
///
/// # Errors
///
/// No layer, shapes that do not fit together, and those of [`conv_norm`](crate::conv_norm).
pub fn conv_norms(layers: &[&ConvNorm], x: &Tensor, beside: Option<Beside>, train: bool) -> Result<Tensor> {
    let Some(first) = layers.first() else { bail!("{NAME}: there is no layer") };
    host::dims4(x, NAME)?;
    let x = x.contiguous()?;
    let beside = match &beside {
        None => None,
        Some(beside) => Some((Placement::new(beside, &x)?, beside.tensor().contiguous()?)),
    };
    let parameters = || layers.iter().flat_map(|layer| layer.variables());
    let parts = || [Some(&x), beside.as_ref().map(|(_, beside)| beside)].into_iter().flatten();
    let tracked = parts().chain(parameters()).any(Tensor::track_op);
    if nothing_is_kept() || !tracked || !parameters().all(is_leaf) || !x.device().is_cpu() {
        let joined = joined(&x, beside.as_ref())?;
        return layers.iter().try_fold(joined, |x, layer| layer.forward_t(&x, train));
    }
    let detached = beside.as_ref().map(|(placement, beside)| (placement.clone(), beside.detach()));
    let links = forward(layers, joined(&x.detach(), detached.as_ref())?, train)?;
    let node = Node { links, placement: detached.map(|(placement, _)| placement) };
    // A variable, if only gradients of variables are asked for, makes the node part of the graph.
    let marker = parameters().find(|tensor| tensor.is_variable()).unwrap_or(&first.conv.weight);
    seen(NAME, &parts().chain(parameters()).collect::<Vec<_>>(), || match &beside {
        None => x.apply_op2(marker, node),
        Some((_, beside)) => x.apply_op3(beside, marker, node),
    })
}

const NAME: &str = "convolutions with batch norm";

/// What the first layer reads.
fn joined(x: &Tensor, beside: Option<&(Placement, Tensor)>) -> Result<Tensor> {
    match beside {
        None => Ok(x.clone()),
        Some((placement, beside)) if x.track_op() || beside.track_op() || !x.device().is_cpu() => {
            Tensor::cat(&[x, &placement.place(beside)?], 1)
        }
        Some((placement, beside)) => side_by_side(x, &placement.place(beside)?),
    }
}

/// Floats more than are needed: two maps then fit into the place of a freed one that two were joined to.
const SLACK: usize = 1024;

/// The channels of both, without a graph.
fn side_by_side(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let (n, channels, h, w) = x.dims4()?;
    let others = y.dim(1)?;
    let mut values = Vec::with_capacity(n * (channels + others) * h * w + SLACK);
    with_values(x, |x| {
        with_values(&y.contiguous()?, |y| {
            for (x, y) in x.chunks_exact(channels * h * w).zip(y.chunks_exact(others * h * w)) {
                values.extend_from_slice(x);
                values.extend_from_slice(y);
            }
            Ok(())
        })
    })?;
    Tensor::from_vec(values, (n, channels + others, h, w), x.device())
}

/// All but the last normalisation.
fn forward(layers: &[&ConvNorm], mut values: Tensor, train: bool) -> Result<Vec<Link>> {
    let mut links: Vec<Link> = Vec::with_capacity(layers.len());
    for layer in layers {
        if let Some(last) = links.last() {
            values = last.normalised()?;
        }
        links.push(Link::new(layer, &values, train)?);
    }
    Ok(links)
}

/// (x (, beside), marker) -> y
struct Node {
    links: Vec<Link>,
    placement: Option<Placement>,
}

impl Node {
    fn value(&self) -> Result<(CpuStorage, Shape)> {
        let Some(last) = self.links.last() else { bail!("{NAME}: there is no layer") };
        Ok((CpuStorage::F32(last.values()?), last.shape().clone()))
    }

    /// The gradients for x and beside. Frees what the convolutions gave.
    fn gradients(&self, x: &Tensor, beside: Option<&Tensor>, y: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let mut upstream = y.contiguous()?;
        for pair in self.links.windows(2).rev() {
            let [before, link] = pair else { continue };
            let inner = link.inner_gradient(&upstream)?;
            drop(upstream);
            link.collect_weight(&[&before.normalised()?], &inner)?;
            upstream = link.input_gradient(0, link.inputs(), &inner)?;
        }
        let inner = self.links[0].inner_gradient(&upstream)?;
        drop(upstream);
        self.first_gradients(x, beside, &inner)
    }

    /// The same, given the gradient for what the first convolution gave.
    fn first_gradients(
        &self,
        x: &Tensor,
        beside: Option<&Tensor>,
        inner: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let (link, channels) = (&self.links[0], x.dim(1)?);
        let of_x = || link.input_gradient(0, channels, inner);
        let (Some(beside), Some(placement)) = (beside, &self.placement) else {
            link.collect_weight(&[x], inner)?;
            return Ok([x.track_op().then(of_x).transpose()?, None]);
        };
        link.collect_weight(&[x, &placement.place(&beside.detach())?], inner)?;
        let of_beside =
            || placement.adjoint(link.input_gradient(channels, link.inputs() - channels, inner)?);
        let of_beside = beside.track_op().then(of_beside).transpose()?;
        Ok([x.track_op().then(of_x).transpose()?, of_beside])
    }
}

impl CustomOp2 for Node {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.value()
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [of_x, _] = self.gradients(x, None, upstream)?;
        Ok((of_x, None))
    }
}

impl CustomOp3 for Node {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.value()
    }

    fn bwd(
        &self,
        x: &Tensor,
        beside: &Tensor,
        _: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [of_x, of_beside] = self.gradients(x, Some(beside), upstream)?;
        Ok((of_x, of_beside, None))
    }
}
