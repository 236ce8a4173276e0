//! The backward pass of graphs that hold fused layers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, TensorId, bail};

use crate::checked::look_at_gradients;

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
    look_at_gradients(&gradients)?;
    Ok(gradients)
}

/// The gradients for all variables that `y` depends on, given the one for `y`.
pub(crate) fn backward_from(y: Tensor, gradient: &Tensor) -> Result<GradStore> {
    let seed = y.apply_op1(Seed(Mutex::new(Some(gradient.clone()))))?;
    drop(y);
    backward(&seed)
}

/// A scalar of which the gradient for the argument is given.
struct Seed(Mutex<Option<Tensor>>);

impl CustomOp1 for Seed {
    fn name(&self) -> &'static str {
        "seed of a backward pass"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        y: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        let zero = y.device.alloc_zeros::<f32>(1)?;
        Ok((candle_core::CudaStorage::wrap_cuda_slice(zero, y.device.clone()), Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

/// Whether this thread is inside [`backward`].
pub(crate) fn pass_is_running() -> bool {
    COLLECTED.with_borrow(Option::is_some)
}

thread_local! {
    /// The gradients that fused layers have handed over in the running [`backward`], none outside of it.
    static COLLECTED: RefCell<Option<HashMap<TensorId, Tensor>>> = const { RefCell::new(None) };
}

/// Hands over the gradient of a variable.
pub(crate) fn collect(variable: &Tensor, gradient: Tensor) -> Result<()> {
    collect_id(variable.id(), gradient)
}

/// The same of a variable of which only the id is known.
pub(crate) fn collect_id(variable: TensorId, gradient: Tensor) -> Result<()> {
    COLLECTED.with_borrow_mut(|collected| {
        let Some(collected) = collected else {
            bail!("the graph holds fused layers: call sconce_tensors::backward(&loss) instead of loss.backward()")
        };
        let sum = match collected.remove(&variable) {
            Some(other) => other.add(&gradient)?.detach(),
            None => gradient,
        };
        collected.insert(variable, sum);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hashed_signed;
    use crate::{ConvNorm, ConvNormConfig, Parameters};
    use candle_core::Device;
    use candle_nn::ModuleT;

    #[test]
    fn a_layer_that_is_used_twice_receives_the_sum() -> Result<()> {
        let parameters = Parameters::new(3, &Device::Cpu);
        let layer = ConvNorm::new(4, 4, 3, ConvNormConfig::default(), parameters.builder())?;
        let [a, b] = ["a", "b"].map(|name| hashed_signed(name, (2, 4, 5, 6), 1.0));
        let loss = |x: &Tensor| layer.forward_t(x, false)?.sqr()?.sum_all();
        let both = backward(&(loss(&a)? + loss(&b)?)?)?;
        let (one, other) = (backward(&loss(&a)?)?, backward(&loss(&b)?)?);
        for (name, variable) in parameters.trainable() {
            let of = |gradients: &GradStore| gradients.get(&variable).expect("a gradient").clone();
            crate::testing::assert_close(&of(&both), &(of(&one) + of(&other))?, &name);
        }
        Ok(())
    }

    #[test]
    fn a_failed_pass_leaves_no_collection_behind() -> Result<()> {
        let parameters = Parameters::new(3, &Device::Cpu);
        let layer = ConvNorm::new(4, 4, 3, ConvNormConfig::default(), parameters.builder())?;
        let loss = layer.forward_t(&hashed_signed("a", (2, 4, 5, 6), 1.0), true)?.sqr()?.sum_all()?;
        backward(&loss)?;
        assert!(backward(&loss).is_err(), "its values are freed");
        assert!(collect(&loss, loss.clone()).is_err(), "no pass is running");
        Ok(())
    }
}
