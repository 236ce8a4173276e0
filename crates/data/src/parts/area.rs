//! A rectangle of whole pixels inside a picture.

use image::{GenericImageView, ImageBuffer, Pixel, imageops};

/// A rectangle that lies wholly inside its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Column of its first pixel.
    pub left: u32,
    /// Row of its first pixel.
    pub top: u32,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
}

impl Area {
    /// The whole pixels that a box touches, with `margin` times its longer side on every side, as far as they lie in a picture of
    /// `size` (width, height). None if there is none.
    pub(crate) fn around(columns: [f64; 2], rows: [f64; 2], margin: f64, size: (u32, u32)) -> Option<Self> {
        let margin = margin * (columns[1] - columns[0]).max(rows[1] - rows[0]);
        let span = |[from, to]: [f64; 2], length: u32| {
            let (from, to) = ((from - margin).floor(), (to + margin).ceil());
            // A box without extent is the pixel at its place.
            let to = to.max(from + 1.0).min(f64::from(length));
            let from = from.max(0.0);
            (to > from).then_some((from as u32, (to - from) as u32))
        };
        let ((left, width), (top, height)) = (span(columns, size.0)?, span(rows, size.1)?);
        Some(Self { left, top, width, height })
    }

    /// The picture's pixels in the area.
    ///
    /// # Panics
    /// If the area does not lie in the picture.
    pub fn of<P: Pixel<Subpixel = u8> + 'static>(
        &self,
        picture: &ImageBuffer<P, Vec<u8>>,
    ) -> ImageBuffer<P, Vec<u8>> {
        assert!(
            picture.in_bounds(self.left + self.width - 1, self.top + self.height - 1),
            "{self:?} is not in the picture"
        );
        imageops::crop_imm(picture, self.left, self.top, self.width, self.height).to_image()
    }

    /// How much each pixel of the area counts where areas overlap: its distance in pixels to the nearest side of the area that is not
    /// a side of the picture of `size` (width, height); the pixel at the side has 1. Row after row.
    #[must_use]
    pub fn weights(&self, size: (u32, u32)) -> Vec<f32> {
        let inner = |start: u32, length: u32, whole: u32| -> Vec<u32> {
            let end = start + length == whole;
            let to_side = |place: u32| {
                let before = if start == 0 { u32::MAX } else { place + 1 };
                before.min(if end { u32::MAX } else { length - place })
            };
            (0..length).map(to_side).collect()
        };
        let (columns, rows) = (inner(self.left, self.width, size.0), inner(self.top, self.height, size.1));
        let farthest = self.width.max(self.height);
        rows.iter()
            .flat_map(|row| columns.iter().map(move |column| (*row).min(*column).min(farthest) as f32))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};

    #[test]
    fn weights_fall_towards_inner_sides_only() {
        let area = Area { left: 2, top: 0, width: 3, height: 2 };
        assert_eq!(area.weights((6, 4)), [1.0, 2.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(area.weights((5, 2)), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        let whole = Area { left: 0, top: 0, width: 2, height: 1 };
        assert_eq!(whole.weights((2, 1)), [2.0, 2.0]);
    }

    #[test]
    fn an_area_is_cut_out() {
        let picture = GrayImage::from_fn(5, 4, |x, y| Luma([(10 * y + x) as u8]));
        let area = Area { left: 3, top: 1, width: 2, height: 2 };
        assert_eq!(area.of(&picture).into_raw(), [13, 14, 23, 24]);
        assert_eq!(Area::around([7.0, 9.0], [0.0, 1.0], 0.0, (5, 4)), None);
        let point = Area::around([2.0, 2.0], [3.0, 3.0], 0.5, (5, 4));
        assert_eq!(point, Some(Area { left: 2, top: 3, width: 1, height: 1 }));
    }
}
