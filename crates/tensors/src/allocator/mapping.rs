//! Ranges of the address space, and the pages behind them.

use std::ptr::{copy_nonoverlapping, null_mut};

use libc::{
    MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED, MAP_NORESERVE, MAP_PRIVATE, MREMAP_FIXED, MREMAP_MAYMOVE,
    PROT_READ, PROT_WRITE,
};

const FLAGS: libc::c_int = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/// Bytes of the large pages of most processors, and a multiple of the small ones' of all. The processor finds far fewer of them far faster.
pub(super) const LARGE_PAGE: usize = 2 << 20;

/// A range of so many bytes, whole pages, all zero, from a multiple of [`LARGE_PAGE`] on: the system adds its pages, large ones if it
/// has any, when they are written to, and shows the same page of zeros everywhere until then.
pub(super) fn reserve(bytes: usize) -> Option<usize> {
    let size = bytes.checked_add(LARGE_PAGE)?;
    // SAFETY: without an address the system chooses one where nothing lies.
    let reserved = unsafe { libc::mmap(null_mut(), size, PROT_READ | PROT_WRITE, FLAGS, -1, 0) };
    if reserved == MAP_FAILED {
        return None;
    }
    let reserved = reserved as usize;
    let start = reserved.next_multiple_of(LARGE_PAGE);
    // SAFETY: both ends are of the range and hold nothing; the advice changes no value.
    unsafe {
        release(reserved, start - reserved);
        release(start + bytes, LARGE_PAGE - (start - reserved));
        libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_HUGEPAGE);
    }
    Some(start)
}

/// Adds the pages of a range at once, which costs less than one after the other when they are first written to. An older system
/// does nothing.
pub(super) fn populate(start: usize, bytes: usize) {
    // SAFETY: the range was reserved, and the advice changes no value in it.
    unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_POPULATE_WRITE) };
}

/// Gives a range and its pages back to the system.
///
/// # Safety
///
/// The range came from [`reserve`], and nobody uses it any more.
pub(super) unsafe fn release(start: usize, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller's promise. A failure leaves the range mapped, which only costs memory.
        unsafe { libc::munmap(start as *mut libc::c_void, bytes) };
    }
}

/// Moves the pages of one range to the place of another, with what is written on them; the range they leave is no longer mapped.
/// False if the system could not even map anything there: neither range is to be used then.
///
/// # Safety
///
/// Both came from [`reserve`], do not overlap, and nobody uses them meanwhile; `from` is part of one mapping.
pub(super) unsafe fn move_pages(from: usize, bytes: usize, to: usize) -> bool {
    let (from, to) = (from as *mut libc::c_void, to as *mut libc::c_void);
    // SAFETY: the caller's promises; what lies at `to` is reserved for this.
    unsafe {
        if libc::mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED {
            return true;
        }
        // The system may have unmapped `to` already.
        if libc::mmap(to, bytes, PROT_READ | PROT_WRITE, FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED {
            return false;
        }
        copy_nonoverlapping(from.cast::<u8>(), to.cast::<u8>(), bytes);
        libc::munmap(from, bytes);
    }
    true
}
