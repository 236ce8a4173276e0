use super::*;
use crate::testing::{hashed_signed, hashed_uniform};
use crate::{
    Activation, Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, Parameters, adaptive_avg_pool2d, backward,
    leaky_relu, relu, softmax_channels, sum_all,
};
use candle_core::{Device, Module, ModuleT, Var};

/// Three layers and the sum of squares of what they make of an image.
struct Stack {
    parameters: Parameters,
    layers: Vec<ConvNorm>,
    last: Conv2d,
}

impl Stack {
    fn new() -> Result<Self> {
        let parameters = Parameters::new(5, &Device::Cpu);
        let vb = parameters.builder();
        let config = ConvNormConfig { activation: Activation::Leaky(0.1), ..Default::default() };
        let layer = |number: usize| ConvNorm::new(4, 4, 3, config, vb.pp(format!("layer{number}")));
        let layers = (1..=3).map(layer).collect::<Result<_>>()?;
        let last = Conv2d::with_bias(4, 2, 1, Conv2dConfig::default(), vb.pp("last"))?;
        Ok(Self { parameters, layers, last })
    }

    fn loss(&self) -> Result<Tensor> {
        let mut x = hashed_uniform("x", (2, 4, 6, 5));
        for layer in &self.layers {
            x = layer.forward_t(&x, true)?;
        }
        sum_all(&self.last.forward(&x)?.sqr()?)
    }

    fn var(&self, name: &str) -> Var {
        let found = self.parameters.all().into_iter().find(|(other, _)| other == name);
        found.unwrap_or_else(|| panic!("there is no {name}")).1
    }

    fn name(&self, id: TensorId) -> String {
        let found = self.parameters.all().into_iter().find(|(_, var)| var.id() == id);
        found.expect("a parameter").0
    }

    /// Puts `value` at one place of a parameter.
    fn spoil(&self, name: &str, value: f32) -> Result<()> {
        let var = self.var(name);
        let mut values = var.flatten_all()?.to_vec1::<f32>()?;
        values[3] = value;
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)
    }
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().and_then(|x| x.to_vec1()).unwrap()
}

#[test]
fn a_spoilt_weight_in_the_third_layer_is_named() -> Result<()> {
    let stack = Stack::new()?;
    stack.spoil("layer3.conv.weight", f32::NAN)?;
    let (loss, findings) = checked(|| stack.loss());
    assert!(loss?.to_scalar::<f32>()?.is_nan());
    let first = findings.operation.expect("an operation");
    assert_eq!((first.operation, first.backward), ("convolution with batch norm", false));
    assert_eq!((&first.shape[..], &first.index[..]), (&[2, 4, 6, 5][..], &[0, 0, 0, 0][..]));
    assert!(first.value.is_nan() && !first.inputs_were_finite());
    let bad: Vec<String> = first
        .inputs
        .iter()
        .filter(|i| !i.finite)
        .inspect(|i| assert!(i.variable))
        .map(|i| stack.name(i.id))
        .collect();
    assert_eq!(bad, ["layer3.conv.weight"]);
    assert_eq!(first.after.map(|id| stack.name(id)).as_deref(), Some("layer2.norm.bias"));
    Ok(())
}

#[test]
fn an_infinite_input_is_named_with_its_operation_and_place() -> Result<()> {
    let mut pixels = values(&hashed_signed("x", (1, 2, 3, 4), 1.0));
    pixels[17] = f32::NEG_INFINITY;
    let x = Tensor::from_vec(pixels, (1, 2, 3, 4), &Device::Cpu)?;
    let (y, findings) = checked(|| leaky_relu(&x, 0.5));
    y?;
    let first = findings.operation.expect("an operation");
    assert_eq!((first.operation, first.value), ("rectifier", f32::NEG_INFINITY));
    assert_eq!(first.index, [0, 1, 1, 1]);
    assert_eq!(first.inputs, [Input { id: x.id(), variable: false, finite: false }]);
    assert!(first.to_string().contains("`rectifier` of the forward pass: -inf at [0, 1, 1, 1]"), "{first}");
    Ok(())
}

