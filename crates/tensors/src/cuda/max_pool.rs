//! Launches of max_pool.cu.

use std::ops::Range;

use candle_core::Result;

use super::runtime::Argument::{Pointer, Size, Unsigned};
use super::runtime::{Kernel, Runtime, blocks};

/// The windows of a pooling: for each output row and each output column the inputs that it covers. Starts and ends never decrease.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    /// Height and width of the input.
    pub(crate) input: (usize, usize),
    pub(crate) rows: Vec<Range<usize>>,
    pub(crate) columns: Vec<Range<usize>>,
}

impl Windows {
    fn sizes(&self) -> [super::runtime::Argument; 4] {
        let sizes = [self.input.0, self.input.1, self.rows.len(), self.columns.len()];
        sizes.map(|size| Unsigned(size as u32))
    }
}

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "max_pool", name }
}

/// Starts, then ends.
fn table(windows: &[Range<usize>]) -> Vec<u32> {
    let starts = windows.iter().map(|window| window.start as u32);
    starts.chain(windows.iter().map(|window| window.end as u32)).collect()
}

/// For each of `inputs` pixels of an axis the windows that it lies in.
fn windows_of_pixels(windows: &[Range<usize>], inputs: usize) -> Vec<Range<usize>> {
    let of_pixel = |pixel: usize| {
        let first = windows.partition_point(|window| window.end <= pixel);
        first..windows.partition_point(|window| window.start <= pixel).max(first)
    };
    (0..inputs).map(of_pixel).collect()
}

/// Writes the maxima of every plane of `x` to `y`, and their places in the plane to `sources`.
///
/// # Safety
///
/// `x` points to the floats of so many planes, `y` and `sources` to as many floats and `unsigned`s as there are windows.
pub(crate) unsafe fn max_pool(
    runtime: &impl Runtime,
    windows: &Windows,
    planes: usize,
    [x, y, sources]: [u64; 3],
) -> Result<()> {
    let count = planes * windows.rows.len() * windows.columns.len();
    let (_tables, tables) = runtime.upload(&[table(&windows.rows), table(&windows.columns)].concat())?;
    let pointers = [x, y, sources, tables].map(Pointer);
    let arguments = [&pointers[..], &windows.sizes(), &[Size(count)]].concat();
    // SAFETY: a thread writes its own output, if there is one, and reads the inputs of its window, which lie in the plane.
    unsafe { runtime.launch(kernel("max_pool"), blocks(count), &arguments) }
}

/// Writes the gradients for the input to `dx`.
///
/// # Safety
///
/// `upstream` and `sources` point to as many floats and `unsigned`s as there are windows, `dx` to the floats of so many planes.
pub(crate) unsafe fn gradient(
    runtime: &impl Runtime,
    windows: &Windows,
    planes: usize,
    [upstream, sources, dx]: [u64; 3],
) -> Result<()> {
    let count = planes * windows.input.0 * windows.input.1;
    let rows = table(&windows_of_pixels(&windows.rows, windows.input.0));
    let columns = table(&windows_of_pixels(&windows.columns, windows.input.1));
    let (_tables, tables) = runtime.upload(&[rows, columns].concat())?;
    let pointers = [upstream, sources, dx, tables].map(Pointer);
    let arguments = [&pointers[..], &windows.sizes(), &[Size(count)]].concat();
    // SAFETY: a thread writes the gradient of its own pixel, if there is one, and reads windows of its plane.
    unsafe { runtime.launch(kernel("max_pool_gradient"), blocks(count), &arguments) }
}
