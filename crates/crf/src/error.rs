//! What can be wrong with the input of a CRF.

/// Input that no result can be computed from. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice has another length than the shape and the classes ask for.
    #[error("{what}: {found} values, but {expected} are needed ({formula})")]
    Length {
        /// The slice.
        what: &'static str,
        /// How the needed length comes about.
        formula: &'static str,
        /// The needed length.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// An image or volume without pixels, or with more than the lattice can number.
    #[error("{width}×{height}×{depth} pixels: at least one and fewer than 2^27 are possible")]
    Shape {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Slices.
        depth: usize,
    },
    /// A number of classes outside 1..=256.
    #[error("{0} classes: at least 1 and at most 256 are possible")]
    Classes(usize),
    /// A value that is infinite or not a number.
    #[error("{what}: value {value} at index {index} is not finite")]
    NotFinite {
        /// The slice.
        what: &'static str,
        /// Index in it.
        index: usize,
        /// The value found.
        value: f32,
    },
    /// A value outside 0..=1 where a probability is needed.
    #[error("probabilities: {value} at index {index} is not in 0..=1")]
    Probability {
        /// Index in the slice.
        index: usize,
        /// The value found.
        value: f32,
    },
    /// A label that is neither a class nor the label for unsure pixels.
    #[error("labels: {value} at index {index}, but there are {classes} classes")]
    Label {
        /// Index in the slice.
        index: usize,
        /// The label found.
        value: u8,
        /// How many classes there are.
        classes: usize,
    },
    /// A parameter outside its range.
    #[error("{what}: {value} is not {range}")]
    Parameter {
        /// The parameter.
        what: &'static str,
        /// What it has to be.
        range: &'static str,
        /// The value found.
        value: f32,
    },
    /// A covariance matrix that is not symmetric and positive definite.
    #[error("the covariance matrix is not symmetric and positive definite (row {row})")]
    Covariance {
        /// The row at which this shows.
        row: usize,
    },
    /// More feature dimensions than the lattice takes.
    #[error("{0} feature dimensions: at least 1 and at most 31 are possible")]
    Dimensions(usize),
    /// A kernel that was not added.
    #[error("kernel {index}, but there are {kernels} kernels, counted from 0")]
    Kernel {
        /// The index asked for.
        index: usize,
        /// How many kernels there are.
        kernels: usize,
    },
    /// What a GPU answered.
    #[cfg(any(feature = "cuda", test))]
    #[error("the GPU: {0}")]
    Device(String),
    /// Features that span too many standard deviations for the lattice's integers.
    #[error(
        "the features span {deviations} standard deviations, too many for the lattice: use larger deviations"
    )]
    TooNarrow {
        /// Largest extent of one dimension, in standard deviations.
        deviations: f32,
    },
}

#[cfg(any(feature = "cuda", test))]
impl From<sconce_kernels::Error> for Error {
    fn from(error: sconce_kernels::Error) -> Self {
        // The lines after the first are where it came from.
        Self::Device(error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

/// An error unless `found` is `expected`.
pub(crate) fn check_length(
    what: &'static str,
    formula: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { what, formula, expected, found }) }
}

/// An error that names the first value that is infinite or not a number.
pub(crate) fn check_finite(what: &'static str, values: &[f32]) -> Result<(), Error> {
    // Whole blocks without a branch, which the compiler makes vectors of; the culprit is searched in a bad one only.
    for (block, part) in values.chunks(1024).enumerate() {
        if part.iter().fold(true, |fine, value| fine & value.is_finite()) {
            continue;
        }
        if let Some(place) = part.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite { what, index: block * 1024 + place, value: part[place] });
        }
    }
    Ok(())
}

/// An error unless `value` is finite and above 0.
pub(crate) fn check_positive(what: &'static str, value: f32) -> Result<(), Error> {
    let fine = value > 0.0 && value.is_finite();
    if fine { Ok(()) } else { Err(Error::Parameter { what, range: "finite and above 0", value }) }
}
