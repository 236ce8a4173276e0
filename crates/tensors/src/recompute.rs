//! Blocks of a network that run again in the backward pass instead of keeping what lies inside them.

mod leaf;
mod run;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Error, Layout, Result, Shape, Tensor, Var, bail};
#[cfg(feature = "cuda")]
use candle_core::{CudaStorage, Storage, backend::BackendStorage};
use serde::Deserialize;

use crate::gradients::{backward_from, collect_id};
use crate::host;
use leaf::Leaf;
use run::Effects;
pub use run::once;
pub(crate) use run::{is_in_block, nothing_is_kept, record, replayed};

/// What a training step keeps of a block's inside from its forward to its backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// What the backward pass needs.
    Plain,
    /// Nothing: the backward pass runs the block again, see [`recompute`].
    Recompute,
}

impl Memory {
    /// `block(inputs)`; gradients and results are the same in both modes.
    ///
    /// # Errors
    ///
    /// Those of [`recompute`].
    pub fn run<const N: usize>(
        self,
        inputs: [Tensor; N],
        block: impl Fn([Tensor; N]) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Result<Tensor> {
        match self {
            Self::Plain => block(inputs),
            Self::Recompute => recompute(inputs, block),
        }
    }
}

/// `block(inputs)` as one node of the graph, which keeps the inputs and runs the block a second time in the backward pass
/// (Chen et al. 2016, "Training deep nets with sublinear memory cost").
///
/// The results, the gradients and the running statistics are those of the block itself, bit for bit: the second run
/// repeats the first one's random choices and neither reads nor moves the running statistics. Where a block draws or
/// changes something itself, it does so within [`once`]. The gradients of an input that other operations read, too, are
/// summed in the order of the plain graph if the block reads that input once.
///
/// Everything that gradients flow through has to be an input or a variable; a block must not capture other results of the
/// graph. While a block runs in the backward pass, its inputs' values are lent to it: no other thread may read them.
/// Train with [`backward`](crate::backward).
///
/// # Shapes
///
/// One or two inputs of any shape, f32; the result is f32.
///
/// # Errors
///
/// Another number of inputs; those of the block; a block whose second run differs from its first.
///
/// ```
/// use candle_core::{Device, ModuleT, Result};
/// use sconce_tensors::{ConvNorm, ConvNormConfig, Parameters, backward, recompute, testing::hashed_uniform};
///
/// # fn main() -> Result<()> {
/// let parameters = Parameters::new(7, &Device::Cpu);
/// let layer = ConvNorm::new(3, 8, 3, ConvNormConfig::default(), parameters.builder())?;
/// let image = hashed_uniform("image", (2, 3, 33, 49));
/// let features = recompute([image], move |[x]| layer.forward_t(&x, true))?;
/// let gradients = backward(&features.sqr()?.mean_all()?)?;
/// assert!(parameters.trainable().iter().all(|(_, var)| gradients.get(var).is_some()));
/// # Ok(())
/// # }
/// ```
pub fn recompute<const N: usize>(
    inputs: [Tensor; N],
    block: impl Fn([Tensor; N]) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    if nothing_is_kept() {
        return block(inputs); // inside of a block that runs for the first time
    }
    inputs.iter().try_for_each(|input| host::check_f32(input, NAME))?;
    let values = inputs.each_ref().map(Tensor::detach);
    let (result, effects) = run::first(|| block(values))?;
    host::check_f32(&result, NAME)?;
    let block = move |inputs: &[Tensor]| block(std::array::from_fn(|i| inputs[i].clone()));
    let node = Node { block: Box::new(block), effects, result: Mutex::new(Some(result.detach())) };
    drop(result);
    let Some(device) = inputs.first().map(Tensor::device) else {
        bail!("{NAME}: a block takes one or two inputs, not 0")
    };
    // The node is part of the graph because of it, whether or not gradients flow to the inputs.
    let marker = Var::zeros((), DType::F32, device)?;
    match inputs.as_slice() {
        [x] => x.apply_op2(&marker, node),
        [x, y] => x.apply_op3(y, &marker, node),
        other => bail!("{NAME}: a block takes one or two inputs, not {}", other.len()),
    }
}

const NAME: &str = "recomputation";

type Block = dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync;

/// (inputs, marker) -> the block's result
struct Node {
    block: Box<Block>,
    /// Of the first run.
    effects: Effects,
    /// Of the first run, until it is the node's.
    result: Mutex<Option<Tensor>>,
}

impl Node {
    fn value(&self) -> Result<Tensor> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.ok_or_else(|| Error::Msg(format!("{NAME}: the result was taken before")))
    }

    fn value_on_host(&self) -> Result<(CpuStorage, Shape)> {
        let result = self.value()?;
        Ok((CpuStorage::F32(result.flatten_all()?.to_vec1()?), result.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn value_on_card(&self) -> Result<(CudaStorage, Shape)> {
        let result = self.value()?.force_contiguous()?;
        let (storage, layout) = result.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else {
            bail!("{NAME}: the block's result is not on the GPU of its input")
        };
        Ok((storage.try_clone(layout)?, layout.shape().clone()))
    }

    /// The gradients for the inputs; those of variables are collected.
    fn gradients(&self, inputs: &[&Tensor], upstream: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let leaves = Leaf::of_all(inputs)?;
        let values: Vec<_> = leaves.iter().map(Leaf::tensor).collect();
        let result = run::again(&self.effects, || (self.block)(&values))?;
        drop(values);
        if result.shape() != upstream.shape() {
            bail!("{NAME}: the first run gave {:?}, the second {:?}", upstream.shape(), result.shape());
        }
        let mut gradients = backward_from(result, upstream)?;
        let of_inputs = leaves.iter().map(|leaf| gradients.remove(&leaf.tensor()));
        let of_inputs = of_inputs.zip(inputs).map(|(gradient, input)| gradient.filter(|_| input.track_op()));
        let of_inputs = of_inputs.collect();
        let others: Vec<_> = gradients.get_ids().copied().collect();
        for id in others {
            if let Some(gradient) = gradients.get_id(id) {
                collect_id(id, gradient.clone())?;
            }
        }
        Ok(of_inputs)
    }
}

impl CustomOp2 for Node {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.value_on_host()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.value_on_card()
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.gradients(&[x], upstream)?.pop().flatten(), None))
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
        self.value_on_host()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.value_on_card()
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        _: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut gradients = self.gradients(&[x, y], upstream)?;
        let of_y = gradients.pop().flatten();
        Ok((gradients.pop().flatten(), of_y, None))
    }
}
