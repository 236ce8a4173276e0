//! The backward pass of graphs that hold fused layers.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId, bail};

/// The gradients of `loss`, a scalar, for all variables that it depends on: candle's own backward pass, and beside it
/// the gradients of parameters inside fused layers.
///
/// candle's graph takes at most three arguments a node and adds every gradient to zeros first. Layers that are one node
/// ([`conv_norm`](crate::conv_norm), [`ConvNorm`](crate::ConvNorm)) therefore hand the gradients of their parameters
/// over here. [`Tensor::backward`] on such a graph is an error that says so.
///
/// # Errors
///
/// Whatever candle's backward pass or an operation in it reports.
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    // A backward pass inside another one (recomputation, say) has a collection of its own.
    let outer = COLLECTED.replace(Some(HashMap::new()));
    let gradients = loss.backward();
    let collected = COLLECTED.replace(outer).unwrap_or_default();
    let mut gradients = gradients?;
    for (id, gradient) in collected {
        let sum = match gradients.get_id(id) {
            Some(other) => other.add(&gradient)?.detach(),
            None => gradient,
        };
        gradients.insert_id(id, sum);
    }
    Ok(gradients)
}

thread_local! {
    /// The gradients that fused layers have handed over in the running [`backward`], none outside of it.
    static COLLECTED: RefCell<Option<HashMap<TensorId, Tensor>>> = const { RefCell::new(None) };
}

/// Hands over the gradient of a variable.
pub(crate) fn collect(variable: &Tensor, gradient: Tensor) -> Result<()> {
    COLLECTED.with_borrow_mut(|collected| {
        let Some(collected) = collected else {
            bail!("the graph holds fused layers: call sconce_tensors::backward(&loss) instead of loss.backward()")
        };
        let sum = match collected.remove(&variable.id()) {
            Some(other) => other.add(&gradient)?.detach(),
            None => gradient,
        };
        collected.insert(variable.id(), sum);
        Ok(())
    })
}
