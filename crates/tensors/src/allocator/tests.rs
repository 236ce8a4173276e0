use super::pages::Pages;
use super::*;
use proptest::prelude::*;
use std::sync::Mutex;

const MIB: usize = 1 << 20;

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 64).expect("a layout")
}

/// Marks the first and last bytes and one of every page between.
fn mark(block: *mut u8, bytes: usize, value: u8) {
    for offset in (0..bytes).step_by(4096).chain([bytes - 1]) {
        // SAFETY: within the block.
        unsafe { block.add(offset).write(value) };
    }
}

fn is_marked(block: *mut u8, bytes: usize, value: u8) -> bool {
    // SAFETY: within the block.
    (0..bytes).step_by(4096).chain([bytes - 1]).all(|offset| unsafe { block.add(offset).read() } == value)
}

#[derive(Debug, Clone)]
enum Step {
    Take { bytes: usize, zeroed: bool },
    Resize { which: usize, bytes: usize },
    GiveBack { which: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || 3 * MIB..12 * MIB; // on both sides of what is large
    let step = prop_oneof![
        3 => (bytes(), any::<bool>()).prop_map(|(bytes, zeroed)| Step::Take { bytes, zeroed }),
        1 => (0usize..8, bytes()).prop_map(|(which, bytes)| Step::Resize { which, bytes }),
        3 => (0usize..8).prop_map(|which| Step::GiveBack { which }),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Each block keeps its own values; pages are never more than were in use at once.
    #[test]
    fn blocks_are_apart_and_no_page_is_asked_for_twice(steps in steps()) {
        let allocator = Allocator::new();
        let (mut blocks, mut most): (Vec<(*mut u8, usize, u8)>, _) = (Vec::new(), 0);
        for (value, step) in (1u8..).zip(steps) {
            match step {
                Step::Take { bytes, zeroed } => {
                    // SAFETY: a layout of some size.
                    let block = unsafe {
                        if zeroed { allocator.alloc_zeroed(layout(bytes)) } else { allocator.alloc(layout(bytes)) }
                    };
                    prop_assert!(!block.is_null());
                    prop_assert!(!zeroed || is_marked(block, bytes, 0));
                    mark(block, bytes, value);
                    blocks.push((block, bytes, value));
                }
                Step::Resize { which, bytes } if which < blocks.len() => {
                    let (block, old, value) = blocks[which];
                    // SAFETY: a block of this allocator with its layout.
                    let block = unsafe { allocator.realloc(block, layout(old), bytes) };
                    prop_assert!(is_marked(block, (old.min(bytes) - 1) / 4096 * 4096 + 1, value));
                    mark(block, bytes, value);
                    blocks[which] = (block, bytes, value);
                }
                Step::GiveBack { which } if which < blocks.len() => {
                    let (block, bytes, _) = blocks.swap_remove(which);
                    // SAFETY: as above.
                    unsafe { allocator.dealloc(block, layout(bytes)) };
                }
                _ => {}
            }
            let pages = allocator.pages();
            let (used, free) = pages.held();
            most = most.max(used);
            prop_assert!(used + free <= most, "{used} + {free} bytes, at most {most} were in use");
            prop_assert!(pages.are_apart());
            prop_assert!(blocks.iter().all(|&(block, bytes, value)| is_marked(block, bytes, value)));
        }
        for (block, bytes, _) in blocks {
            // SAFETY: as above.
            unsafe { allocator.dealloc(block, layout(bytes)) };
        }
        prop_assert_eq!(allocator.pages().held(), (0, most));
    }
}

#[test]
fn a_larger_block_is_made_of_smaller_ones_that_were_freed() {
    let allocator = Allocator::new();
    // SAFETY: layouts of some size; each block is freed once, with its layout.
    unsafe {
        let small: Vec<_> = (0..8).map(|_| allocator.alloc(layout(4 * MIB))).collect();
        for (value, block) in (1..).zip(&small) {
            mark(*block, 4 * MIB, value);
        }
        for block in small.iter().step_by(2) {
            allocator.dealloc(*block, layout(4 * MIB));
        }
        let large = allocator.alloc(layout(16 * MIB));
        assert_eq!(allocator.pages().held(), (32 * MIB, 0));
        for (value, block) in (2..).step_by(2).zip(small.iter().skip(1).step_by(2)) {
            assert!(is_marked(*block, 4 * MIB, value));
            allocator.dealloc(*block, layout(4 * MIB));
        }
        allocator.dealloc(large, layout(16 * MIB));
    }
}

#[test]
fn a_block_holds_at_most_a_sixteenth_more_than_was_asked_for() {
    for bytes in [4 * MIB, 4 * MIB + 1, 5 * MIB - 7, 8 * MIB + 1, 31 * MIB + 1, 33 * MIB, 1025 * MIB + 1] {
        let allocator = Allocator::new();
        // SAFETY: a layout of some size; the block is freed once, with its layout.
        unsafe {
            let block = allocator.alloc(layout(bytes));
            let held = allocator.pages().held().0;
            assert!((bytes..=bytes + bytes / 16).contains(&held), "{held} bytes for {bytes}");
            assert!(held.is_multiple_of(2 * MIB) || bytes < 32 * MIB, "{held} bytes for {bytes}");
            allocator.dealloc(block, layout(bytes));
        }
    }
}

#[test]
fn zeros_are_the_systems_before_and_after() {
    let allocator = Allocator::new();
    // SAFETY: layouts of some size; each block is freed once, with its layout.
    unsafe {
        let free = allocator.alloc(layout(6 * MIB));
        mark(free, 6 * MIB, 1);
        allocator.dealloc(free, layout(6 * MIB));
        let zeros = allocator.alloc_zeroed(layout(5 * MIB + 1));
        assert!(is_marked(zeros, 5 * MIB + 1, 0));
        assert_eq!(allocator.pages().held(), (0, 6 * MIB));
        mark(zeros, 5 * MIB + 1, 2);
        let grown = allocator.realloc(zeros, layout(5 * MIB + 1), 6 * MIB);
        assert!(is_marked(grown, 5 * MIB + 1, 2));
        assert_eq!(allocator.pages().held(), (6 * MIB, 0));
        allocator.dealloc(grown, layout(6 * MIB));
        let zeros = allocator.alloc_zeroed(layout(5 * MIB));
        assert!(is_marked(zeros, 5 * MIB, 0));
        allocator.dealloc(zeros, layout(5 * MIB));
        assert_eq!(allocator.pages().held(), (0, 6 * MIB));
    }
}

#[test]
fn mappings_do_not_grow_in_number_for_ever() {
    const MANY: usize = 8;
    let allocator = Allocator { pages: Mutex::new(Pages::new(MANY)) };
    let sizes = [5 * MIB, 7 * MIB, 4 * MIB + 65536, 9 * MIB, 6 * MIB];
    let mut given_back = 0;
    // SAFETY: as above.
    unsafe {
        let mut blocks: Vec<_> = sizes.iter().map(|&bytes| (allocator.alloc(layout(bytes)), bytes)).collect();
        for i in 0..1000 {
            let place = i * 7 % blocks.len();
            let (block, bytes) = blocks[place];
            allocator.dealloc(block, layout(bytes));
            let (free, parts) = {
                let pages = allocator.pages();
                (pages.held().1, pages.count())
            };
            assert!(parts <= MANY || free == 0, "{parts} parts, {free} bytes free");
            given_back += usize::from(free == 0);
            let bytes = 4 * MIB + i * 2_654_435 % (6 * MIB);
            blocks[place] = (allocator.alloc(layout(bytes)), bytes);
            assert!(!blocks[place].0.is_null());
        }
        for (block, bytes) in blocks {
            allocator.dealloc(block, layout(bytes));
        }
    }
    assert!(given_back > 0);
}
