//! Finding the first operation whose result is not finite.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use candle_core::backprop::GradStore;
use candle_core::{CustomOp1, CustomOp2, CustomOp3, DType, Result, Tensor, TensorId};

use crate::{gradients, profile, recompute};

/// Runs `work` and looks at the result of every operation of this crate in it, forward and [`backward`](crate::backward),
/// for NaN and infinities.
///
/// A search after the fact: it reads every result once more. Outside of it an operation pays for one look at a variable of
/// its thread. Operations of candle itself are not looked at as they run: give the loss to [`look_at_graph`] to see those of the
/// forward pass. What they make in the backward pass, of which candle keeps nothing, shows as an input that is not finite of
/// the next operation here. Only what the calling thread runs is seen. A search inside another one finds for itself alone.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use sconce_tensors::{checked, relu};
///
/// let x = Tensor::new(&[-1_f32, f32::INFINITY], &Device::Cpu)?;
/// let (y, findings) = checked(|| relu(&x));
/// assert_eq!(y?.dims(), [2]);
/// let first = findings.operation.expect("a result that is not finite");
/// assert_eq!((first.operation, first.index, first.value), ("rectifier", vec![1], f32::INFINITY));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn checked<T>(work: impl FnOnce() -> T) -> (T, Findings) {
    let outer = Outer(SEARCH.replace(Some(Search::default())));
    let result = work();
    let findings = SEARCH.take().map(|search| search.findings).unwrap_or_default();
    drop(outer);
    (result, findings)
}

/// What [`checked`] found; nothing if all was finite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// The first operation whose result was not finite.
    pub operation: Option<NonFinite>,
    /// The variable nearest to the loss whose gradient was not finite, among those that operations of this crate used.
    pub gradient: Option<TensorId>,
}

/// An operation whose result was not finite.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFinite {
    /// Its name.
    pub operation: &'static str,
    /// Whether it ran in the backward pass.
    pub backward: bool,
    /// Of the result.
    pub shape: Vec<usize>,
    /// The first place in the result, in reading order, whose value is not finite.
    pub index: Vec<usize>,
    /// The value there.
    pub value: f32,
    /// What it was given, the variables of a layer among them.
    pub inputs: Vec<Input>,
    /// The last variable that an operation before it used: about where a result without variables arose.
    pub after: Option<TensorId>,
}

/// An argument of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The tensor's.
    pub id: TensorId,
    /// Whether it is a variable.
    pub variable: bool,
    /// Whether all its values were finite.
    pub finite: bool,
}

/// The name under which [`look_at_graph`] finds an operation of candle: which one it was, candle tells nobody.
pub const OF_CANDLE: &str = "operation of candle";

impl NonFinite {
    /// Whether everything that the operation was given was finite: then it is where the trouble begins.
    pub fn inputs_were_finite(&self) -> bool {
        self.inputs.iter().all(|input| input.finite)
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { operation, shape, index, value, .. } = self;
        let pass = if self.backward { "backward" } else { "forward" };
        write!(f, "`{operation}` of the {pass} pass: {value} at {index:?} of its result {shape:?}")
    }
}

thread_local! {
    /// The search under way, none outside of [`checked`].
    static SEARCH: RefCell<Option<Search>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Search {
    findings: Findings,
    /// Variables in the order in which operations of the forward pass used them.
    used: Vec<TensorId>,
    /// The variable used last, in either pass.
    last: Option<TensorId>,
    /// Results of operations of this crate in the forward pass.
    made: HashSet<TensorId>,
}

/// The search around a new one, which goes on when that one ends, by a panic too.
struct Outer(Option<Search>);

impl Drop for Outer {
    fn drop(&mut self) {
        SEARCH.set(self.0.take());
    }
}

/// Looks, if a search is under way, at everything that the graph of `loss` keeps of the forward pass: candle's own operations too.
///
/// The first result that is not finite, in an order in which nothing comes before what it was made of, is where the trouble
/// begins, unless it came in by a tensor without variables, which the graph leaves out. Where it is the result of an operation of
/// candle, [`Findings::operation`] becomes that, by the name [`OF_CANDLE`]. What [`recompute`](crate::recompute()) runs is not
/// kept in the graph and is seen as it runs alone.
///
/// # Errors
///
/// When a tensor cannot be read.
pub fn look_at_graph(loss: &Tensor) -> Result<()> {
    SEARCH.with_borrow_mut(|search| search.as_mut().map_or(Ok(()), |search| search.look_at_graph(loss)))
}

/// Looks at the result of an operation if a search is under way.
fn look<'a>(
    operation: &'static str,
    inputs: impl IntoIterator<Item = &'a Tensor>,
    result: &Tensor,
) -> Result<()> {
    SEARCH.with_borrow_mut(|search| match search {
        Some(search) if search.findings.operation.is_none() => search.look(operation, inputs, result),
        _ => Ok(()),
    })
}

/// Looks at all gradients if a search is under way.
pub(crate) fn look_at_gradients(gradients: &GradStore) -> Result<()> {
    SEARCH.with_borrow_mut(|search| match search {
        Some(search) if search.findings.gradient.is_none() => search.look_at_gradients(gradients),
        _ => Ok(()),
    })
}