#[test]
fn what_overflows_by_itself_had_finite_inputs() -> Result<()> {
    let x = Tensor::full(f32::MAX, (1, 1, 2, 2), &Device::Cpu)?;
    let (y, findings) = checked(|| sum_all(&relu(&x)?));
    assert_eq!(y?.to_scalar::<f32>()?, f32::INFINITY);
    let first = findings.operation.expect("an operation");
    assert!(first.operation == "sum_all" && first.inputs_were_finite() && first.index.is_empty());
    Ok(())
}

#[test]
fn a_gradient_that_is_not_finite_is_named_with_the_variable_nearest_to_the_loss() -> Result<()> {
    let stack = Stack::new()?;
    let (gradients, findings) = checked(|| {
        // The root of 0 is finite, its slope is not.
        let loss = stack.loss()?;
        backward(&(&loss - loss.detach())?.sqrt()?)
    });
    gradients?;
    assert_eq!(findings.gradient.map(|id| stack.name(id)).as_deref(), Some("last.bias"));
    let first = findings.operation.expect("an operation");
    assert!(first.backward && first.operation.starts_with("conv2d"), "{first}");
    Ok(())
}

#[test]
fn a_search_changes_no_value_and_finds_nothing_in_finite_work() -> Result<()> {
    let (plain, watched) = (Stack::new()?, Stack::new()?);
    let step = |stack: &Stack| -> Result<Vec<Vec<f32>>> {
        let gradients = backward(&stack.loss()?)?;
        let of = |var: &Var| values(gradients.get(var).expect("a gradient"));
        Ok(stack.parameters.trainable().iter().map(|(_, var)| of(var)).collect())
    };
    let want = step(&plain)?;
    let (got, findings) = checked(|| step(&watched));
    assert_eq!((got?, findings), (want, Findings::default()));
    for (name, var) in plain.parameters.buffers() {
        assert_eq!(values(&var), values(&watched.var(&name)), "{name}");
    }
    Ok(())
}

#[test]
fn searches_end_with_their_work() -> Result<()> {
    let bad = || Tensor::new(&[[f32::NAN, 1.0]], &Device::Cpu);
    let idle = || SEARCH.with_borrow(Option::is_none);
    // Without a search nothing is noted.
    relu(&bad()?)?;
    assert!(idle());
    // An error ends it, and what came before is told.
    let (failed, findings) = checked(|| {
        softmax_channels(&bad()?)?;
        adaptive_avg_pool2d(&bad()?, (0, 0))
    });
    assert!(failed.is_err() && idle());
    assert_eq!(findings.operation.map(|first| first.operation), Some("softmax_channels"));
    // A search inside another one is its own, and the outer one goes on.
    let (inner, outer) = checked(|| -> Result<Findings> {
        let (y, inner) = checked(|| relu(&bad()?));
        y?;
        softmax_channels(&bad()?)?;
        Ok(inner)
    });
    assert_eq!(inner?.operation.map(|first| first.operation), Some("rectifier"));
    assert_eq!(outer.operation.map(|first| first.operation), Some("softmax_channels"));
    // So does a panic.
    let panicked = std::panic::catch_unwind(|| checked(|| panic!("on purpose")));
    assert!(panicked.is_err() && idle());
    Ok(())
}

#[test]
fn a_place_in_reading_order_has_an_index_along_each_axis() {
    assert_eq!(index(0, &[2, 3]), [0, 0]);
    assert_eq!(index(5, &[2, 3]), [1, 2]);
    assert_eq!(index(2 * 20 + 3 * 5 + 4, &[7, 4, 5]), [2, 3, 4]);
    assert!(index(0, &[]).is_empty());
}
