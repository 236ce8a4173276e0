use super::*;
use crate::testing::{devices, fill, hashed_signed};
use crate::{ConvNorm, ConvNormConfig, Dropout, Parameters, PoolConfig, backward, dropout, max_pool2d, relu};
use candle_core::{DType, Device, ModuleT};
use candle_nn::VarBuilder;
use proptest::prelude::*;
use std::sync::Arc;

/// Two layers with dropout between them, and what lies on the way of a network around them.
#[derive(Clone)]
struct Layers {
    first: ConvNorm,
    dropout: Arc<Dropout>,
    second: ConvNorm,
}

impl Layers {
    fn new(channels: usize, vb: VarBuilder) -> Result<Self> {
        let config = ConvNormConfig::default();
        Ok(Self {
            first: ConvNorm::new(channels, 6, 3, config, vb.pp("first"))?,
            dropout: Arc::new(Dropout::of_elements(0.3, vb.pp("dropout"))?),
            second: ConvNorm::new(6, 4, 3, config, vb.pp("second"))?,
        })
    }

    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.first.forward_t(x, train)?;
        self.second.forward_t(&self.dropout.forward_t(&x, true)?, train)
    }
}

const HALVE: PoolConfig = PoolConfig { kernel: 2, stride: 2, padding: 0, ceil_mode: false };

/// Two steps through a block with one input, and one with two of which one is used outside, too: all results, gradients and
/// buffers.
fn steps(
    device: &Device,
    memory: Memory,
    (n, c, h, w): (usize, usize, usize, usize),
    train: bool,
) -> Result<Vec<(String, Vec<f32>)>> {
    let parameters = Parameters::new(5, device);
    let vb = parameters.builder();
    let (stem, inner) = (Layers::new(c, vb.pp("stem"))?, Layers::new(4, vb.pp("inner"))?);
    let outer = Layers::new(8, vb.pp("outer"))?;
    fill(&parameters)?;
    let mut found = Vec::new();
    for step in 0..2 {
        let image = hashed_signed(&format!("image {step}"), (n, c, h, w), 1.0).to_device(device)?;
        let (stem, inner, outer) = (stem.clone(), inner.clone(), outer.clone());
        let x = memory.run([image], move |[x]| stem.forward_t(&x, train))?;
        let y = memory.run([max_pool2d(&x, HALVE)?], move |[x]| inner.forward_t(&x, train))?;
        let y = crate::resize_nearest(&y, (h, w))?;
        let z = memory.run([x, y], move |[x, y]| outer.forward_t(&Tensor::cat(&[x, y], 1)?, train))?;
        let loss = (&z * hashed_signed("weights", z.shape(), 1.0).to_device(device)?)?.sum_all()?;
        let gradients = backward(&loss)?;
        found.push((format!("result {step}"), z.flatten_all()?.to_vec1()?));
        for (name, variable) in parameters.trainable() {
            let gradient = gradients.get(&variable).expect("a gradient");
            found.push((format!("{name} {step}"), gradient.flatten_all()?.to_vec1()?));
        }
        // Between the steps, for the case in which evaluation reads them.
        for (name, variable) in parameters.all() {
            found.push((format!("{name} after {step}"), variable.flatten_all()?.to_vec1()?));
        }
    }
    Ok(found)
}

