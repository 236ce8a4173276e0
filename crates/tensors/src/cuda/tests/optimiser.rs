use candle_core::Result;

use super::{at_mut, emulation, floats};
use crate::cuda::optimiser::{self, Own, Rule, Slot};
use crate::testing::hashed_signed;

/// Two parameters of several blocks, one of a few scalars, and one of none.
const COUNTS: [usize; 4] = [9000, 3, 0, 4097];

struct Parameter {
    values: Vec<f32>,
    gradient: Vec<f32>,
    memory: [Vec<f32>; 2],
    own: Own,
}

fn parameters() -> Vec<Parameter> {
    let named = |name: &str, count| floats(&hashed_signed(name, count, 1.0));
    let parameter = |(number, count): (usize, usize)| Parameter {
        values: named("p", count),
        gradient: named("g", count),
        memory: [named("m", count), named("v", count).into_iter().map(f32::abs).collect()],
        own: Own { rate: 0.1 / (number + 1) as f32, decay: 0.01 * number as f32, shrink: 0.99, scale: 1.5 },
    };
    COUNTS.into_iter().enumerate().map(parameter).collect()
}

/// The parameters as kernels see them, with the first `memories` of their memories.
fn slots(parameters: &mut [Parameter], memories: usize) -> Vec<Slot> {
    let slot = |p: &mut Parameter| {
        let mut memory = [0; 2];
        for (place, values) in memory.iter_mut().zip(&mut p.memory).take(memories) {
            *place = at_mut(values);
        }
        let (gradient, count) = (at_mut(&mut p.gradient), p.values.len());
        Slot { values: at_mut(&mut p.values), gradient, memory, count, own: p.own }
    };
    parameters.iter_mut().map(slot).collect()
}

/// What one scalar, with its gradient and memory, becomes.
type Scalar = fn(Own, f32, f32, [f32; 2]) -> (f32, [f32; 2]);

fn compare(rule: Rule, memories: usize, scalar: Scalar) -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let (mut got, want) = (parameters(), parameters());
    let slots = slots(&mut got, memories);
    // SAFETY: a slot's pointers lead to as many floats as it says.
    unsafe { optimiser::step(card, rule, &slots) }?;
    for (got, want) in got.iter().zip(&want) {
        for i in 0..want.values.len() {
            let memory = [want.memory[0][i], want.memory[1][i]];
            let (value, memory) = scalar(want.own, want.values[i], want.gradient[i], memory);
            let found = [got.values[i], got.memory[0][i], got.memory[1][i]];
            for (found, want) in found.into_iter().zip([value, memory[0], memory[1]]) {
                assert!((found - want).abs() <= 1e-6 * want.abs().max(1.0), "{found} {want} at {i}");
            }
        }
    }
    Ok(())
}

#[test]
fn every_scalar_moves_by_its_rule() -> Result<()> {
    compare(Rule::Sgd { momentum: 0.0, nesterov: false }, 0, |own, p, g, memory| {
        (p - own.rate * (g + own.decay * p), memory)
    })?;
    compare(Rule::Sgd { momentum: 0.9, nesterov: false }, 1, |own, p, g, [m, v]| {
        let buffer = 0.9 * m + (g + own.decay * p);
        (p - own.rate * buffer, [buffer, v])
    })?;
    compare(Rule::Sgd { momentum: 0.9, nesterov: true }, 1, |own, p, g, [m, v]| {
        let g = g + own.decay * p;
        let buffer = 0.9 * m + g;
        (p - own.rate * (g + 0.9 * buffer), [buffer, v])
    })?;
    compare(Rule::Adam { new_m: 0.1, beta_v: 0.999, new_v: 0.001, eps: 1e-8 }, 2, |own, p, g, [m, v]| {
        let g = g + own.decay * p;
        let (m, v) = (m + 0.1 * (g - m), 0.999 * v + 0.001 * (g * g));
        (p * own.shrink - own.rate * m / (v.sqrt() * own.scale + 1e-8), [m, v])
    })
}

#[test]
fn squares_of_all_gradients_add_up() -> Result<()> {
    let Some(card) = emulation() else { return Ok(()) };
    let mut parameters = parameters();
    let squares = |p: &Parameter| p.gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
    let want: f64 = parameters.iter().map(squares).sum();
    let (slots, mut sum) = (slots(&mut parameters, 0), [f64::NAN]);
    // SAFETY: a slot's pointers lead to as many floats as it says; the sum is one double.
    unsafe { optimiser::sum_of_squares(card, &slots, at_mut(&mut sum)) }?;
    assert!((sum[0] - want).abs() < 1e-9 * want, "{} {want}", sum[0]);
    // SAFETY: as above.
    unsafe { optimiser::sum_of_squares(card, &[], at_mut(&mut sum)) }?;
    assert_eq!(sum, [0.0]);
    Ok(())
}
