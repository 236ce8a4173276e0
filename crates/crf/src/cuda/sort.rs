//! Launches of sort.cu.

use sconce_kernels::Argument::{Pointer, Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, THREADS};

use super::array::Array;
use super::scan::scan;

/// Entries of a block: THREADS times SORTED in sort.cu.
const TILE: usize = THREADS * 16;
/// Bits of a digit.
const BITS: u32 = 4;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "sort", name }
}

/// The numbers of the entries in the order of their keys, equal ones in their own. A key has as many words as `bits`, of which the
/// last counts most and each has so many bits; `keys` has a plane for each word.
pub(super) fn sort<R: Runtime>(runtime: &R, keys: &Array<R, u64>, bits: &[u32]) -> Result<Array<R, u32>> {
    let entries = keys.len() / bits.len();
    let blocks = entries.div_ceil(TILE);
    let counts = Array::<R, u32>::scratch(runtime, blocks << BITS)?;
    let (mut order, mut sorted) = (Array::scratch(runtime, entries)?, Array::scratch(runtime, entries)?);
    let mut from = Pointer(0); // at first every entry is at its own place
    for (word, bits) in bits.iter().enumerate() {
        for shift in (0..(*bits).max(1)).step_by(BITS as usize) {
            let (keys, digit) = (keys.pointer_to(word * entries), [Size(entries), Unsigned(shift)]);
            let arguments = [keys, from, counts.pointer(), digit[0], digit[1]];
            // SAFETY: block b reads its entries and writes count b of every digit.
            unsafe { runtime.launch(kernel("count_digits"), blocks, &arguments) }?;
            scan(runtime, &counts)?;
            let arguments = [keys, from, counts.pointer(), sorted.pointer(), digit[0], digit[1]];
            // SAFETY: counts sum to the entries, so every entry gets a place below their number.
            unsafe { runtime.launch(kernel("move_entries"), blocks, &arguments) }?;
            std::mem::swap(&mut order, &mut sorted);
            from = order.pointer();
        }
    }
    Ok(order)
}
