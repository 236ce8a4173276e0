//! The parameters of an optimiser with what it remembers of each.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Device, InplaceOp2, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;
use sconce_tensors::Parameters;
#[cfg(feature = "cuda")]
use sconce_tensors::fused_step;

use crate::group::Own;

/// All trainable parameters, in the order of names, with K remembered numbers for each scalar.
pub(crate) struct Slots<const K: usize> {
    slots: Vec<Slot<K>>,
    labels: [&'static str; K],
}

struct Slot<const K: usize> {
    name: String,
    var: Var,
    own: Own,
    /// Zero before the first step; empty for a parameter on a GPU.
    memory: Vec<[f32; K]>,
    /// The same, number by number, of a parameter on a GPU; empty, for zeros, before the first step.
    on_card: Vec<Tensor>,
    steps: u64,
}

/// The name of the tensor that holds the number of steps.
const STEPS: &str = "steps";

impl<const K: usize> Slots<K> {
    /// `labels` name the remembered numbers in a saved state; `owns` has one for each trainable parameter.
    pub(crate) fn new(parameters: &Parameters, owns: Vec<Own>, labels: [&'static str; K]) -> Self {
        let slot = |((name, var), own): ((String, Var), Own)| {
            let on_host = if var.device().is_cuda() { 0 } else { var.elem_count() };
            Slot { name, var, own, memory: vec![[0.0; K]; on_host], on_card: Vec::new(), steps: 0 }
        };
        Self { slots: parameters.trainable().into_iter().zip(owns).map(slot).collect(), labels }
    }

    /// One step of every parameter that has a gradient. `rule` takes what is a parameter's own and the number of its steps, this one
    /// included, and gives the rule for its scalars: from value, gradient and memory to the new value and memory.
    pub(crate) fn step<R>(
        &mut self,
        gradients: &GradStore,
        rule: impl Fn(&Own, u64) -> R + Sync,
    ) -> Result<()>
    where
        R: Fn(f32, f32, [f32; K]) -> (f32, [f32; K]) + Sync,
    {
        self.slots.par_iter_mut().try_for_each(|slot| {
            let Some(gradient) = gradients.get(&slot.var) else { return Ok(()) };
            let pass = Pass { memory: RefCell::new(&mut slot.memory), rule: rule(&slot.own, slot.steps + 1) };
            slot.var
                .inplace_op2(&gradient.contiguous()?, &pass)
                .map_err(|error| error.context(slot.name.clone()))?;
            slot.steps += 1;
            Ok(())
        })
    }

    /// The same of parameters on a GPU, all at once: `own` gives the numbers of the kernel's rule that are a parameter's own.
    #[cfg(feature = "cuda")]
    pub(crate) fn step_on_card(
        &mut self,
        gradients: &GradStore,
        rule: fused_step::Rule,
        own: impl Fn(&Own, u64) -> fused_step::Own,
    ) -> Result<()> {
        let mut updates = Vec::new();
        for slot in &mut self.slots {
            let Some(gradient) = gradients.get(&slot.var) else { continue };
            if slot.on_card.is_empty() {
                let zeros = || slot.var.as_detached_tensor().zeros_like();
                slot.on_card = (0..K).map(|_| zeros()).collect::<Result<_>>()?;
            }
            slot.steps += 1;
            let (gradient, own) = (gradient.detach().contiguous()?, own(&slot.own, slot.steps));
            let Slot { var: parameter, on_card: memory, .. } = slot;
            updates.push(fused_step::Update { parameter, gradient, memory, own });
        }
        fused_step::step(rule, &updates)
    }

    /// Whether the parameters are on a GPU.
    #[cfg(feature = "cuda")]
    pub(crate) fn are_on_card(&self) -> bool {
        self.slots.first().is_some_and(|slot| slot.var.device().is_cuda())
    }

    pub(crate) fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for (k, label) in self.labels.iter().enumerate() {
            for slot in &self.slots {
                state.insert(format!("{label}.{}", slot.name), slot.tensor(k));
            }
        }
        let steps = self.slots.iter().map(|slot| slot.steps as i64).collect();
        state.insert(STEPS.to_string(), host_tensor(steps, &[self.slots.len()]));
        state
    }

    pub(crate) fn restore(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let steps = find(state, STEPS, &[self.slots.len()])?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        let memories =
            self.slots.iter().map(|slot| slot.read(&self.labels, state)).collect::<Result<Vec<_>>>()?;
        self.refuse_unknown(state)?;
        for ((slot, memory), steps) in self.slots.iter_mut().zip(memories).zip(steps) {
            slot.remember(memory)?;
            slot.steps = steps.max(0) as u64;
        }
        Ok(())
    }

