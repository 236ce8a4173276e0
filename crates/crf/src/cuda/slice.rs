//! Launches of slice.cu.

use sconce_kernels::Argument::{Pointer, Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, blocks};

use super::array::Array;
use super::lattice::Lattice;

impl<R: Runtime> Lattice<R> {
    /// Sets the rows of pixels to `base`, or 0 without it, and adds the weighted sums of their corners' values, times the pixel's
    /// factor, times a factor for each class. `base` may be `rows`.
    pub(super) fn slice(
        &self,
        runtime: &R,
        values: &Array<R, f32>,
        (factors, class_factors): (&Array<R, f32>, &Array<R, f32>),
        base: Option<&Array<R, f32>>,
        rows: &Array<R, f32>,
    ) -> Result<()> {
        let classes = class_factors.len();
        debug_assert!(rows.len() >= self.pixels * classes && values.len() >= self.vertices * classes);
        let inputs = [values.pointer(), self.corners.pointer(), self.weights.pointer()];
        let factors = [factors.pointer(), class_factors.pointer()];
        let rows = [base.map_or(Pointer(0), Array::pointer), rows.pointer()];
        let sizes = [Size(self.pixels), Unsigned(classes as u32), Unsigned(self.corners_of_pixel as u32)];
        let arguments = [&inputs[..], &factors, &rows, &sizes].concat();
        // SAFETY: corners are vertices, whose values exist; a thread reads and writes its own place of the rows.
        unsafe {
            runtime.launch(Kernel { file: "slice", name: "slice" }, blocks(self.pixels * classes), &arguments)
        }
    }
}
