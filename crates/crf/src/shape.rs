//! The size of an image or a volume.

use crate::Error;

/// Columns, rows and slices, in pixels. Pixels are numbered with x fastest, then y, then z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    width: usize,
    height: usize,
    depth: usize,
    axes: usize,
}

impl Shape {
    /// An image of `width` × `height` pixels.
    pub fn image(width: usize, height: usize) -> Self {
        Self { width, height, depth: 1, axes: 2 }
    }

    /// A volume of `depth` slices of `width` × `height` pixels.
    pub fn volume(width: usize, height: usize, depth: usize) -> Self {
        Self { width, height, depth, axes: 3 }
    }

    /// How many pixels there are; `usize::MAX` if more than fit it.
    pub fn pixels(&self) -> usize {
        self.width.saturating_mul(self.height).saturating_mul(self.depth)
    }

    /// Coordinates of a pixel: 2 for an image, 3 for a volume.
    pub fn axes(&self) -> usize {
        self.axes
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Slices; 1 for an image.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// An error unless the number of pixels fits the lattice's 32-bit numbers.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.pixels() {
            1..=0x7ff_ffff => Ok(()),
            _ => Err(Error::Shape { width: self.width, height: self.height, depth: self.depth }),
        }
    }
}
