//! The seven hair styles of Figaro-1k.

use std::fmt;

use crate::figaro;

/// A hair style, in the order of Figaro-1k's frame numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Style {
    /// Smooth and hanging.
    Straight,
    /// In wide bends that lie side by side.
    Wavy,
    /// In ringlets.
    Curly,
    /// In dense small curls that stand off the head.
    Kinky,
    /// Plaited, in one or many.
    Braids,
    /// In round ropes.
    Dreadlocks,
    /// Cut short, as of men.
    Short,
}

impl Style {
    /// All styles, in order.
    pub const ALL: [Self; 7] =
        [Self::Straight, Self::Wavy, Self::Curly, Self::Kinky, Self::Braids, Self::Dreadlocks, Self::Short];

    /// The style of a picture of a procedural set.
    pub(super) fn of_picture(index: u64) -> Self {
        Self::ALL[(index % 7) as usize]
    }

    /// Its name among [`figaro::STYLES`], such as `straight`.
    #[must_use]
    pub fn name(self) -> &'static str {
        figaro::STYLES[self as usize]
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
