//! Launches of projection.cu.

use candle_core::Result;

use super::pixel_classes::Pixels;
use super::runtime::Argument::{Pointer, Size};
use super::runtime::{Kernel, Runtime, blocks};

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "projection", name }
}

/// Turns energies of (images, vertices, pixels) into how much of every pixel projects on each vertex.
///
/// # Safety
///
/// `energies` points to a float for every pixel and vertex, `edge` to one for every pixel.
pub(crate) unsafe fn project(runtime: &impl Runtime, of: Pixels, [energies, edge]: [u64; 2]) -> Result<()> {
    let arguments = [&[Pointer(energies), Pointer(edge)][..], &of.arguments()].concat();
    // SAFETY: a thread touches its own pixel, if there is one.
    unsafe { runtime.launch(kernel("project"), blocks(of.count()), &arguments) }
}

/// Turns the energies into the gradient for them, given that for the projection.
///
/// # Safety
///
/// `energies` and `upstream` point to a float for every pixel and vertex, `edge` to one for every pixel.
pub(crate) unsafe fn gradient(
    runtime: &impl Runtime,
    of: Pixels,
    [energies, edge, upstream]: [u64; 3],
) -> Result<()> {
    let arguments = [&[Pointer(energies), Pointer(edge), Pointer(upstream)][..], &of.arguments()].concat();
    // SAFETY: a thread touches its own pixel, if there is one.
    unsafe { runtime.launch(kernel("project_gradient"), blocks(of.count()), &arguments) }
}

/// Writes the gradient for the edge probabilities to `de`, given that for the projection.
///
/// # Safety
///
/// `energies` and `upstream` point to a float for every pixel and vertex, `edge` and `de` to one for every pixel.
pub(crate) unsafe fn edge_gradient(
    runtime: &impl Runtime,
    of: Pixels,
    [energies, edge, upstream, de]: [u64; 4],
) -> Result<()> {
    let maps = [Pointer(energies), Pointer(edge), Pointer(upstream), Pointer(de)];
    let arguments = [&maps[..], &of.arguments()].concat();
    // SAFETY: a thread touches its own pixel, if there is one.
    unsafe { runtime.launch(kernel("project_edge_gradient"), blocks(of.count()), &arguments) }
}

/// Adds `x` to `y`.
///
/// # Safety
///
/// Both point to `count` floats.
pub(crate) unsafe fn add_to(runtime: &impl Runtime, [y, x]: [u64; 2], count: usize) -> Result<()> {
    // SAFETY: a thread touches its own element, if it is below `count`.
    unsafe { runtime.launch(kernel("add_to"), blocks(count), &[Pointer(y), Pointer(x), Size(count)]) }
}
