//! Vector registers of different processors behind one interface, chosen when the program runs.

use super::matrix::Write;

/// Work that is compiled for every instruction set and runs on the best one that the processor has.
pub(super) trait Kernel {
    /// Does the work with `L`, whose instructions the processor has. Must be `#[inline(always)]`, as everything that
    /// it calls with `L`, to be compiled with those instructions.
    fn run<L: Lanes>(self);
}

pub(super) fn run(kernel: impl Kernel) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::run_avx512(kernel) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::run_avx2(kernel) };
        }
    }
    kernel.run::<[f32; 4]>();
}

/// A vector of floats.
///
/// # Safety
///
/// The methods may be called only where the processor has the instructions, which holds inside [`Kernel::run`].
pub(super) trait Lanes: Copy {
    const WIDTH: usize;
    /// How many vectors a loop can sum into without leaving the registers.
    const SUMS: usize;
    /// How many result channels a loop should take at once: a power of two, at most 8.
    const RESULTS: usize;

    unsafe fn splat(value: f32) -> Self;

    /// Reads `WIDTH` floats, which must be valid.
    unsafe fn load(from: *const f32) -> Self;

    /// Writes `WIDTH` floats, which must be valid.
    unsafe fn store(self, to: *mut f32);

    /// `self * factor + term`
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;

    /// The sum of all lanes.
    unsafe fn sum(self) -> f32;

    /// Writes the lanes from `first` on to `count` floats, which must be valid.
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, first: usize, count: usize, write: Write) {
        // SAFETY: as this method.
        unsafe { self.store_strided(to, 1, first, count, write) }
    }

    /// As `store_part`, to floats that lie `step` apart.
    #[inline(always)]
    unsafe fn store_strided(self, to: *mut f32, step: usize, first: usize, count: usize, write: Write) {
        let mut lanes = [0.0; 16];
        debug_assert!(Self::WIDTH <= lanes.len() && first + count <= Self::WIDTH);
        // SAFETY: the array holds a vector, the targets are valid by contract.
        unsafe {
            self.store(lanes.as_mut_ptr());
            for (index, lane) in lanes.iter().skip(first).take(count).enumerate() {
                let to = to.add(index * step);
                *to = if write == Write::Add { *to + lane } else { *lane };
            }
        }
    }
}

/// For processors without a special implementation; the compiler finds the vectors.
impl Lanes for [f32; 4] {
    const WIDTH: usize = 4;
    const SUMS: usize = 12;
    const RESULTS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        [value; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: valid by contract; arrays of floats need only the alignment of floats.
        unsafe { from.cast::<[f32; 4]>().read() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { to.cast::<[f32; 4]>().write(self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
        std::array::from_fn(|lane| self[lane] * factor[lane] + term[lane])
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        (self[0] + self[1]) + (self[2] + self[3])
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Kernel, Lanes};
    use crate::conv::matrix::Write;

    #[target_feature(enable = "avx512f")]
    pub(super) fn run_avx512(kernel: impl Kernel) {
        kernel.run::<__m512>();
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run_avx2(kernel: impl Kernel) {
        kernel.run::<__m256>();
    }

    impl Lanes for __m512 {
        const WIDTH: usize = 16;
        const SUMS: usize = 24;
        const RESULTS: usize = 8;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the processor has the instructions by contract; so in all methods below.
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: valid by contract.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: valid by contract.
            unsafe { _mm512_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: by contract.
            unsafe { _mm512_fmadd_ps(self, factor, term) }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            // SAFETY: by contract.
            unsafe { _mm512_reduce_add_ps(self) }
        }

        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, first: usize, count: usize, write: Write) {
            let mask = (((1u32 << count) - 1) << first) as __mmask16;
            let to = to.wrapping_sub(first);
            // SAFETY: only the lanes of the mask are read and written, which are valid by contract.
            unsafe {
                let old =
                    if write == Write::Add { _mm512_maskz_loadu_ps(mask, to) } else { _mm512_setzero_ps() };
                _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(self, old));
            }
        }
    }

    impl Lanes for __m256 {
        const WIDTH: usize = 8;
        const SUMS: usize = 12;
        const RESULTS: usize = 4;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the processor has the instructions by contract; so in all methods below.
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: valid by contract.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: valid by contract.
            unsafe { _mm256_storeu_ps(to, self) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: by contract.
            unsafe { _mm256_fmadd_ps(self, factor, term) }
        }

        #[inline(always)]
        unsafe fn sum(self) -> f32 {
            let mut lanes = [0.0f32; 8];
            // SAFETY: the array holds a vector.
            unsafe { self.store(lanes.as_mut_ptr()) };
            let half = |at: usize| (lanes[at] + lanes[at + 1]) + (lanes[at + 2] + lanes[at + 3]);
            half(0) + half(4)
        }
    }
}
