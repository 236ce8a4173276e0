//! Where a pixel lies in the space in which a kernel measures distances.

use crate::Shape;
use crate::error::{Error, check_finite, check_length};

/// Several numbers per pixel, such as its position and colour.
///
/// # Units
///
/// Positions are in pixels, colours in 0..=255; a [`Covariance`](crate::Covariance) has the same units.
#[derive(Debug, Clone)]
pub struct Features {
    pixels: usize,
    /// One plane per dimension.
    planes: Vec<Vec<f32>>,
}

impl Features {
    /// No dimensions yet.
    pub fn none(shape: Shape) -> Result<Self, Error> {
        shape.check()?;
        Ok(Self { pixels: shape.pixels(), planes: Vec::new() })
    }

    /// Positions in pixels: x and y, and z if the shape is a volume.
    pub fn positions(shape: Shape) -> Result<Self, Error> {
        let mut features = Self::none(shape)?;
        let (width, height) = (shape.width(), shape.height());
        let row = |value: f32| std::iter::repeat_n(value, width);
        let rows = shape.height() * shape.depth();
        let xs = (0..rows).flat_map(|_| (0..width).map(|x| x as f32)).collect();
        let ys = (0..rows).flat_map(|r| row((r % height) as f32)).collect();
        features.planes = vec![xs, ys];
        if shape.axes() == 3 {
            features.planes.push((0..rows).flat_map(|r| row((r / height) as f32)).collect());
        }
        Ok(features)
    }

    /// Adds the three colours of an 8-bit image, as it was read from its file: not normalised.
    ///
    /// # Shapes
    ///
    /// `rgb` is pixels × 3.
    pub fn with_rgb(mut self, rgb: &[u8]) -> Result<Self, Error> {
        check_length("rgb", "width × height × depth × 3", self.pixels * 3, rgb.len())?;
        let (pixels, _) = rgb.as_chunks::<3>();
        for channel in 0..3 {
            self.planes.push(pixels.iter().map(|pixel| f32::from(pixel[channel])).collect());
        }
        Ok(self)
    }

    /// Adds one dimension of any kind, such as depth, a fourth channel or a gray value.
    ///
    /// # Shapes
    ///
    /// `plane` has one value per pixel.
    pub fn with(mut self, plane: &[f32]) -> Result<Self, Error> {
        check_length("feature plane", "width × height × depth", self.pixels, plane.len())?;
        check_finite("feature plane", plane)?;
        self.planes.push(plane.to_vec());
        Ok(self)
    }

    /// How many numbers a pixel has.
    pub fn dimensions(&self) -> usize {
        self.planes.len()
    }

    /// How many pixels there are.
    pub fn pixels(&self) -> usize {
        self.pixels
    }

    /// One plane per dimension.
    pub(crate) fn planes(&self) -> &[Vec<f32>] {
        &self.planes
    }

    /// Replaces the planes by others of the same length.
    pub(crate) fn replaced(pixels: usize, planes: Vec<Vec<f32>>) -> Self {
        debug_assert!(planes.iter().all(|plane| plane.len() == pixels));
        Self { pixels, planes }
    }
}
