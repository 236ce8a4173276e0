//! Launches of compatibility.cu.

use sconce_kernels::Argument::{Size, Unsigned};
use sconce_kernels::{Kernel, Result, Runtime, THREADS, blocks};

use super::array::Array;
use crate::Compatibility;

/// Pixels of a block: THREADS times MULTIPLIED in compatibility.cu.
const TILE: usize = THREADS * 16;

fn kernel(name: &'static str) -> Kernel {
    Kernel { file: "compatibility", name }
}

/// What a kernel's messages cost, in a device's memory.
pub(super) struct Costs<R: Runtime> {
    pub(super) kind: Compatibility,
    /// Factors per class of the messages.
    pub(super) class_factors: Array<R, f32>,
    /// Negative columns of the matrix, if there is one.
    columns: Option<Array<R, f32>>,
    /// The same of the transposed matrix.
    rows: Option<Array<R, f32>>,
}

impl<R: Runtime> Costs<R> {
    /// Of a checked compatibility.
    pub(super) fn new(runtime: &R, kind: Compatibility, classes: usize) -> Result<Self> {
        let upload = |values: &[f32]| Array::upload(runtime, values);
        let (class_factors, columns, rows) = match &kind {
            Compatibility::Potts(weight) => (upload(&vec![*weight; classes])?, None, None),
            Compatibility::PerClass(weights) => (upload(weights)?, None, None),
            Compatibility::Matrix(costs) => {
                let rows: Vec<f32> = costs.iter().map(|cost| -cost).collect();
                let columns: Vec<f32> =
                    (0..rows.len()).map(|at| rows[at % classes * classes + at / classes]).collect();
                (upload(&vec![1.0; classes])?, Some(upload(&columns)?), Some(upload(&rows)?))
            }
        };
        Ok(Self { kind, class_factors, columns, rows })
    }

    /// Multiplies rows of classes by the negative matrix; leaves them as they are for the other kinds.
    pub(super) fn mix(&self, runtime: &R, rows: Array<R, f32>) -> Result<Array<R, f32>> {
        self.mix_by(runtime, rows, self.columns.as_ref())
    }

    /// What a gradient of messages is one of before their factors and matrix.
    pub(super) fn mix_transposed(&self, runtime: &R, gradient: &Array<R, f32>) -> Result<Array<R, f32>> {
        let (scaled, classes) = (Array::scratch(runtime, gradient.len())?, self.class_factors.len());
        let pointers = [gradient, &self.class_factors, &scaled].map(Array::pointer);
        let sizes = [Size(gradient.len() / classes), Unsigned(classes as u32)];
        let arguments = [&pointers[..], &sizes].concat();
        // SAFETY: a thread touches its place of the rows, and reads its class's factor.
        unsafe { runtime.launch(kernel("scale_classes"), blocks(gradient.len()), &arguments) }?;
        self.mix_by(runtime, scaled, self.rows.as_ref())
    }

    fn mix_by(
        &self,
        runtime: &R,
        rows: Array<R, f32>,
        columns: Option<&Array<R, f32>>,
    ) -> Result<Array<R, f32>> {
        let Some(columns) = columns else { return Ok(rows) };
        let (mixed, classes) = (Array::scratch(runtime, rows.len())?, self.class_factors.len());
        let pointers = [&rows, columns, &mixed].map(Array::pointer);
        let sizes = [Size(rows.len() / classes), Unsigned(classes as u32)];
        let arguments = [&pointers[..], &sizes].concat();
        // SAFETY: a thread reads its row and a number of every column, of which there are as many as classes.
        unsafe { runtime.launch(kernel("mix"), blocks(rows.len()), &arguments) }?;
        Ok(mixed)
    }

    /// What a gradient of scores says of the compatibility's numbers: sums over pixels of its products with the messages.
    pub(super) fn products(
        &self,
        runtime: &R,
        gradient: &Array<R, f32>,
        messages: &Array<R, f32>,
    ) -> Result<Vec<f64>> {
        let classes = self.class_factors.len();
        let (pixels, equal) = (gradient.len() / classes, self.columns.is_none());
        let (parts, pairs) = (pixels.div_ceil(TILE), if equal { classes } else { classes.pow(2) });
        let sums = Array::<R, f64>::scratch(runtime, pairs * parts)?;
        let pointers = [gradient.pointer(), messages.pointer(), sums.pointer()];
        let sizes = [Size(pixels), Size(parts), Unsigned(classes as u32), Unsigned(u32::from(equal))];
        let arguments = [&pointers[..], &sizes].concat();
        // SAFETY: a block reads its part of two classes' numbers and writes its sum.
        unsafe { runtime.launch(kernel("products"), pairs * parts, &arguments) }?;
        let sums: Vec<f64> =
            sums.download(runtime)?.chunks_exact(parts).map(|parts| parts.iter().sum()).collect();
        Ok(match self.kind {
            Compatibility::Potts(_) => vec![sums.iter().sum()],
            Compatibility::PerClass(_) => sums,
            Compatibility::Matrix(_) => sums.iter().map(|sum| -sum).collect(),
        })
    }
}
