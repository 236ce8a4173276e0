//! Rows of kernels read as they lie and transposed to vectors of their columns, and back.

use std::arch::x86_64::*;

use crate::conv::lanes::MOST_LANES;

/// Of 8 rows of 18 floats at `places`: as vector c their columns c and 9 + c. A transposition, faster than gathering.
///
/// # Safety
///
/// The processor must have AVX-512, and the floats must be valid.
#[inline(always)]
pub(super) unsafe fn load_nine_twice(from: *const f32, places: &[i32; 8]) -> [__m512; 9] {
    // SAFETY: by contract.
    unsafe {
        let row = |row: usize| _mm512_loadu_ps(from.offset(places[row] as isize));
        let first = columns([row(0), row(1), row(2), row(3)]);
        let last = columns([row(4), row(5), row(6), row(7)]);
        let rest = _mm256_loadu_si256(places.as_ptr().cast());
        let rest = _mm512_castpd_ps(_mm512_i32gather_pd::<4>(rest, from.add(16).cast()));
        let even = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 16, 18, 20, 22, 24, 26, 28, 30);
        let odd = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 17, 19, 21, 23, 25, 27, 29, 31);
        [
            quarters::<0x20, 0x80>(first, last, 0),
            quarters::<0x20, 0x80>(first, last, 1),
            quarters::<0x20, 0x80>(first, last, 2),
            quarters::<0x30, 0xc0>(first, last, 3),
            quarters::<0x31, 0xc4>(first, last, 0),
            quarters::<0x31, 0xc4>(first, last, 1),
            quarters::<0x31, 0xc4>(first, last, 2),
            _mm512_permutex2var_ps(quarters::<0x31, 0xc4>(first, last, 3), even, rest),
            _mm512_permutex2var_ps(quarters::<0x32, 0xc8>(first, last, 0), odd, rest),
        ]
    }
}

/// The lanes of the first and of the last half in turn.
///
/// # Safety
///
/// The processor must have AVX-512.
#[inline(always)]
pub(super) unsafe fn in_turn(mut vectors: [__m512; 9]) -> [__m512; 9] {
    // SAFETY: by contract.
    unsafe {
        let lanes = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
        for vector in &mut vectors {
            *vector = _mm512_permutexvar_ps(lanes, *vector);
        }
    }
    vectors
}

/// Writes the nine values of each of the first `count` columns one behind the other, columns `apart` floats from each other.
///
/// # Safety
///
/// As [`load_nine_twice`].
#[inline(always)]
pub(super) unsafe fn store_nine_columns(
    rows: &[[f32; MOST_LANES]; 9],
    to: *mut f32,
    apart: usize,
    count: usize,
) {
    // SAFETY: by contract.
    unsafe {
        let row = |number: usize| _mm512_loadu_ps(rows[number].as_ptr());
        let first = columns([row(0), row(1), row(2), row(3)]);
        let last = columns([row(4), row(5), row(6), row(7)]);
        for column in 0..4 {
            let four = |part: &[__m512; 4]| {
                let part = part[column];
                [
                    _mm512_castps512_ps128(part),
                    _mm512_extractf32x4_ps::<1>(part),
                    _mm512_extractf32x4_ps::<2>(part),
                    _mm512_extractf32x4_ps::<3>(part),
                ]
            };
            let (first, last) = (four(&first), four(&last));
            for quarter in 0..4 {
                let lane = 4 * quarter + column;
                if lane < count {
                    let to = to.add(lane * apart);
                    _mm_storeu_ps(to, first[quarter]);
                    _mm_storeu_ps(to.add(4), last[quarter]);
                    *to.add(8) = rows[8][lane];
                }
            }
        }
    }
}

/// Of 4 rows of 16 floats, as vector c their columns c, 4 + c, 8 + c and 12 + c.
#[inline(always)]
unsafe fn columns([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
    // SAFETY: as in `load_nine_twice`; so in the next function.
    unsafe {
        let pairs = [
            _mm512_unpacklo_ps(a, b),
            _mm512_unpackhi_ps(a, b),
            _mm512_unpacklo_ps(c, d),
            _mm512_unpackhi_ps(c, d),
        ];
        let [ab, ab_high, cd, cd_high] = pairs.map(|pair| _mm512_castps_pd(pair));
        [
            _mm512_unpacklo_pd(ab, cd),
            _mm512_unpackhi_pd(ab, cd),
            _mm512_unpacklo_pd(ab_high, cd_high),
            _mm512_unpackhi_pd(ab_high, cd_high),
        ]
        .map(|column| _mm512_castpd_ps(column))
    }
}

/// A quarter of `first` and `last` at `column`, then one of those at the next column: which ones is in `EVEN` for the places 0 and 2,
/// of `first`, and in `ODD` for 1 and 3, of `last`.
#[inline(always)]
unsafe fn quarters<const EVEN: i32, const ODD: i32>(
    first: [__m512; 4],
    last: [__m512; 4],
    column: usize,
) -> __m512 {
    let next = (column + 1) % 4;
    // SAFETY: by contract.
    unsafe {
        let first = _mm512_shuffle_f32x4::<EVEN>(first[column], first[next]);
        let last = _mm512_shuffle_f32x4::<ODD>(last[column], last[next]);
        _mm512_mask_blend_ps(0xf0f0, first, last)
    }
}
