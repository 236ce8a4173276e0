//! What the tests of every crate need: reference values from PyTorch, reproducible inputs, comparisons, and a
//! check of gradients against finite differences.
//!
//! The comparisons panic, as an assertion does; everything that reads or computes returns a `Result`.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Error, Result, Shape, Tensor, Var, bail};
use serde_json::Value;

use crate::hash::{fnv1a64, splitmix64};
use crate::{Parameters, backward};

/// Reference values of one operation or network: the tensors of a safetensors file, and the JSON object under
/// the key `attrs` of its metadata.
///
/// Inputs are named `in.<name>`, outputs `out.<name>`, the gradient fed into an output `seed.<name>`, and the
/// gradient of `sum(seed * out)` for an input `grad.<name>`.
#[derive(Debug, Clone)]
pub struct Golden {
    path: String,
    tensors: HashMap<String, Tensor>,
    attrs: Value,
}

impl Golden {
    /// Reads a whole file. Tensors keep their type; a file without attributes has `null` ones.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Error::from(error).context(name.clone()))?;
        let attrs = attributes(&bytes).map_err(|error| error.context(name.clone()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        Ok(Self { path: name, tensors, attrs })
    }

    /// The tensor of that name; an error names the file and what it holds.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let Some(tensor) = self.tensors.get(name) else {
            let mut names: Vec<_> = self.tensors.keys().map(String::as_str).collect();
            names.sort_unstable();
            bail!("{} has no tensor '{name}', but: {}", self.path, names.join(", "));
        };
        Ok(tensor.clone())
    }

    /// Whether the file holds a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The JSON value of the metadata key `attrs`.
    pub fn attrs(&self) -> &Value {
        &self.attrs
    }
}

fn attributes(bytes: &[u8]) -> Result<Value> {
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes)?;
    match header.metadata().as_ref().and_then(|metadata| metadata.get("attrs")) {
        Some(text) => serde_json::from_str(text).map_err(Error::wrap),
        None => Ok(Value::Null),
    }
}

/// The devices on which a test of an operation runs: the CPU, and the first GPU where the feature `cuda` is on and a card answers.
pub fn devices() -> Vec<Device> {
    let card = if cfg!(feature = "cuda") { Device::new_cuda(0).ok() } else { None };
    [Some(Device::Cpu), card].into_iter().flatten().collect()
}

/// Panics unless the shapes are equal and every element of `got` is within `1e-5 + 1e-4 * |want|` of `want`,
/// the tolerance for single operations. The message has `what`, the index of the worst element, and both
/// values.
#[track_caller]
pub fn assert_close(got: &Tensor, want: &Tensor, what: &str) {
    assert_close_within(got, want, 1e-5, 1e-4, what);
}

/// As [`assert_close`], within `absolute + relative * |want|`.
#[track_caller]
pub fn assert_close_within(got: &Tensor, want: &Tensor, absolute: f64, relative: f64, what: &str) {
    assert_eq!(got.dims(), want.dims(), "{what}: shape");
    let (ours, theirs) = (values(got).expect(what), values(want).expect(what));
    let excess = |(a, b): (&f64, &f64)| {
        let excess = (a - b).abs() - (absolute + relative * b.abs());
        if excess.is_nan() { f64::INFINITY } else { excess }
    };
    let worst = ours.iter().zip(&theirs).map(excess).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((at, excess)) = worst.filter(|(_, excess)| *excess > 0.0) {
        let (index, a, b) = (unravel(at, got.dims()), ours[at], theirs[at]);
        panic!(
            "{what}: {a} instead of {b} at {index:?} of {:?}, beyond the tolerance by {excess:e}",
            got.dims()
        );
    }
}

/// All elements in row-major order, in f64.
fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.detach().to_device(&Device::Cpu)?.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

fn unravel(mut at: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (i, &dim) in index.iter_mut().zip(dims).rev() {
        *i = at % dim;
        at /= dim;
    }
    index
}