impl Search {
    fn look<'a>(
        &mut self,
        operation: &'static str,
        inputs: impl IntoIterator<Item = &'a Tensor>,
        result: &Tensor,
    ) -> Result<()> {
        let inputs: Vec<&Tensor> = inputs.into_iter().collect();
        let backward = gradients::pass_is_running();
        if let Some((place, value)) = first_not_finite(result)? {
            let seen = |x: &&Tensor| {
                let finite = first_not_finite(x)?.is_none();
                Ok(Input { id: x.id(), variable: x.is_variable(), finite })
            };
            self.findings.operation = Some(NonFinite {
                operation,
                backward,
                shape: result.dims().to_vec(),
                index: index(place, result.dims()),
                value,
                inputs: inputs.iter().map(seen).collect::<Result<_>>()?,
                after: self.last,
            });
        }
        let variables = inputs.iter().filter(|input| input.is_variable()).map(|input| input.id());
        self.last = variables.clone().next_back().or(self.last);
        if !backward {
            self.used.extend(variables);
            self.made.insert(result.id());
        }
        Ok(())
    }

    fn look_at_graph(&mut self, loss: &Tensor) -> Result<()> {
        let begun = self.findings.operation.as_ref();
        if begun.is_some_and(|first| first.backward || first.inputs_were_finite()) {
            return Ok(());
        }
        let mut after = None;
        for node in loss.sorted_nodes().into_iter().rev() {
            let Some((place, value)) = first_not_finite(node)? else {
                after = node.is_variable().then(|| node.id()).or(after);
                continue;
            };
            if !node.is_variable() && !self.made.contains(&node.id()) {
                self.findings.operation = Some(NonFinite {
                    operation: OF_CANDLE,
                    backward: false,
                    shape: node.dims().to_vec(),
                    index: index(place, node.dims()),
                    value,
                    inputs: Vec::new(),
                    after,
                });
            }
            break;
        }
        Ok(())
    }

    fn look_at_gradients(&mut self, gradients: &GradStore) -> Result<()> {
        for &variable in self.used.iter().rev() {
            let Some(gradient) = gradients.get_id(variable) else { continue };
            if first_not_finite(gradient)?.is_some() {
                self.findings.gradient = Some(variable);
                break;
            }
        }
        Ok(())
    }
}

/// Place and value; none if all are finite or not floats of 32 bits.
fn first_not_finite(x: &Tensor) -> Result<Option<(usize, f32)>> {
    if x.dtype() != DType::F32 {
        return Ok(None);
    }
    let values = x.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.into_iter().enumerate().find(|(_, value)| !value.is_finite()))
}

/// The index along each axis of a place in reading order.
fn index(place: usize, dims: &[usize]) -> Vec<usize> {
    let mut rest = place;
    let mut index: Vec<usize> = dims
        .iter()
        .rev()
        .map(|size| {
            let along = rest % size;
            rest /= size;
            along
        })
        .collect();
    index.reverse();
    index
}

/// candle's `apply_op…`, seen by [`checked`] and [`profiled`](crate::profiled), and without a graph where [`recompute`](crate::recompute()) keeps none.
pub(crate) trait Watched {
    fn watched_op1<C: CustomOp1 + Send + Sync + 'static>(&self, op: C) -> Result<Tensor>;
    fn watched_op1_no_bwd<C: CustomOp1>(&self, op: &C) -> Result<Tensor>;
    fn watched_op2<C: CustomOp2 + Send + Sync + 'static>(&self, b: &Tensor, op: C) -> Result<Tensor>;
    fn watched_op2_no_bwd<C: CustomOp2>(&self, b: &Tensor, op: &C) -> Result<Tensor>;
    fn watched_op3<C: CustomOp3 + Send + Sync + 'static>(
        &self,
        b: &Tensor,
        c: &Tensor,
        op: C,
    ) -> Result<Tensor>;
    fn watched_op3_no_bwd<C: CustomOp3>(&self, b: &Tensor, c: &Tensor, op: &C) -> Result<Tensor>;
}

impl Watched for Tensor {
    fn watched_op1<C: CustomOp1 + Send + Sync + 'static>(&self, op: C) -> Result<Tensor> {
        if recompute::nothing_is_kept() {
            return self.watched_op1_no_bwd(&op);
        }
        seen(op.name(), &[self], || self.apply_op1(op))
    }

    fn watched_op1_no_bwd<C: CustomOp1>(&self, op: &C) -> Result<Tensor> {
        seen(op.name(), &[self], || self.apply_op1_no_bwd(op))
    }

    fn watched_op2<C: CustomOp2 + Send + Sync + 'static>(&self, b: &Tensor, op: C) -> Result<Tensor> {
        if recompute::nothing_is_kept() {
            return self.watched_op2_no_bwd(b, &op);
        }
        seen(op.name(), &[self, b], || self.apply_op2(b, op))
    }

    fn watched_op2_no_bwd<C: CustomOp2>(&self, b: &Tensor, op: &C) -> Result<Tensor> {
        seen(op.name(), &[self, b], || self.apply_op2_no_bwd(b, op))
    }

    fn watched_op3<C: CustomOp3 + Send + Sync + 'static>(
        &self,
        b: &Tensor,
        c: &Tensor,
        op: C,
    ) -> Result<Tensor> {
        if recompute::nothing_is_kept() {
            return self.watched_op3_no_bwd(b, c, &op);
        }
        seen(op.name(), &[self, b, c], || self.apply_op3(b, c, op))
    }

    fn watched_op3_no_bwd<C: CustomOp3>(&self, b: &Tensor, c: &Tensor, op: &C) -> Result<Tensor> {
        seen(op.name(), &[self, b, c], || self.apply_op3_no_bwd(b, c, op))
    }
}

/// The result of an operation, at which a search looks and of which a profile takes the time.
pub(crate) fn seen(
    operation: &'static str,
    inputs: &[&Tensor],
    apply: impl FnOnce() -> Result<Tensor>,
) -> Result<Tensor> {
    let y = profile::timed(operation, inputs, apply)?;
    look(operation, inputs.iter().copied(), &y).and(Ok(y))
}
