//! Matrix products on one thread, on views with any strides.

use gemm::{Parallelism, gemm};

use super::parts::Write;

/// A matrix in memory, with the distances between neighbouring rows and columns.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows are contiguous and start `row_stride` floats apart.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn last(&self) -> usize {
        self.rows.saturating_sub(1) * self.row_stride + self.columns.saturating_sub(1) * self.column_stride
    }
}

/// Writes `a * b` to rows of `target`, which start `row_stride` floats apart.
///
/// # Safety
///
/// `target` must be valid for writing `a.rows` rows of `b.columns` floats, which no other task uses, and which hold
/// values if they are added to.
pub(super) unsafe fn product(target: *mut f32, row_stride: usize, write: Write, a: Matrix, b: Matrix) {
    assert_eq!(a.columns, b.rows);
    if a.rows == 0 || b.columns == 0 {
        return;
    }
    assert!(a.columns == 0 || (a.last() < a.values.len() && b.last() < b.values.len()));
    // SAFETY: the operands are within their slices by the assertion above, the target by contract; the strides are
    // positive and within memory, so they fit `isize`.
    unsafe {
        gemm(
            a.rows,
            b.columns,
            a.columns,
            target,
            1,
            row_stride as isize,
            write == Write::Add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