/// A tensor that any language can regenerate from a name and a shape: element `i` is
/// `(splitmix64(fnv1a64(name) + i) >> 40) / 2^24`, uniform in 0..1.
pub fn hashed_uniform(name: &str, shape: impl Into<Shape>) -> Tensor {
    hashed(name, shape, |u| u)
}

/// As [`hashed_uniform`], uniform in `-scale..scale`.
pub fn hashed_signed(name: &str, shape: impl Into<Shape>, scale: f64) -> Tensor {
    hashed(name, shape, |u| signed(u) * scale)
}

/// Labels (u8) below `classes` that any language can regenerate in the same way, about a fifth of them 255.
pub fn hashed_labels(name: &str, shape: impl Into<Shape>, classes: usize) -> Tensor {
    let (shape, start) = (shape.into(), fnv1a64(name));
    let label = |u: f64| if u < 0.2 { 255 } else { ((u - 0.2) / 0.8 * classes as f64) as u8 };
    let values = (0..shape.elem_count() as u64).map(|i| label(uniform(start.wrapping_add(i))));
    Tensor::from_iter(values, &Device::Cpu)
        .and_then(|flat| flat.reshape(shape))
        .expect("as many values as the shape has")
}

/// Computed in f64, stored as f32.
fn hashed(name: &str, shape: impl Into<Shape>, map: impl Fn(f64) -> f64) -> Tensor {
    let (shape, start) = (shape.into(), fnv1a64(name));
    let values = (0..shape.elem_count() as u64).map(|i| map(uniform(start.wrapping_add(i))) as f32);
    Tensor::from_iter(values, &Device::Cpu)
        .and_then(|flat| flat.reshape(shape))
        .expect("as many values as the shape has")
}

fn signed(u: f64) -> f64 {
    u * 2.0 - 1.0
}

fn uniform(state: u64) -> f64 {
    (splitmix64(state) >> 40) as f64 / (1u64 << 24) as f64
}

/// Fills every tensor of a network from its name, so that another implementation can hold the same weights
/// without a file.
///
/// Two dimensions or more: signed times `sqrt(3 / fan_in)`, the product of all dimensions but the first; a
/// norm's `weight`: `1 + 0.1 signed`; `bias` and `running_mean`: `0.1 signed`; `running_var`: `1 + 0.5
/// uniform`; anything else: `0.25 + 0.1 signed`.
pub fn fill(parameters: &Parameters) -> Result<()> {
    for (name, var) in parameters.all() {
        let shape = var.shape().clone();
        let fan_in: usize = shape.dims().iter().skip(1).product();
        let bound = (3.0 / fan_in as f64).sqrt();
        let value = match name.rsplit('.').next().unwrap_or_default() {
            _ if shape.rank() >= 2 => hashed(&name, shape, |u| signed(u) * bound),
            "weight" => hashed(&name, shape, |u| 1.0 + signed(u) * 0.1),
            "bias" | "running_mean" => hashed(&name, shape, |u| signed(u) * 0.1),
            "running_var" => hashed(&name, shape, |u| 1.0 + 0.5 * u),
            _ => hashed(&name, shape, |u| 0.25 + signed(u) * 0.1),
        };
        var.set(&value.to_device(var.device())?.to_dtype(var.dtype())?)?;
    }
    Ok(())
}

/// An error with the names of the trainable parameters to which the gradient of `loss`, a scalar, does not
/// flow, or is not finite.
pub fn every_var_has_gradient(loss: &Tensor, parameters: &Parameters) -> Result<()> {
    let gradients = backward(loss)?;
    let mut bad = Vec::new();
    for (name, var) in parameters.trainable() {
        match gradients.get(&var) {
            None => bad.push(format!("{name} (none)")),
            Some(gradient) if !values(gradient)?.iter().all(|g| g.is_finite()) => {
                bad.push(format!("{name} (not finite)"))
            }
            Some(_) => {}
        }
    }
    if !bad.is_empty() {
        bail!("{} parameters without a gradient: {}", bad.len(), bad.join(", "));
    }
    Ok(())
}