fn assert_same(found: &[(String, Vec<f32>)], want: &[(String, Vec<f32>)]) {
    assert_eq!(found.len(), want.len());
    for ((name, found), (_, want)) in found.iter().zip(want) {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(found), bits(want), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn both_modes_are_the_same_bit_for_bit(
        n in 1usize..3, c in 1usize..5, h in 4usize..14, w in 4usize..14, train: bool,
    ) {
        let shape = (n, c, h, w);
        for device in devices() {
            let [recomputed, plain] = [Memory::Recompute, Memory::Plain].map(|memory| steps(&device, memory, shape, train));
            assert_same(&recomputed?, &plain?);
        }
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32")
}

/// A gradient of the sum of squares of what `run` makes of a variable.
fn gradient(x: &Var, run: impl Fn(Tensor) -> Result<Tensor>) -> Result<Vec<f32>> {
    let y = run(x.as_tensor().clone())?;
    Ok(values(backward(&y.sqr()?.sum_all()?)?.get(x).expect("a gradient")))
}

#[test]
fn blocks_within_blocks() -> Result<()> {
    let x = Var::from_tensor(&hashed_signed("x", (2, 3, 4, 5), 1.0))?;
    let draw = |x: &Tensor| dropout(x, 0.5, once(|| Ok(7))?);
    let inner = move |[x]: [Tensor; 1]| draw(&relu(&x)?)?.affine(2.0, 0.1);
    let outer = move |memory: Memory| {
        move |[x]: [Tensor; 1]| memory.run([draw(&memory.run([x.sqr()?], inner)?)?], inner)
    };
    let want = gradient(&x, |x| outer(Memory::Plain)([x]))?;
    assert_eq!(gradient(&x, |x| recompute([x], outer(Memory::Plain)))?, want);
    assert_eq!(gradient(&x, |x| recompute([x], outer(Memory::Recompute)))?, want);
    Ok(())
}

#[test]
fn inputs_keep_their_values() -> Result<()> {
    let x = Var::from_tensor(&hashed_signed("x", (2, 3, 4, 5), 1.0))?;
    let y = x.affine(2.0, 1.0)?;
    let before = values(&y);
    let part = y.narrow(0, 1, 1)?;
    let sum = |[a, b]: [Tensor; 2]| a.broadcast_mul(&b);
    let all = [
        recompute([y.clone(), y.clone()], sum)?,
        recompute([y.clone(), part.clone()], sum)?,
        recompute([part.clone(), y.clone()], sum)?,
        recompute([y.clone(), y.detach()], sum)?,
    ];
    let plain = [&y * &y, y.broadcast_mul(&part), part.broadcast_mul(&y), &y * y.detach()];
    for (one, plain) in all.iter().zip(plain) {
        let (found, want) = (backward(&one.sum_all()?)?, backward(&plain?.sum_all()?)?);
        assert_eq!(values(found.get(&x).expect("a gradient")), values(want.get(&x).expect("a gradient")));
        assert_eq!(values(&y), before);
    }
    Ok(())
}

#[test]
fn values_return_after_an_error() -> Result<()> {
    let x = Var::from_tensor(&hashed_signed("x", (2, 3), 1.0))?;
    let y = x.affine(2.0, 1.0)?;
    let z = recompute([y.clone()], |[y]| if y.track_op() { bail!("not again") } else { y.sqr() })?;
    let before = values(&y);
    assert!(backward(&z.sum_all()?).unwrap_err().to_string().contains("not again"));
    assert_eq!(values(&y), before);
    let z = recompute([y.clone()], |[y]| y.sqr())?;
    backward(&z.sum_all()?)?;
    Ok(())
}

#[test]
fn a_second_run_that_differs_is_an_error() -> Result<()> {
    let x = Var::from_tensor(&hashed_signed("x", (2, 3), 1.0))?;
    let y = x.affine(2.0, 0.0)?;
    let fickle = |[y]: [Tensor; 1]| if y.is_variable() { y.sqr() } else { y.affine(once(|| Ok(2.0))?, 0.0) };
    let error = backward(&recompute([y], fickle)?.sum_all()?).unwrap_err().to_string();
    assert!(error.contains("differs from its first"), "{error}");
    Ok(())
}

#[test]
fn impossible_blocks_are_errors() -> Result<()> {
    let x = hashed_signed("x", (2, 3), 1.0);
    let three = [x.clone(), x.clone(), x.clone()];
    assert!(recompute(three, |[a, _, _]| Ok(a)).unwrap_err().to_string().contains("not 3"));
    assert!(recompute([x.to_dtype(DType::U8)?], |[x]| Ok(x)).is_err());
    assert!(recompute([x], |[x]| x.to_dtype(DType::F64)).is_err());
    Ok(())
}