    fn refuse_unknown(&self, state: &HashMap<String, Tensor>) -> Result<()> {
        let known = |key: &str| {
            let name = self.labels.iter().find_map(|label| key.strip_prefix(label)?.strip_prefix('.'));
            key == STEPS || name.is_some_and(|name| self.slots.iter().any(|slot| slot.name == name))
        };
        match state.keys().filter(|key| !known(key)).min() {
            Some(key) => bail!("the optimiser has no '{key}': its saved state is of another kind or network"),
            None => Ok(()),
        }
    }
}

impl<const K: usize> Slot<K> {
    fn tensor(&self, k: usize) -> Tensor {
        if !self.var.device().is_cuda() {
            return host_tensor(self.memory.iter().map(|memory| memory[k]).collect(), self.var.dims());
        }
        match self.on_card.get(k) {
            Some(tensor) => tensor.copy().expect("a contiguous tensor copies"),
            None => host_tensor(vec![0f32; self.var.elem_count()], self.var.dims()),
        }
    }

    /// Takes the memory over, to where the parameter is.
    fn remember(&mut self, memory: Vec<[f32; K]>) -> Result<()> {
        if !self.var.device().is_cuda() {
            self.memory = memory;
            return Ok(());
        }
        let tensor = |k: usize| {
            let values: Vec<f32> = memory.iter().map(|memory| memory[k]).collect();
            host_tensor(values, self.var.dims()).to_device(self.var.device())
        };
        self.on_card = (0..K).map(tensor).collect::<Result<_>>()?;
        Ok(())
    }

    /// The memory that a saved state holds for this parameter.
    fn read(&self, labels: &[&'static str; K], state: &HashMap<String, Tensor>) -> Result<Vec<[f32; K]>> {
        let mut memory = vec![[0.0; K]; self.var.elem_count()];
        for (k, label) in labels.iter().enumerate() {
            let tensor = find(state, &format!("{label}.{}", self.name), self.var.dims())?;
            let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            for (memory, value) in memory.iter_mut().zip(values) {
                memory[k] = value;
            }
        }
        Ok(memory)
    }
}

fn find<'a>(state: &'a HashMap<String, Tensor>, key: &str, dims: &[usize]) -> Result<&'a Tensor> {
    match state.get(key) {
        None => bail!("the optimiser's saved state has no '{key}'"),
        Some(tensor) if tensor.dims() != dims => {
            bail!(
                "'{key}' has the shape {:?} in the optimiser's saved state, {dims:?} is needed",
                tensor.dims()
            )
        }
        Some(tensor) => Ok(tensor),
    }
}

fn host_tensor<T: candle_core::WithDType>(values: Vec<T>, dims: &[usize]) -> Tensor {
    Tensor::from_vec(values, dims, &Device::Cpu).expect("one value for each scalar of the parameter")
}

/// Scalars that one task changes.
const PART: usize = 1 << 15;

/// One pass over the scalars of one parameter.
struct Pass<'a, const K: usize, R> {
    memory: RefCell<&'a mut Vec<[f32; K]>>,
    rule: R,
}

impl<const K: usize, R> InplaceOp2 for Pass<'_, K, R>
where
    R: Fn(f32, f32, [f32; K]) -> (f32, [f32; K]) + Sync,
{
    fn name(&self) -> &'static str {
        "optimiser step"
    }

    fn cpu_fwd(&self, p: &mut CpuStorage, lp: &Layout, g: &CpuStorage, lg: &Layout) -> Result<()> {
        let (Some(inside), Some((start, end))) = (lp.contiguous_offsets(), lg.contiguous_offsets()) else {
            bail!("the optimiser needs contiguous parameters")
        };
        let (CpuStorage::F32(p), CpuStorage::F32(g)) = (p, g) else {
            bail!("the optimiser needs f32 parameters and gradients")
        };
        let (p, g) = (&mut p[inside.0..inside.1], &g[start..end]);
        let rule = &self.rule;
        p.par_chunks_mut(PART)
            .zip(g.par_chunks(PART))
            .zip(self.memory.borrow_mut().par_chunks_mut(PART))
            .for_each(|((p, g), memory)| apply(rule, p, g, memory));
        Ok(())
    }
}

fn apply<const K: usize>(
    rule: impl Fn(f32, f32, [f32; K]) -> (f32, [f32; K]),
    p: &mut [f32],
    g: &[f32],
    memory: &mut [[f32; K]],
) {
    for ((p, &g), memory) in p.iter_mut().zip(g).zip(memory) {
        (*p, *memory) = rule(*p, g, *memory);
    }
}
