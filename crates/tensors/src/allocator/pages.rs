//! The pages of large blocks, in use and free.

use std::collections::BTreeMap;

use super::mapping::{LARGE_PAGE, move_pages, populate, release, reserve};

/// Blocks begin at multiples of this many bytes.
pub(super) const GRAIN: usize = 256 << 10;

/// Fresh bytes up to which a block is sure enough to be written to all over: a tensor is, a buffer of many gigabytes may not be.
const POPULATED: usize = 256 << 20;

/// Ranges of pages by their starts.
#[derive(Debug)]
pub(super) struct Pages {
    used: BTreeMap<usize, Range>,
    /// No two of them touch.
    free: BTreeMap<usize, Range>,
    /// The bytes of blocks that were asked for as zeros. Their pages, if any, are not kept.
    zeros: BTreeMap<usize, usize>,
    /// Parts of ranges in all, from which on free ones are given back to the system.
    many: usize,
}

/// Neighbouring parts of the address space, each within one of the system's mappings: their lengths in bytes.
#[derive(Debug, Default)]
struct Range {
    parts: Vec<usize>,
}

impl Range {
    fn bytes(&self) -> usize {
        self.parts.iter().sum()
    }

    /// The first `bytes`, and the rest.
    fn split(mut self, bytes: usize) -> (Self, Self) {
        let (mut before, mut count) = (0, 0);
        while count < self.parts.len() && before + self.parts[count] <= bytes {
            before += self.parts[count];
            count += 1;
        }
        let mut rest = self.parts.split_off(count);
        if before < bytes && !rest.is_empty() {
            self.parts.push(bytes - before);
            rest[0] -= bytes - before;
        }
        (self, Self { parts: rest })
    }
}

/// The bytes of a block for so many, at most a sixteenth more: from 32 MiB on whole large pages, since moving parts of one splits it.
fn rounded(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of((bytes / 32).next_power_of_two().clamp(GRAIN, LARGE_PAGE))
}

impl Pages {
    pub(super) const fn new(many: usize) -> Self {
        Self { used: BTreeMap::new(), free: BTreeMap::new(), zeros: BTreeMap::new(), many }
    }

    /// A block of at least so many bytes. None if the system has no more.
    pub(super) fn take(&mut self, bytes: usize) -> Option<*mut u8> {
        let bytes = rounded(bytes)?;
        if let Some(start) = self.smallest_that_holds(bytes) {
            let (range, rest) = self.free.remove(&start)?.split(bytes);
            self.insert_free(start + bytes, rest);
            self.used.insert(start, range);
            return Some(start as *mut u8);
        }
        self.gather((0, Range::default()), bytes).map(|start| start as *mut u8)
    }

    /// A block of at least so many bytes, all zero. None if the system has no more.
    pub(super) fn take_zeros(&mut self, bytes: usize) -> Option<*mut u8> {
        let bytes = bytes.checked_next_multiple_of(LARGE_PAGE)?;
        let start = reserve(bytes)?;
        self.zeros.insert(start, bytes);
        Some(start as *mut u8)
    }

    /// Whether it was [taken as zeros](Self::take_zeros).
    pub(super) fn were_zeros(&self, block: *mut u8) -> bool {
        self.zeros.contains_key(&(block as usize))
    }

    /// Keeps the pages of a block for others, except where it was zeros.
    pub(super) fn give_back(&mut self, block: *mut u8) {
        let start = block as usize;
        if let Some(bytes) = self.zeros.remove(&start) {
            // SAFETY: the block was made there, and its user has just given it back.
            unsafe { release(start, bytes) };
            return;
        }
        if let Some(range) = self.used.remove(&start) {
            self.insert_free(start, range);
        }
        if self.parts() > self.many {
            self.release_free();
        }
    }