/// How far an input moves to each side along a direction of ones and minus ones: a power of two, so that the
/// step itself is exact.
const STEP: f64 = 1.0 / 256.0;
const DIRECTIONS: u64 = 4;

/// Compares the gradients that `f` gives its f32 `inputs` with central finite differences of `sum(s *
/// f(inputs))`, where `s` and the directions are drawn from `seed`.
///
/// Every input in turn moves along random directions of ones and minus ones, at most 1/256 to each side. So
/// `f` must be smooth that far around the inputs: keep them away from kinks and ties. A result further than
/// `1e-3 + 1e-2 * |gradient|_2` from the difference, where the norm is over all elements of the input, is an
/// error that names the input. An input without a gradient counts as zero.
pub fn check_gradient(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor], seed: u64) -> Result<()> {
    let vars = inputs.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
    let tracked: Vec<_> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = f(&tracked)?;
    let weights = hashed_signed(&format!("{seed}/output"), y.shape(), 1.0).to_device(y.device())?;
    let gradients = backward(&(&y * &weights)?.sum_all()?)?;
    for (number, input) in inputs.iter().enumerate() {
        let gradient = match gradients.get(&tracked[number]) {
            Some(gradient) => values(gradient)?,
            None => vec![0.0; input.elem_count()],
        };
        for direction in 0..DIRECTIONS {
            let signs = signs(&format!("{seed}/{number}/{direction}"), input)?;
            let along = |step: f64| moved_sum(&f, inputs, number, &(&signs * step)?, &weights);
            let numeric = richardson(along)?;
            let analytic = dot(&gradient, &values(&signs)?);
            let norm = dot(&gradient, &gradient).sqrt();
            // Written so that a result that is not a number fails too.
            let close = (analytic - numeric).abs() <= 1e-3 + 1e-2 * norm;
            if !close {
                bail!(
                    "input {number}, direction {direction}: gradient {analytic}, finite differences {numeric}"
                );
            }
        }
    }
    Ok(())
}

/// The central difference with its error of second order removed: `(4 D(h/2) - D(h)) / 3`.
fn richardson(value: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let central = |h: f64| Ok::<_, Error>((value(h)? - value(-h)?) / (2.0 * h));
    Ok((4.0 * central(STEP / 2.0)? - central(STEP)?) / 3.0)
}

fn moved_sum(
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
    number: usize,
    shift: &Tensor,
    weights: &Tensor,
) -> Result<f64> {
    let mut moved = inputs.to_vec();
    moved[number] = (&moved[number] + shift)?;
    Ok(dot(&values(&f(&moved)?)?, &values(weights)?))
}

