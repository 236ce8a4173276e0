//! Loops that do one thing only, arithmetic, reading or copying, to find the limits of the processor.

use std::hint::black_box;

use super::{Kernel, Lanes, MOST_LANES, run};

/// Multiplies and adds in registers, at least `least` times; returns how often.
pub(crate) fn multiply_adds(least: usize) -> usize {
    run(Chains(least))
}

/// The sum of all values, in no particular order; reads them once.
pub(crate) fn sum(values: &[f32]) -> f32 {
    run(Sum(values))
}

/// Writes to `target` the values of `source`, each plus `term`: the addition keeps the compiler from calling `memcpy`,
/// whose stores past the caches are not those of other loops.
///
/// # Panics
///
/// When the slices have different lengths.
pub(crate) fn add(source: &[f32], term: f32, target: &mut [f32]) {
    assert_eq!(source.len(), target.len());
    run(Add(source, term, target));
}

struct Chains(usize);

impl Kernel for Chains {
    type Output = usize;

    #[inline(always)]
    fn run<L: Lanes>(self) -> usize {
        let turns = self.0.div_ceil(CHAINS * L::WIDTH);
        // SAFETY: the instructions are there by the contract of `run`.
        unsafe { chains::<L>(turns) };
        turns * CHAINS * L::WIDTH
    }
}

/// More than the latency of a multiply-add, in turns of the units that do it (4 or 5 cycles times 2 units), and with the
/// operands no more than the 16 registers of most processors hold.
const CHAINS: usize = 12;

/// Independent chains of `x = x * factor + term`. The values approach 1.
///
/// # Safety
///
/// The processor must have the instructions of `L`.
#[inline(always)]
unsafe fn chains<L: Lanes>(turns: usize) {
    let mut ends = black_box([[2.0; MOST_LANES]; CHAINS]);
    // SAFETY: the instructions are there by contract; the arrays hold vectors.
    unsafe {
        let (factor, term) = (L::splat(black_box(0.5)), L::splat(black_box(0.5)));
        let mut values: [L; CHAINS] = std::array::from_fn(|chain| L::load(ends[chain].as_ptr()));
        for _ in 0..turns {
            for value in &mut values {
                *value = value.mul_add(factor, term);
            }
        }
        for (value, end) in values.into_iter().zip(&mut ends) {
            value.store(end.as_mut_ptr());
        }
    }
    black_box(ends);
}

struct Sum<'a>(&'a [f32]);

impl Kernel for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f32 {
        const SUMS: usize = 8;
        let blocks = self.0.chunks_exact(SUMS * L::WIDTH);
        let rest: f32 = blocks.remainder().iter().sum();
        // SAFETY: the instructions are there by the contract of `run`; a block holds the vectors.
        unsafe {
            let mut sums = [L::splat(0.0); SUMS];
            for block in blocks {
                for (index, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(L::load(block.as_ptr().add(index * L::WIDTH)));
                }
            }
            rest + sums.into_iter().map(|sum| sum.sum()).sum::<f32>()
        }
    }
}

struct Add<'a>(&'a [f32], f32, &'a mut [f32]);

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self(source, term, target) = self;
        let mut from = source.chunks_exact(L::WIDTH);
        let mut to = target.chunks_exact_mut(L::WIDTH);
        for (from, to) in from.by_ref().zip(to.by_ref()) {
            // SAFETY: the instructions are there by the contract of `run`; a chunk holds a vector.
            unsafe { L::load(from.as_ptr()).add(L::splat(term)).store(to.as_mut_ptr()) };
        }
        for (from, to) in from.remainder().iter().zip(to.into_remainder()) {
            *to = from + term;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector_width::tests::with_lanes;

    #[test]
    fn the_loops_do_what_they_say() {
        let values: Vec<f32> = (0..1003).map(|i| i as f32).collect();
        let want: Vec<f32> = (3..1006).map(|i| i as f32).collect();
        for lanes in [4, 8, 16] {
            let mut copy = vec![0.0; 1003];
            with_lanes(lanes, || add(&values, 3.0, &mut copy));
            assert_eq!(copy, want, "{lanes} lanes");
            assert_eq!(with_lanes(lanes, || sum(&values)), 1002.0 * 1003.0 / 2.0, "{lanes} lanes");
            let done = with_lanes(lanes, || multiply_adds(10_000));
            assert!((10_000..10_400).contains(&done), "{done} with {lanes} lanes");
        }
    }
}
