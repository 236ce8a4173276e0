//! Memory for programs that allocate large tensors again and again.

#[cfg(target_os = "linux")]
mod mapping;
#[cfg(target_os = "linux")]
mod pages;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::alloc::{GlobalAlloc, Layout, System};

/// An allocator that keeps the memory of freed tensors and makes new ones of it, whatever their sizes.
///
/// A heap that keeps freed blocks in their places holds more than its user ever does at once: a block that is a little too small for
/// the next tensor lies there unused. This one takes the pages of several such blocks, moves them side by side in the address space
/// (`mremap`, without a copy), and adds what is missing. Where they can be, its pages are
/// large ones (`madvise`, 2 MiB). The process therefore never holds more pages for its large blocks than it had
/// in use at one time, and asks the system for none twice: fresh pages, which the system has to fill with zeros, cost as much as
/// several passes over the values. Memory is given back to the system when the process ends.
///
/// Blocks of zeros are the exception: they take no memory until they are written to, and what they took goes back to the system when they
/// are freed. candle's backward pass adds the first gradient of each tensor to such a block, which it only reads.
///
/// Blocks below 4 MiB are the C library's, and on other systems than Linux all are.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: sconce_tensors::Allocator = sconce_tensors::Allocator::new();
///
/// # fn main() {
/// assert_eq!(vec![1.0f32; 4 << 20].iter().sum::<f32>(), (4 << 20) as f32);
/// # }
/// ```
#[derive(Debug)]
pub struct Allocator {
    #[cfg(target_os = "linux")]
    pages: std::sync::Mutex<pages::Pages>,
}

impl Allocator {
    /// Without any memory yet.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a static needs a const function, and there is no other use"
    )]
    pub const fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            pages: std::sync::Mutex::new(pages::Pages::new(MANY)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Bytes from which on a block is made of pages of its own.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

/// Separate parts of the address space from which on free ones are given back to the system, which has a limit for mappings (65,530).
#[cfg(target_os = "linux")]
const MANY: usize = 8192;

#[cfg(target_os = "linux")]
impl Allocator {
    /// What is allocated while the lock is held is far smaller than [`LARGE`], so that it is never asked for twice.
    fn pages(&self) -> std::sync::MutexGuard<'_, pages::Pages> {
        self.pages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(target_os = "linux")]
fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= pages::GRAIN
}

#[cfg(target_os = "linux")]
// SAFETY: which of the two allocators a block is of follows from its layout alone, so each gets back what it gave. `Pages` gives out
// ranges of at least the asked size that are mapped, readable, writable, aligned to pages and part of no other block.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return self.pages().take(layout.size()).unwrap_or(std::ptr::null_mut());
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return self.pages().take_zeros(layout.size()).unwrap_or(std::ptr::null_mut());
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout) {
            return self.pages().give_back(block);
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that makes a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_large(layout), is_large(new)) {
            (true, true) if !self.pages().were_zeros(block) => {
                self.pages().resize(block, size).unwrap_or(std::ptr::null_mut())
            }
            // SAFETY: the caller's promise.
            (false, false) => unsafe { System.realloc(block, layout, size) },
            // SAFETY: both blocks have the bytes that are copied, and the old one is freed once, if there is a new one.
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(block, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

/// Tells the C library to keep freed memory in the process instead of returning it to the system.
///
/// glibc maps every block above a limit (at most 32 MiB) directly from the system and unmaps it when it is
/// freed, so each large tensor pays for fresh, zeroed pages: the addition of two tensors of 33 MB takes several
/// times as long as the arithmetic. The heaps that it gives to threads other than the first end at 64 MiB with the
/// same effect, so all threads are made to share the first one's. Call this once, at the start of a program and
/// before threads are started. The price is that the process holds its largest memory use until it ends, and more than
/// that where freed blocks do not fit the next ones: see [`Allocator`].
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
