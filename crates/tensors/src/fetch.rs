//! Memory that is asked for before it is read. A processor sees neighbouring addresses coming, but cannot guess where the next plane
//! of an image or the next row of a matrix begins.

/// Floats of a cache line.
const LINE: usize = 16;

/// Asks for values that will be read soon. Does nothing on other processors than x86-64.
#[inline(always)]
pub(crate) fn fetch(values: &[f32]) {
    for line in values.chunks(LINE) {
        fetch_line(line.as_ptr());
    }
}

/// As [`fetch`], for the cache line of an address, which need not be valid.
#[inline(always)]
pub(crate) fn fetch_line(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction, which changes nothing that a program can see, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
