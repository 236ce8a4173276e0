//! Launches of layout.cu.

use sconce_kernels::Argument::{Float, Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "layout", name }
}

/// Rows of planes of `classes` classes, times `factor`.
pub(super) fn rows_from_planes<R: Runtime>(
    runtime: &R,
    planes: &[f32],
    classes: usize,
    factor: f32,
) -> Result<Array<R, f32>> {
    let (from, rows) = (Array::upload(runtime, planes)?, Array::scratch(runtime, planes.len())?);
    let sizes = [Size(planes.len() / classes), Unsigned(classes as u32)];
    let arguments = [from.pointer(), rows.pointer(), sizes[0], sizes[1], Float(factor)];
    // SAFETY: a thread reads its number and writes it to its place; both have as many.
    unsafe { runtime.launch(kernel("rows_from_planes"), blocks(planes.len()), &arguments) }?;
    Ok(rows)
}

/// Planes of rows of `classes` classes.
pub(super) fn planes_from_rows<R: Runtime>(
    runtime: &R,
    rows: &Array<R, f32>,
    classes: usize,
) -> Result<Vec<f32>> {
    let planes = Array::scratch(runtime, rows.len())?;
    let sizes = [Size(rows.len() / classes), Unsigned(classes as u32)];
    let arguments = [rows.pointer(), planes.pointer(), sizes[0], sizes[1]];
    // SAFETY: as above.
    unsafe { runtime.launch(kernel("planes_from_rows"), blocks(rows.len()), &arguments) }?;
    planes.download(runtime)
}