/// A tensor of ones and minus ones like `input`.
fn signs(name: &str, input: &Tensor) -> Result<Tensor> {
    let signs = hashed(name, input.shape(), |u| if u < 0.5 { -1.0 } else { 1.0 });
    signs.to_device(input.device())?.to_dtype(input.dtype())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Result<Golden> {
        Golden::open(Path::new("tests/golden/batch_norm_train.safetensors"))
    }

    #[test]
    fn a_golden_holds_tensors_and_attributes() -> Result<()> {
        let golden = golden()?;
        assert_eq!(golden.tensor("in.x")?.dims(), [3, 5, 6, 7]);
        assert_eq!(golden.attrs()["op"], "batch_norm");
        assert!(golden.has("grad.x") && !golden.has("grad.y"));
        Ok(())
    }

    #[test]
    fn a_missing_tensor_or_file_is_named() -> Result<()> {
        let error = golden()?.tensor("in.z").unwrap_err().to_string();
        assert!(
            error.contains("in.z") && error.contains("batch_norm_train") && error.contains("in.weight"),
            "{error}"
        );
        let error = Golden::open(Path::new("nowhere.safetensors")).unwrap_err().to_string();
        assert!(error.contains("nowhere.safetensors"), "{error}");
        Ok(())
    }

    #[test]
    fn hashed_values_equal_those_of_another_implementation() -> Result<()> {
        let image = values(&hashed_uniform("image", 4))?;
        assert_eq!(image, [0.6917657256126404, 0.7843706011772156, 0.3482370376586914, 0.04274320602416992]);
        let golden = golden()?;
        let seed = golden.tensor("seed.y")?;
        assert_eq!(values(&hashed_signed("batch_norm_train/seed.y", seed.shape(), 1.0))?, values(&seed)?);
        Ok(())
    }

    #[test]
    fn filling_follows_the_names() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        for (name, shape) in [
            ("conv.weight", vec![2, 2, 3, 3]),
            ("norm.weight", vec![2]),
            ("norm.running_mean", vec![2]),
            ("norm.running_var", vec![2]),
            ("alpha", vec![1]),
        ] {
            vb.get(shape, name)?;
        }
        fill(&parameters)?;
        let tensors = parameters.tensors();
        let check = |name: &str, at: usize, want: f64| {
            let got = values(&tensors[name]).unwrap()[at];
            assert!((got - want).abs() < 1e-7, "{name}: {got} {want}");
        };
        check("conv.weight", 35, 0.00524435469870399);
        check("norm.weight", 1, 1.0833257675170898);
        check("norm.running_mean", 0, 0.043077063560485844);
        check("norm.running_var", 1, 1.2968710064888);
        check("alpha", 0, 0.1643181800842285);
        Ok(())
    }

    #[test]
    fn close_tensors_pass() {
        let want = hashed_signed("want", (3, 4), 1.0);
        assert_close(&(&want * 1.00005).unwrap(), &want, "scaled");
    }

    #[test]
    #[should_panic(expected = "far: 2 instead of 1 at [1, 2]")]
    fn a_far_element_is_named() {
        let got = Tensor::new(&[[1f32, 1., 1.], [1., 1., 2.]], &Device::Cpu).unwrap();
        assert_close(&got, &got.ones_like().unwrap(), "far");
    }

    #[test]
    #[should_panic(expected = "nan: NaN instead of 1")]
    fn not_a_number_is_far() {
        let got = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        assert_close(&got, &got.ones_like().unwrap(), "nan");
    }

    #[test]
    fn parameters_without_a_gradient_are_listed() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        let (used, detached, infinite) = (vb.get(2, "used")?, vb.get(2, "detached")?, vb.get(2, "infinite")?);
        vb.get(2, "norm.running_mean")?;
        let loss = ((used.sqr()? + detached.detach())? + infinite.sqrt()?)?.sum_all()?;
        let error = every_var_has_gradient(&loss, &parameters).unwrap_err().to_string();
        assert!(error.contains("detached (none)") && error.contains("infinite (not finite)"), "{error}");
        assert!(!error.contains("used") && !error.contains("running_mean"), "{error}");
        every_var_has_gradient(&used.sum_all()?, &parameters).unwrap_err();
        let all = ((used + detached)? + infinite)?.sum_all()?;
        every_var_has_gradient(&all, &parameters)
    }

    #[test]
    fn right_gradients_pass_and_wrong_ones_do_not() -> Result<()> {
        let inputs = [hashed_signed("a", (3, 4), 1.0), hashed_signed("b", (4, 5), 1.0)];
        let product = |x: &[Tensor]| x[0].matmul(&x[1])?.sin();
        check_gradient(product, &inputs, 1)?;
        // The square of x with half its gradient, and with none.
        let halved = |x: &[Tensor]| &x[0] * x[0].detach();
        check_gradient(halved, &inputs[..1], 1).unwrap_err();
        let cut = |x: &[Tensor]| x[0].detach().sqr()? + x[1].sum_all()?.broadcast_as((3, 4))?;
        let error = check_gradient(cut, &inputs, 1).unwrap_err().to_string();
        assert!(error.contains("input 0"), "{error}");
        Ok(())
    }
}
