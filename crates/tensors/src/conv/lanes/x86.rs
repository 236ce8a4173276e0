//! The vectors of AVX-512 and of AVX2 with FMA.

use std::arch::x86_64::*;

use super::{Kernel, Lanes};
use crate::conv::parts::Write;

#[target_feature(enable = "avx512f")]
pub(super) fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<__m512>()
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<__m256>()
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
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: by contract.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: by contract.
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: by contract.
        unsafe { _mm512_reduce_add_ps(self) }
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let mask = ((1u32 << count) - 1) as __mmask16;
        // SAFETY: only the lanes of the mask are read, which are valid by contract.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }

    #[inline(always)]
    unsafe fn load_every_second(from: *const f32, count: usize) -> Self {
        // SAFETY: the floats are valid by contract.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let [low, high] = if count == 2 * Self::WIDTH {
                [Self::load(from), Self::load(from.add(Self::WIDTH))]
            } else {
                let low = count.min(Self::WIDTH);
                [Self::load_part(from, low), Self::load_part(from.wrapping_add(Self::WIDTH), count - low)]
            };
            _mm512_permutex2var_ps(low, even, high)
        }
    }

    #[inline(always)]
    unsafe fn load_strided(from: *const f32, step: usize, count: usize) -> Self {
        let mask = ((1u32 << count) - 1) as __mmask16;
        // SAFETY: only the lanes of the mask are read, which are valid by contract.
        unsafe {
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let places = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(step as i32));
            _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), mask, places, from.cast())
        }
    }

    #[inline(always)]
    unsafe fn load_places(from: *const f32, places: &[i32]) -> Self {
        let places = &places[..Self::WIDTH];
        // SAFETY: the slice holds a vector, the floats are valid by contract.
        unsafe { _mm512_i32gather_ps::<4>(_mm512_loadu_si512(places.as_ptr().cast()), from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, first: usize, count: usize, write: Write) {
        let mask = (((1u32 << count) - 1) << first) as __mmask16;
        let to = to.wrapping_sub(first);
        // SAFETY: only the lanes of the mask are read and written, which are valid by contract.
        unsafe {
            let old = if write == Write::Add { _mm512_maskz_loadu_ps(mask, to) } else { _mm512_setzero_ps() };
            _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(self, old));
        }
    }

    #[inline(always)]
    unsafe fn store_alternating(
        even: Self,
        odd: Self,
        to: *mut f32,
        step: usize,
        first: usize,
        count: usize,
    ) {
        let mask = ((1u64 << count) - 1) << first;
        // SAFETY: only the lanes of the mask are written, which are valid by contract.
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            let halves = [low, high].map(|half| _mm512_permutex2var_ps(even, half, odd));
            let to = to.wrapping_sub(first * step);
            for (number, half) in halves.into_iter().enumerate() {
                let (to, mask) = (to.wrapping_add(16 * number * step), (mask >> (16 * number)) as __mmask16);
                if step == 1 {
                    _mm512_mask_storeu_ps(to, mask, half);
                } else {
                    let places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
                    let places = _mm512_mullo_epi32(places, _mm512_set1_epi32(step as i32));
                    _mm512_mask_i32scatter_ps::<4>(to, mask, places, half);
                }
            }
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
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: by contract.
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: by contract.
        unsafe { _mm256_sub_ps(self, other) }
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
