//! What can be wrong with the maps and counts given to the scores of this crate.

use std::fmt;

/// One of the two label maps that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// The reference.
    Truth,
    /// What the network said.
    Predicted,
}

/// Maps or counts that cannot be scored. Counts stay as they were.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The two maps have different numbers of pixels.
    Lengths {
        /// Pixels of the truth.
        truth: usize,
        /// Pixels of the prediction.
        predicted: usize,
    },
    /// A label is not a class.
    Label {
        /// The map that holds it.
        map: Map,
        /// Index of its first pixel in the slice.
        position: usize,
        /// The label found there.
        value: u8,
        /// How many classes there are.
        classes: usize,
    },
    /// Two confusions of different numbers of classes cannot be merged.
    Classes {
        /// Classes of the one that was to grow.
        ours: usize,
        /// Classes of the other.
        theirs: usize,
    },
    /// Counts that do not form a matrix of one row and one column a class.
    Counts {
        /// How many counts came.
        found: usize,
        /// How many classes they were to cover.
        classes: usize,
    },
    /// A probability that is NaN or outside 0..=1.
    Probability {
        /// Index of its first pixel in the slice.
        position: usize,
        /// The number found there.
        value: f32,
    },
    /// Maps that do not have the size they are said to have.
    Size {
        /// How many pixels came.
        pixels: usize,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// Counts within different distances cannot be merged.
    Radii {
        /// Radius of the one that was to grow, in pixels.
        ours: u8,
        /// Radius of the other, in pixels.
        theirs: u8,
    },
    /// Counts within different shares of the diagonal cannot be merged.
    Shares {
        /// Share of the one that was to grow, 0..=1.
        ours: f64,
        /// Share of the other, 0..=1.
        theirs: f64,
    },
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Map::Truth => "truth",
            Map::Predicted => "prediction",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Lengths { truth, predicted } => {
                write!(f, "truth has {truth} pixels, prediction has {predicted}")
            }
            Error::Label { map, position, value, classes } => write!(
                f,
                "label {value} at pixel {position} of the {map} is not one of the {classes} classes"
            ),
            Error::Classes { ours, theirs } => {
                write!(f, "counts of {theirs} classes cannot be merged into counts of {ours} classes")
            }
            Error::Counts { found, classes } => {
                write!(f, "{found} counts given, {classes} classes need {}", classes * classes)
            }
            Error::Probability { position, value } => {
                write!(f, "probability {value} at pixel {position} is not within 0 to 1")
            }
            Error::Size { pixels, width, height } => {
                let wanted = *width as u128 * *height as u128;
                write!(f, "{pixels} pixels given, a map of {width} x {height} has {wanted}")
            }
            Error::Shares { ours, theirs } => {
                let (ours, theirs) = (100.0 * ours, 100.0 * theirs);
                write!(
                    f,
                    "counts within {theirs}% of the diagonal cannot be merged into counts within {ours}%"
                )
            }
            Error::Radii { ours, theirs } => {
                write!(f, "counts within {theirs} pixels cannot be merged into counts within {ours} pixels")
            }
        }
    }
}

impl std::error::Error for Error {}
