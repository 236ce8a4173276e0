//! Vector registers of different processors behind one interface, chosen when the program runs.

pub(crate) mod loops;
mod nines;
mod picks;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::parts::Write;
#[cfg(target_arch = "x86_64")]
use crate::vector_width::most_lanes;
pub(super) use nines::Nines;
pub(super) use picks::Picks;

/// Work that is compiled for every instruction set and runs on the best one that the processor has and `most_lanes` allows.
pub(super) trait Kernel {
    type Output;

    /// Does the work with `L`, whose instructions the processor has. Must be `#[inline(always)]`, as everything that
    /// it calls with `L`, to be compiled with those instructions.
    fn run<L: Lanes>(self) -> Self::Output;
}

pub(super) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if most_lanes() >= 16 && is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::run_avx512(kernel) };
        }
        if most_lanes() >= 8 && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the instructions.
            return unsafe { x86::run_avx2(kernel) };
        }
    }
    kernel.run::<[f32; 4]>()
}

/// The width of the vectors with which kernels run.
pub(crate) fn width() -> usize {
    struct Width;
    impl Kernel for Width {
        type Output = usize;

        #[inline(always)]
        fn run<L: Lanes>(self) -> usize {
            L::WIDTH
        }
    }
    run(Width)
}

/// Lanes of the widest vector.
pub(super) const MOST_LANES: usize = 16;

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

    unsafe fn add(self, other: Self) -> Self;

    unsafe fn sub(self, other: Self) -> Self;

    /// The sum of all lanes.
    unsafe fn sum(self) -> f32;

    /// Reads `count` floats, at most `WIDTH`, which must be valid, into the first lanes; the others are arbitrary.
    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: the array holds a vector, the floats are valid by contract.
        unsafe {
            for (index, lane) in lanes.iter_mut().enumerate().take(count) {
                *lane = *from.add(index);
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// Every `step`-th float of `count`, at most `step * WIDTH`, which must be valid, in the first lanes; the others are arbitrary.
    #[inline(always)]
    unsafe fn load_strided(from: *const f32, step: usize, count: usize) -> Self {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: the array holds a vector, the floats are valid by contract.
        unsafe {
            for (index, lane) in lanes.iter_mut().enumerate().take(count.div_ceil(step)) {
                *lane = *from.add(index * step);
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// The floats at the first `WIDTH` of `places` behind `from`, which must be valid.
    #[inline(always)]
    unsafe fn load_places(from: *const f32, places: &[i32]) -> Self {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: the array holds a vector, the floats are valid by contract.
        unsafe {
            for (lane, place) in lanes.iter_mut().zip(&places[..Self::WIDTH]) {
                *lane = *from.offset(*place as isize);
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// As `load_places` with those of `picks` from `first` on; the 15 floats behind each must be valid, too.
    #[inline(always)]
    unsafe fn load_picks(from: *const f32, picks: &Picks, first: usize) -> Self {
        // SAFETY: by contract.
        unsafe { Self::load_places(from, &picks.places[first..]) }
    }

    /// As `load_places` with the places of `kernels` from `first` on, each float with its 8 successors, which are in vectors of their
    /// own.
    #[inline(always)]
    unsafe fn load_nines(from: *const f32, kernels: &Nines, first: usize) -> [Self; 9] {
        let places = &kernels.places[first..];
        // SAFETY: as this method.
        std::array::from_fn(|number| unsafe { Self::load_places(from.add(number), places) })
    }

    /// Of the first `count` lanes, writes nine floats each, kernels `apart` floats from each other, to places that must be valid.
    #[inline(always)]
    unsafe fn store_nines(kernels: &[[f32; MOST_LANES]; 9], to: *mut f32, apart: usize, count: usize) {
        for lane in 0..count.min(MOST_LANES) {
            for (number, values) in kernels.iter().enumerate() {
                // SAFETY: by contract.
                unsafe { *to.add(lane * apart + number) = values[lane] };
            }
        }
    }

    /// Writes the lanes from `first` on to `count` floats, which must be valid.
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, first: usize, count: usize, write: Write) {
        // SAFETY: as this method.
        unsafe { self.store_strided(to, 1, first, count, write) }
    }

    /// As `store_part`, to floats that lie `step` apart.
    #[inline(always)]
    unsafe fn store_strided(self, to: *mut f32, step: usize, first: usize, count: usize, write: Write) {
        let mut lanes = [0.0; MOST_LANES];
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

    /// Of the floats that the lanes of 2 to 4 vectors make in turn, writes `count` from `first` on, `step` apart.
    #[inline(always)]
    unsafe fn store_in_turn<const N: usize>(
        vectors: [Self; N],
        to: *mut f32,
        step: usize,
        first: usize,
        count: usize,
    ) {
        let mut lanes = [[0.0; MOST_LANES]; N];
        debug_assert!(first + count <= N * Self::WIDTH);
        // SAFETY: the arrays hold vectors, the targets are valid by contract.
        unsafe {
            for (vector, lanes) in vectors.into_iter().zip(&mut lanes) {
                vector.store(lanes.as_mut_ptr());
            }
            for index in 0..count {
                let place = first + index;
                *to.add(index * step) = lanes[place % N][place / N];
            }
        }
    }
}

/// Copies every `step`-th float of `source` to `target`, until that is full.
///
/// # Safety
///
/// The processor must have the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn copy<L: Lanes>(source: &[f32], step: usize, target: &mut [f32]) {
    assert!(target.is_empty() || (target.len() - 1) * step < source.len());
    let (from, to) = (source.as_ptr(), target.as_mut_ptr());
    let mut done = 0;
    // SAFETY: all reads and writes are inside the slices: by the assertion and the conditions.
    unsafe {
        if step == 1 {
            while done + L::WIDTH <= target.len() {
                L::load(from.add(done)).store(to.add(done));
                done += L::WIDTH;
            }
            let rest = target.len() - done;
            let values = L::load_part(from.wrapping_add(done), rest);
            return values.store_part(to.wrapping_add(done), 0, rest, Write::Replace);
        }
        while done < target.len() {
            let (count, valid) = (target.len() - done, source.len() - step * done);
            let values = L::load_strided(from.add(step * done), step, valid.min(step * L::WIDTH));
            if count >= L::WIDTH {
                values.store(to.add(done));
            } else {
                values.store_part(to.add(done), 0, count, Write::Replace);
            }
            done += L::WIDTH;
        }
    }
}

/// Sets all floats to zero: a few of them faster than the library, which is made for many.
///
/// # Safety
///
/// The processor must have the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn clear<L: Lanes>(target: &mut [f32]) {
    for part in target.chunks_mut(L::WIDTH) {
        // SAFETY: as many floats as the part has.
        unsafe { L::splat(0.0).store_part(part.as_mut_ptr(), 0, part.len(), Write::Replace) };
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
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] + other[lane])
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        std::array::from_fn(|lane| self[lane] - other[lane])
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        (self[0] + self[1]) + (self[2] + self[3])
    }
}
