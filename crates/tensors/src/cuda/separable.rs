//! Launches of separable.cu.

use candle_core::Result;

use super::runtime::Argument::{Pointer, Size, Unsigned};
use super::runtime::{Kernel, Runtime, blocks};
use crate::separable::{Axis, Separable};

/// Writes the map of every plane of `x` to `y`.
///
/// # Safety
///
/// `x` and `y` point to the floats of so many planes, of the sizes that the map takes and gives.
pub(crate) unsafe fn separable(
    runtime: &impl Runtime,
    map: &Separable,
    planes: usize,
    x: u64,
    y: u64,
) -> Result<()> {
    let Separable { rows, columns, .. } = map;
    let count = planes * rows.outputs() * columns.outputs();
    let (_tables, tables) = runtime.upload(&[places(rows), places(columns)].concat())?;
    let (_weights, weights) = runtime.upload(&[rows.weights(), columns.weights()].concat())?;
    let sizes = [rows.inputs(), columns.inputs(), rows.outputs(), columns.outputs()];
    let [height, width, to_rows, to_columns] = sizes.map(|size| Unsigned(size as u32));
    let arguments = [
        Pointer(x),
        Pointer(y),
        Pointer(tables),
        Pointer(weights),
        height,
        width,
        to_rows,
        to_columns,
        Size(count),
    ];
    // SAFETY: a thread writes its own output, if there is one, and reads the inputs of its windows, which lie in the plane.
    unsafe { runtime.launch(Kernel { file: "separable", name: "separable" }, blocks(count), &arguments) }
}

/// First inputs and offsets of the weights of an axis's outputs.
fn places(axis: &Axis) -> Vec<u32> {
    axis.starts().iter().chain(axis.offsets()).map(|&place| place as u32).collect()
}
