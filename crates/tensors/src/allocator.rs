//! The C allocator's settings for programs that allocate large tensors again and again.

/// Tells the allocator to keep freed memory in the process instead of returning it to the system.
///
/// glibc maps every block above a limit (at most 32 MiB) directly from the system and unmaps it when it is
/// freed, so each large tensor pays for fresh, zeroed pages: the addition of two tensors of 33 MB takes several
/// times as long as the arithmetic. The heaps that it gives to threads other than the first end at 64 MiB with the
/// same effect, so all threads are made to share the first one's. Call this once, at the start of a program and
/// before threads are started. The price is that the process holds its largest memory use until it ends.
///
/// Does nothing with other C libraries.
pub fn keep_freed_memory() {
    keep();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep() {
    const GIB: libc::c_int = 1 << 30;
    const MIB: libc::c_int = 1 << 20;
    let settings = [
        (libc::M_MMAP_THRESHOLD, GIB),
        (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
        (libc::M_TOP_PAD, 64 * MIB),
        (libc::M_ARENA_MAX, 1),
    ];
    for (name, value) in settings {
        // SAFETY: `mallopt` takes plain integers, locks the allocator itself and at worst returns 0 (ignored:
        // the program is then only slower).
        unsafe { libc::mallopt(name, value) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep() {}
