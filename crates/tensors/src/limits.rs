//! The limits of the machine, to hold operations against: arithmetic and memory ("roofline", Williams, Waterman and
//! Patterson 2009).

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

use crate::conv::loops;

/// Floats in each of the two arrays that memory is measured with: 256 MiB, beyond the caches of most machines.
const ARRAY: usize = 64 << 20;

/// Floats that a thread takes at once: 1 MiB, many for each thread.
const PART: usize = 256 << 10;

/// The most f32 multiply-adds a second that the threads of rayon's current pool do together, in registers only, with the
/// widest vectors (see [`vector_width`](crate::vector_width)).
///
/// Repeats rounds of a few milliseconds for about `seconds`; the fastest counts.
pub fn peak_multiply_adds(seconds: f64) -> f64 {
    const TASK: usize = 8 << 20;
    let tasks = 32 * rayon::current_num_threads();
    fastest(seconds, || (0..tasks).into_par_iter().map(|_| loops::multiply_adds(TASK) as f64).sum())
}

/// Bytes a second between memory and all threads together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bandwidth {
    /// Reading 512 MiB.
    pub read: f64,
    /// Reading 256 MiB and writing as many elsewhere; both count. That ordinary stores first read what they replace does
    /// not.
    pub copy: f64,
}

/// How fast the threads of rayon's current pool read and write together, by vectors, what is in no cache.
///
/// Takes 512 MiB. Repeats rounds of reading for about half of `seconds` and rounds of copying for the other half; the
/// fastest of either counts. Where the last cache is larger than 512 MiB, this measures that cache.
pub fn memory_bandwidth(seconds: f64) -> Bandwidth {
    let (mut first, second) = (vec![1.0_f32; ARRAY], vec![1.0_f32; ARRAY]);
    let bytes = (2 * ARRAY * size_of::<f32>()) as f64;
    let read = fastest(seconds / 2.0, || {
        let parts = first.par_chunks(PART).chain(second.par_chunks(PART));
        black_box(parts.map(loops::sum).sum::<f32>());
        bytes
    });
    let copy = fastest(seconds / 2.0, || {
        let parts = first.par_chunks_mut(PART).zip(second.par_chunks(PART));
        parts.for_each(|(to, from)| loops::add(from, black_box(1.0), to));
        bytes
    });
    Bandwidth { read, copy }
}

/// Runs `work` again and again, at least twice; the most per second of what it says it did.
fn fastest(seconds: f64, mut work: impl FnMut() -> f64) -> f64 {
    let begin = Instant::now();
    let mut best = 0.0;
    let mut round = 0;
    while round < 2 || begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        let done = work();
        best = f64::max(best, done / start.elapsed().as_secs_f64());
        round += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_round_counts() {
        let calls = std::cell::Cell::new(0);
        let rate = fastest(0.0, || {
            calls.set(calls.get() + 1);
            std::thread::sleep(std::time::Duration::from_millis(if calls.get() == 1 { 300 } else { 2 }));
            1.0
        });
        assert_eq!(calls.get(), 2);
        assert!(rate > 4.0 && rate < 500.0, "{rate} a second");
    }

    #[test]
    fn a_processor_does_more_than_one_product_in_ten_nanoseconds() {
        assert!(peak_multiply_adds(0.0) > 1e8);
    }
}
