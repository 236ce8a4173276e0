//! Launches of splat.cu.

use sconce_kernels::Argument::{Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;
use super::lattice::Lattice;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "splat", name }
}

impl<R: Runtime> Lattice<R> {
    /// Writes to every vertex the sum of its pixels' rows, each times the pixel's factor, by weight. `rows` and `values` hold
    /// `classes` numbers for each pixel and for each vertex at least.
    pub(super) fn splat(
        &self,
        runtime: &R,
        rows: &Array<R, f32>,
        factors: &Array<R, f32>,
        values: &Array<R, f32>,
        classes: usize,
    ) -> Result<()> {
        debug_assert!(rows.len() >= self.pixels * classes && values.len() >= self.vertices * classes);
        let sums = Array::<R, f32>::scratch(runtime, self.parts * classes)?;
        let (sources, weights) = (self.sources.pointer(), self.sorted_weights.pointer());
        let inputs = [rows.pointer(), factors.pointer(), sources, weights, self.list.firsts.pointer()];
        let sizes = [Size(self.parts), Unsigned(classes as u32)];
        let arguments = [&inputs[..], &[sums.pointer()], &sizes].concat();
        // SAFETY: the sources are pixels, whose rows exist; a thread writes a class of its part.
        unsafe { runtime.launch(kernel("splat_parts"), blocks(self.parts * classes), &arguments) }?;
        let pointers = [sums.pointer(), self.list.of_vertex.pointer(), values.pointer()];
        let arguments = [&pointers[..], &[Size(self.vertices), Unsigned(classes as u32)]].concat();
        // SAFETY: a thread reads its vertex's parts and writes a class of it.
        unsafe { runtime.launch(kernel("splat"), blocks(self.vertices * classes), &arguments) }
    }
}
