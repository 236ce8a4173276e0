//! Launches of confusion.cu.

use candle_core::Result;

use super::runtime::Argument::{Pointer, Size, Unsigned};
use super::runtime::{Kernel, Runtime, THREADS};

/// Pixels of a block at a time: CELLS_OF_BLOCK in confusion.cu.
const CELLS: usize = THREADS * 16;

/// Most tables that are made side by side: enough to fill a card.
pub(crate) const TABLES: usize = 1024;

/// Places of all tables together, 32 MiB: of many classes there are fewer tables.
const PLACES: usize = 1 << 22;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "confusion", name }
}

/// Writes a table of truth × prediction, and in a last place the number of pixels whose labels are no classes, from at most so many
/// tables of parts.
///
/// # Safety
///
/// `truth` and `predicted` point to `count` bytes, `table` to `classes` × `classes` + 1 `i64`s; there are 256 classes at most.
pub(crate) unsafe fn confusion(
    runtime: &impl Runtime,
    (classes, ignore): (usize, u8),
    [truth, predicted, table]: [u64; 3],
    count: usize,
    most: usize,
) -> Result<()> {
    let places = classes * classes + 1;
    let parts = count.div_ceil(CELLS).clamp(1, most.min(PLACES / places));
    let (_memory, tables) = runtime.scratch(parts * places * size_of::<u64>())?;
    let (classes, ignore) = (Unsigned(classes as u32), Unsigned(ignore.into()));
    let arguments = [Pointer(truth), Pointer(predicted), Pointer(tables), Size(count), classes, ignore];
    // SAFETY: a block writes its table, and its threads read pixels below `count`.
    unsafe { runtime.launch(kernel("confusion_parts"), parts, &arguments) }?;
    let arguments = [Pointer(tables), Pointer(table), Unsigned(places as u32), Size(parts)];
    // SAFETY: a block reads its place of all tables and writes that place.
    unsafe { runtime.launch(kernel("confusion"), places, &arguments) }
}
