//! The vectors of AVX-512 and of AVX2 with FMA.

mod transposition;

use std::arch::x86_64::*;

use super::nines::Order;
use super::{Kernel, Lanes, MOST_LANES, Nines, Picks};
use crate::conv::parts::Write;
use transposition::{in_turn, load_nine_twice, store_nine_columns};

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
    unsafe fn load_strided(from: *const f32, step: usize, count: usize) -> Self {
        // SAFETY: only the first `count` floats are read, which are valid by contract.
        unsafe {
            let places = multiples(step);
            if step > MOST_LOADS {
                let mask = ((1u32 << count.div_ceil(step)) - 1) as __mmask16;
                return _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), mask, places, from.cast());
            }
            let part = |number: usize| {
                let start = number * Self::WIDTH;
                if start + Self::WIDTH <= count {
                    Self::load(from.add(start))
                } else {
                    Self::load_part(from.wrapping_add(start), count.saturating_sub(start))
                }
            };
            let mut values = _mm512_permutex2var_ps(part(0), places, part(1)); // of a place, the last 5 bits count
            for number in 2..step {
                let vectors = _mm512_srli_epi32::<4>(places);
                let here = _mm512_cmpeq_epi32_mask(vectors, _mm512_set1_epi32(number as i32));
                values = _mm512_mask_permutexvar_ps(values, here, places, part(number)); // the last 4 bits
            }
            values
        }
    }

    #[inline(always)]
    unsafe fn load_places(from: *const f32, places: &[i32]) -> Self {
        let places = &places[..Self::WIDTH];
        // SAFETY: the slice holds a vector, the floats are valid by contract.
        unsafe { _mm512_i32gather_ps::<4>(_mm512_loadu_si512(places.as_ptr().cast()), from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_picks(from: *const f32, picks: &Picks, first: usize) -> Self {
        if picks.windows.len() > MOST_WINDOWS {
            // SAFETY: by contract.
            return unsafe { Self::load_places(from, &picks.places[first..]) };
        }
        // SAFETY: the floats of the windows are valid by contract.
        unsafe {
            let mut values = _mm512_setzero_ps();
            for window in &picks.windows {
                let floats = _mm512_loadu_si512(window.floats.as_ptr().cast());
                let near = Self::load(from.offset(window.start as isize));
                values = _mm512_mask_permutexvar_ps(values, window.lanes, floats, near);
            }
            values
        }
    }

    #[inline(always)]
    unsafe fn load_nines(from: *const f32, kernels: &Nines, first: usize) -> [Self; 9] {
        // SAFETY: the floats are valid by contract.
        unsafe {
            match &kernels.order {
                Order::Halves(rows) => load_nine_twice(from, rows),
                Order::Pairs(rows) => in_turn(load_nine_twice(from, rows)),
                Order::Apart => std::array::from_fn(|number| {
                    Self::load_places(from.add(number), &kernels.places[first..])
                }),
            }
        }
    }

    #[inline(always)]
    unsafe fn store_nines(kernels: &[[f32; MOST_LANES]; 9], to: *mut f32, apart: usize, count: usize) {
        // SAFETY: by contract.
        unsafe { store_nine_columns(kernels, to, apart, count) }
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
    unsafe fn store_in_turn<const N: usize>(
        vectors: [Self; N],
        to: *mut f32,
        step: usize,
        first: usize,
        count: usize,
    ) {
        let mask = ((1u128 << count) - 1) << first;
        // SAFETY: only the lanes of the mask are written, which are valid by contract.
        unsafe {
            let to = to.wrapping_sub(first * step);
            for (number, turn) in const { &turns::<N>() }.iter().enumerate() {
                let (to, mask) = (to.wrapping_add(16 * number * step), (mask >> (16 * number)) as __mmask16);
                if mask == 0 {
                    continue;
                }
                let lanes = _mm512_loadu_si512(turn.lanes.as_ptr().cast());
                let mut values = _mm512_permutex2var_ps(vectors[0], lanes, vectors[1]);
                for (vector, here) in vectors[2..].iter().zip(&turn.masks[2..]) {
                    values = _mm512_mask_permutexvar_ps(values, *here, lanes, *vector);
                }
                if step == 1 {
                    _mm512_mask_storeu_ps(to, mask, values);
                } else {
                    _mm512_mask_i32scatter_ps::<4>(to, mask, multiples(step), values);
                }
            }
        }
    }
}

/// 0 to 15 times the step.
///
/// # Safety
///
/// The processor must have AVX-512.
#[inline(always)]
unsafe fn multiples(step: usize) -> __m512i {
    // SAFETY: by contract.
    unsafe {
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        _mm512_mullo_epi32(lanes, _mm512_set1_epi32(step as i32))
    }
}

/// Floats apart up to which loading all between them is faster than gathering.
const MOST_LOADS: usize = 4;

/// Windows up to which reading each is faster than gathering.
const MOST_WINDOWS: usize = 8;

/// A vector of floats that the lanes of `N` others make in turn.
#[derive(Clone, Copy)]
struct Turn<const N: usize> {
    /// Which lane each comes from; from 16 on those of the second vector.
    lanes: [i32; 16],
    /// Those that come from each vector.
    masks: [__mmask16; N],
}

const fn turns<const N: usize>() -> [Turn<N>; N] {
    let mut turns = [Turn { lanes: [0; 16], masks: [0; N] }; N];
    let mut place = 0;
    while place < 16 * N {
        let (turn, lane) = (&mut turns[place / 16], place % 16);
        turn.lanes[lane] = (place / N + if place % N == 1 { 16 } else { 0 }) as i32;
        turn.masks[place % N] |= 1 << lane;
        place += 1;
    }
    turns
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
