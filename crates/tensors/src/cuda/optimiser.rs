//! Launches of optimiser.cu.

use candle_core::Result;

use super::runtime::Argument::{Float, Int, Pointer, Size, Unsigned};
use super::runtime::{Kernel, Runtime, THREADS};

/// Scalars of a block: SCALARS in optimiser.cu, for each thread.
const SCALARS: usize = THREADS * 16;

/// A parameter: where its values, its gradient and what is remembered of it lie (0 for nothing), and what is its own in a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) values: u64,
    pub(crate) gradient: u64,
    pub(crate) memory: [u64; 2],
    pub(crate) count: usize,
    pub(crate) own: Own,
}

/// What differs between parameters, and between their steps.
#[cfg_attr(not(feature = "cuda"), allow(unreachable_pub, reason = "exported with the feature alone"))]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Own {
    /// The learning rate; of Adam over the correction of m.
    pub rate: f32,
    /// Share of the parameter that is added to its gradient.
    pub decay: f32,
    /// Adam: what the parameter is multiplied with.
    pub shrink: f32,
    /// Adam: what the root of v is multiplied with.
    pub scale: f32,
}

/// How a scalar moves.
#[cfg_attr(not(feature = "cuda"), allow(unreachable_pub, reason = "exported with the feature alone"))]
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// With one remembered number a scalar, or none.
    Sgd {
        /// Share of the remembered direction that is kept.
        momentum: f32,
        /// Whether the gradient counts as if it was taken one momentum step ahead.
        nesterov: bool,
    },
    /// With two.
    Adam {
        /// Share of the gradient in its running mean.
        new_m: f32,
        /// Share that the mean of the squares keeps.
        beta_v: f32,
        /// Share of the square in that mean.
        new_v: f32,
        /// Added to the root.
        eps: f32,
    },
}

/// A slot in the layout of the kernels' struct, in words of 8 bytes.
fn words(slot: &Slot, first_block: usize) -> [u64; 8] {
    let Own { rate, decay, shrink, scale } = slot.own;
    // Two floats in the order in which they lie in memory.
    let pair = |low: f32, high: f32| u64::from(low.to_bits()) | u64::from(high.to_bits()) << 32;
    [
        slot.values,
        slot.gradient,
        slot.memory[0],
        slot.memory[1],
        slot.count as u64,
        first_block as u64,
        pair(rate, decay),
        pair(shrink, scale),
    ]
}

/// The slots that have scalars as the kernels read them, how many they are, and the blocks that they take.
fn table(slots: &[Slot]) -> (Vec<u64>, usize, usize) {
    let (mut table, mut count, mut blocks) = (Vec::with_capacity(8 * slots.len()), 0, 0);
    for slot in slots.iter().filter(|slot| slot.count > 0) {
        table.extend(words(slot, blocks));
        count += 1;
        blocks += slot.count.div_ceil(SCALARS);
    }
    (table, count, blocks)
}

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "optimiser", name }
}

/// Moves all scalars of all slots.
///
/// # Safety
///
/// Values, gradient and, where it is not 0, memory of a slot point to `count` floats; for Adam no memory is 0.
pub(crate) unsafe fn step(runtime: &impl Runtime, rule: Rule, slots: &[Slot]) -> Result<()> {
    let (table, count, blocks) = table(slots);
    if blocks == 0 {
        return Ok(());
    }
    let (_table, table) = runtime.upload(&table)?;
    let slots = [Pointer(table), Unsigned(count as u32)];
    let (name, own) = match rule {
        Rule::Sgd { momentum, nesterov } => ("sgd", vec![Float(momentum), Int(nesterov.into())]),
        Rule::Adam { new_m, beta_v, new_v, eps } => {
            ("adam", vec![Float(new_m), Float(beta_v), Float(new_v), Float(eps)])
        }
    };
    // SAFETY: a block works for one slot; a thread touches its scalars there, below `count`.
    unsafe { runtime.launch(kernel(name), blocks, &[&slots[..], &own].concat()) }
}

/// Writes the sum of the squares of all slots' gradients, a double, to `sum`.
///
/// # Safety
///
/// The gradient of a slot points to `count` floats, `sum` to a double.
pub(crate) unsafe fn sum_of_squares(runtime: &impl Runtime, slots: &[Slot], sum: u64) -> Result<()> {
    let (table, count, blocks) = table(slots);
    let (_memory, found) = runtime.scratch(blocks * size_of::<f64>())?;
    if blocks > 0 {
        let (_table, table) = runtime.upload(&table)?;
        let arguments = [Pointer(table), Unsigned(count as u32), Pointer(found)];
        // SAFETY: a block reads the gradients of one slot, below `count`, and writes its double.
        unsafe { runtime.launch(kernel("squares"), blocks, &arguments) }?;
    }
    // SAFETY: the one block reads all parts and writes the sum.
    unsafe { runtime.launch(kernel("sum_of_squares"), 1, &[Pointer(found), Pointer(sum), Size(blocks)]) }
}
