//! What it costs two near pixels to have two labels.

use rayon::prelude::*;

use crate::error::{Error, check_finite, check_length};
use crate::layout::Layout;
use crate::simd::{Lanes, vectorised};

/// The energy of two pixels' labels, which a kernel multiplies.
///
/// Energies that differ by a constant give the same result; so Potts costs nothing for different labels here and rewards
/// equal ones, as in Krähenbühl's code.
#[derive(Debug, Clone, PartialEq)]
pub enum Compatibility {
    /// Equal labels are rewarded by this weight.
    Potts(f32),
    /// Equal labels are rewarded by a weight per class. (pydensecrf's one-dimensional `compat` has the opposite sign.)
    PerClass(Vec<f32>),
    /// Costs μ of a pixel's class (row) next to another's class (column), classes × classes row by row. Two-dimensional
    /// `compat` of pydensecrf, which takes the mean of the matrix and its transpose; here it is used as it is.
    Matrix(Vec<f32>),
}

impl Compatibility {
    /// An error unless there are as many finite numbers as the classes ask for.
    pub(crate) fn check(&self, classes: usize) -> Result<(), Error> {
        match self {
            Self::Potts(weight) => check_finite("Potts weight", &[*weight]),
            Self::PerClass(weights) => {
                check_length("compatibility per class", "classes", classes, weights.len())?;
                check_finite("compatibility per class", weights)
            }
            Self::Matrix(costs) => {
                check_length("compatibility matrix", "classes × classes", classes.pow(2), costs.len())?;
                check_finite("compatibility matrix", costs)
            }
        }
    }

    /// How many numbers it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Potts(_) => 1,
            Self::PerClass(numbers) | Self::Matrix(numbers) => numbers.len(),
        }
    }

    /// Factors per class of the messages; a matrix is applied by [`Compatibility::mix`] instead.
    pub(crate) fn class_factors(&self, layout: Layout) -> Vec<Lanes> {
        match self {
            Self::Potts(weight) => layout.padded(&vec![*weight; layout.classes], 0.0),
            Self::PerClass(weights) => layout.padded(weights, 0.0),
            Self::Matrix(_) => layout.padded(&vec![1.0; layout.classes], 0.0),
        }
    }

    /// Multiplies rows of classes by the negative matrix; does nothing for the other kinds.
    ///
    /// It commutes with everything that a lattice does, so it is applied where there are fewest rows.
    pub(crate) fn mix(&self, rows: &mut [Lanes], layout: Layout) {
        self.mix_by(rows, layout, |costs, to, from| costs[to * layout.classes + from]);
    }

    /// As [`Compatibility::mix`] with the transposed matrix.
    pub(crate) fn mix_transposed(&self, rows: &mut [Lanes], layout: Layout) {
        self.mix_by(rows, layout, |costs, to, from| costs[from * layout.classes + to]);
    }

    fn mix_by(&self, rows: &mut [Lanes], layout: Layout, cost: impl Fn(&[f32], usize, usize) -> f32) {
        let Self::Matrix(costs) = self else { return };
        let mut columns = Vec::with_capacity(layout.classes * layout.row());
        for from in 0..layout.classes {
            let column: Vec<f32> = (0..layout.classes).map(|to| -cost(costs, to, from)).collect();
            columns.extend(layout.padded(&column, 0.0));
        }
        rows.par_chunks_mut(256 * layout.row()).for_each(|rows| {
            let mut mixed = vec![Lanes::ZERO; layout.row()];
            for row in rows.chunks_exact_mut(layout.row()) {
                multiply(&columns, row, &mut mixed);
                row.copy_from_slice(&mixed);
            }
        });
    }
}

vectorised! {
    /// The sum of the columns, each times the row's number for it.
    fn multiply[](columns: &[Lanes], row: &[Lanes], mixed: &mut [Lanes]) {
        mixed.fill(Lanes::ZERO);
        let factors = row.iter().flat_map(|lanes| &lanes.0);
        for (column, &factor) in columns.chunks_exact(row.len()).zip(factors) {
            for (sum, lanes) in mixed.iter_mut().zip(column) {
                *sum = sum.plus_scaled(factor, *lanes);
            }
        }
    }
}
