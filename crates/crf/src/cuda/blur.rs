//! Launches of blur.cu.

use sconce_kernels::Argument::{Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;
use super::lattice::Lattice;
use crate::lattice::Axes;

impl<R: Runtime> Lattice<R> {
    /// Blurs `values` along all axes; `spare`, which is as long, is overwritten.
    pub(super) fn blur(
        &self,
        runtime: &R,
        values: &mut Array<R, f32>,
        spare: &mut Array<R, f32>,
        classes: usize,
        axes: Axes,
    ) -> Result<()> {
        debug_assert!(values.len().min(spare.len()) >= self.vertices * classes);
        for axis in self.axes(axes) {
            let neighbours = self.neighbours.pointer_to(2 * axis * self.vertices);
            let sizes = [Size(self.vertices), Unsigned(classes as u32)];
            let arguments = [values.pointer(), neighbours, spare.pointer(), sizes[0], sizes[1]];
            let kernel = Kernel { file: "blur", name: "blur" };
            // SAFETY: a thread reads a class of its vertex and of neighbours that are there, and writes its own.
            unsafe { runtime.launch(kernel, blocks(self.vertices * classes), &arguments) }?;
            std::mem::swap(values, spare);
        }
        Ok(())
    }
}