    /// A block of another size with the same values, as far as it reaches; the old one is gone. None, and nothing has changed, if the
    /// system has no room for it. (Should it refuse even to map a page in the place of another, the old block's values are lost; every
    /// caller ends then.)
    pub(super) fn resize(&mut self, block: *mut u8, bytes: usize) -> Option<*mut u8> {
        let (start, bytes) = (block as usize, rounded(bytes)?);
        if self.used.get(&start)?.bytes() < bytes {
            let range = self.used.remove(&start)?;
            let Some(target) = reserve(bytes) else {
                self.used.insert(start, range);
                return None;
            };
            return self.gather_at(target, (start, range), bytes).map(|start| start as *mut u8);
        }
        let (range, rest) = self.used.remove(&start)?.split(bytes);
        self.used.insert(start, range);
        self.insert_free(start + bytes, rest);
        Some(block)
    }

    fn smallest_that_holds(&self, bytes: usize) -> Option<usize> {
        let sizes = self.free.iter().map(|(start, range)| (range.bytes(), *start));
        sizes.filter(|(size, _)| *size >= bytes).min().map(|(_, start)| start)
    }

    fn gather(&mut self, first: (usize, Range), bytes: usize) -> Option<usize> {
        let target = reserve(bytes)?;
        self.gather_at(target, first, bytes)
    }

    /// A block in use at `target` made of the pages of `first`, then of free ones, the largest ranges first; fresh ones fill the rest.
    fn gather_at(&mut self, target: usize, first: (usize, Range), bytes: usize) -> Option<usize> {
        let (mut next, mut parts, mut filled) = (Some(first), Vec::new(), 0);
        while let Some((mut start, range)) = next.take() {
            let (range, rest) = range.split(bytes - filled);
            for part in range.parts {
                // SAFETY: the part is of one mapping and, free or handed in, nobody else's; so is its new place.
                if !unsafe { move_pages(start, part, target + filled) } {
                    return None;
                }
                start += part;
                filled += part;
                parts.push(part);
            }
            self.insert_free(start, rest);
            next = if filled < bytes { self.take_largest() } else { None };
        }
        let fresh = bytes - filled;
        if fresh > 0 {
            parts.push(fresh);
        }
        if (1..=POPULATED).contains(&fresh) {
            populate(target + filled, fresh);
        }
        self.used.insert(target, Range { parts });
        Some(target)
    }

    fn take_largest(&mut self) -> Option<(usize, Range)> {
        let (_, start) = self.free.iter().map(|(start, range)| (range.bytes(), *start)).max()?;
        self.free.remove_entry(&start)
    }

    /// Joins the range with free ones that it touches.
    fn insert_free(&mut self, mut start: usize, mut range: Range) {
        if range.parts.is_empty() {
            return;
        }
        if let Some(after) = self.free.remove(&(start + range.bytes())) {
            range.parts.extend(after.parts);
        }
        let before = self.free.range(..start).next_back();
        if let Some((&earlier, found)) = before
            && earlier + found.bytes() == start
            && let Some(mut found) = self.free.remove(&earlier)
        {
            found.parts.append(&mut range.parts);
            (start, range) = (earlier, found);
        }
        self.free.insert(start, range);
    }

    fn parts(&self) -> usize {
        self.used.values().chain(self.free.values()).map(|range| range.parts.len()).sum()
    }

    /// Gives all free pages back to the system.
    fn release_free(&mut self) {
        for (start, range) in std::mem::take(&mut self.free) {
            // SAFETY: nobody uses what is free.
            unsafe { release(start, range.bytes()) };
        }
    }
}

#[cfg(test)]
impl Pages {
    /// Bytes of address space, in use and free, without zeros.
    pub(super) fn held(&self) -> (usize, usize) {
        let bytes = |ranges: &BTreeMap<usize, Range>| ranges.values().map(Range::bytes).sum();
        (bytes(&self.used), bytes(&self.free))
    }

    /// Whether no two ranges overlap.
    pub(super) fn are_apart(&self) -> bool {
        let ranges = self.used.iter().chain(&self.free).map(|(start, range)| (*start, range.bytes()));
        let all: BTreeMap<_, _> =
            ranges.chain(self.zeros.iter().map(|(start, bytes)| (*start, *bytes))).collect();
        let ends = all.iter().map(|(start, bytes)| start + bytes);
        all.len() == self.used.len() + self.free.len() + self.zeros.len()
            && ends.zip(all.keys().skip(1)).all(|(end, next)| end <= *next)
    }

    /// Parts in all.
    pub(super) fn count(&self) -> usize {
        self.parts()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.release_free();
    }
}
