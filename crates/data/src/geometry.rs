//! Where each output pixel comes from: one affine map for image, labels and masks alike.

use image::{GrayImage, Luma, RgbImage};

use crate::dataset::VOID;

/// A change of size, scale and rotation, as the place in the source of every output pixel.
///
/// Coordinates are relative to the picture's size, so that one value serves an image, a label map and a shrunken
/// copy of either. Pixel `x` of `n` covers `x / n ..= (x + 1) / n`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// Output size in pixels.
    pub(crate) width: u32,
    /// Output size in pixels.
    pub(crate) height: u32,
    /// Size of the sample in pixels, whose shape a turn keeps. None: that of what is warped.
    pub(crate) sample: Option<(u32, u32)>,
    /// Width and height of the whole picture in output pixels, of which the output is a window.
    pub(crate) picture: (u32, u32),
    /// The window's left and upper edge in that picture; below 0 it begins before the picture.
    pub(crate) corner: (i64, i64),
    /// Above 1 the source is zoomed out: more of it, and what lies beyond, is seen.
    pub(crate) scale: f64,
    /// Rotation of the content about the output's centre in degrees, clockwise as seen.
    pub(crate) degrees: f64,
}

impl Geometry {
    /// A plain resize.
    pub(crate) fn resize(width: u32, height: u32) -> Self {
        let picture = (width, height);
        Self { width, height, sample: None, picture, corner: (0, 0), scale: 1.0, degrees: 0.0 }
    }

    /// True when nothing turns and the whole source fills the output.
    pub(crate) fn is_resize(&self) -> bool {
        *self == Self { sample: self.sample, ..Self::resize(self.width, self.height) }
    }

    /// True when every output pixel of a source of this size is the source pixel of the same place.
    pub(crate) fn is_identity(&self, size: (u32, u32)) -> bool {
        size == (self.width, self.height) && self.is_resize()
    }

    /// The part of a source of this size that the output shows, as left, top, width and height in pixels, and the geometry that gives
    /// the same output from that part alone. None where nothing would be left out, or where pixels are not taken one for one.
    pub(crate) fn part(&self, size: (u32, u32)) -> Option<([u32; 4], Self)> {
        if self.picture != size {
            return None;
        }
        let (sine, cosine) = self.degrees.to_radians().sin_cos();
        let (half_width, half_height) = (f64::from(self.width) / 2.0, f64::from(self.height) / 2.0);
        let reach = |along: f64, across: f64| self.scale * (cosine.abs() * along + sine.abs() * across);
        let span = |corner: i64, half: f64, reach: f64, side: u32| {
            // Two more pixels, so that no place is interpolated at an edge that the picture does not have.
            let centre = corner as f64 + half;
            let (first, end) = ((centre - reach).floor() - 2.0, (centre + reach).ceil() + 2.0);
            let end = (end.max(0.0) as u32).clamp(1, side);
            ((first.max(0.0) as u32).min(end - 1), end)
        };
        let (left, right) = span(self.corner.0, half_width, reach(half_width, half_height), size.0);
        let (top, bottom) = span(self.corner.1, half_height, reach(half_height, half_width), size.1);
        let (width, height) = (right - left, bottom - top);
        let corner = (self.corner.0 - i64::from(left), self.corner.1 - i64::from(top));
        let rest = Self { sample: None, picture: (width, height), corner, ..*self };
        ((width, height) != size).then_some(([left, top, width, height], rest))
    }

    /// Source pixels per output pixel, along the axis that shrinks less.
    pub(crate) fn shrink(&self, (width, height): (u32, u32)) -> f64 {
        let ratio = |source, output| f64::from(source) / f64::from(output);
        ratio(width, self.picture.0).min(ratio(height, self.picture.1)) * self.scale
    }

    /// Calls `pixel` for every output pixel in reading order with its place in a source of this size, in pixels
    /// from the top left corner, or `None` outside of it.
    fn places(&self, size: (u32, u32), mut pixel: impl FnMut(Option<(f64, f64)>)) {
        let (columns, rows) = (f64::from(size.0), f64::from(size.1));
        let (width, height) = (f64::from(self.picture.0), f64::from(self.picture.1));
        let (half_width, half_height) = (f64::from(self.width) / 2.0, f64::from(self.height) / 2.0);
        let (sine, cosine) = self.degrees.to_radians().sin_cos();
        // A shrunken copy has not quite the sample's shape, because its sides are whole pixels.
        let shape = self.sample.unwrap_or(size);
        let taller = (f64::from(shape.1) * columns) / (f64::from(shape.0) * rows);
        let centre_u = (self.corner.0 as f64 + half_width) * columns / width;
        let centre_v = (self.corner.1 as f64 + half_height) * rows / height;
        for y in 0..self.height {
            // The picture is stretched to the output's shape, as a plain resize does, and turned before that, so
            // that a turned face keeps its shape. One division keeps whole numbers whole.
            let down = (f64::from(y) + 0.5 - half_height) * rows / height * self.scale;
            for x in 0..self.width {
                let across = (f64::from(x) + 0.5 - half_width) * columns / width * self.scale;
                let u = centre_u + cosine * across + sine * down * taller;
                let v = centre_v - sine * across / taller + cosine * down;
                let inside = u >= 0.0 && v >= 0.0 && u < columns && v < rows;
                pixel(inside.then_some((u, v)));
            }
        }
    }
}

/// Labels by the nearest pixel; [`VOID`] beyond the picture. Also returns where the picture is (1) and is not (0).
pub(crate) fn warp_labels(labels: &GrayImage, geometry: Geometry) -> (GrayImage, GrayImage) {
    let mut warped = Vec::with_capacity(area(geometry));
    let mut inside = Vec::with_capacity(area(geometry));
    geometry.places(labels.dimensions(), |place| {
        let value = place.map(|(u, v)| labels.get_pixel(u as u32, v as u32)[0]);
        warped.push(value.unwrap_or(VOID));
        inside.push(u8::from(value.is_some()));
    });
    (gray(geometry, warped), gray(geometry, inside))
}

/// A 0/1 mask: 1 where any of the four pixels around a place is 1, 0 beyond the picture. A mask that shrinks
/// is first reduced by [`shrink_mask`], so that thin lines do not fall between the places.
pub(crate) fn warp_mask(mask: &GrayImage, geometry: Geometry) -> GrayImage {
    let mut warped = Vec::with_capacity(area(geometry));
    geometry.places(mask.dimensions(), |place| {
        let marked = place.is_some_and(|(u, v)| {
            let (left, right, along) = neighbours(u, mask.width());
            let (top, bottom, down) = neighbours(v, mask.height());
            // A pixel without weight does not count: a place on a centre sees that pixel alone.
            let (columns, rows) = (
                [left, if along > 0.0 { right } else { left }],
                [top, if down > 0.0 { bottom } else { top }],
            );
            rows.iter().any(|y| columns.iter().any(|x| mask.get_pixel(*x as u32, *y as u32)[0] != 0))
        });
        warped.push(u8::from(marked));
    });
    gray(geometry, warped)
}

/// A mask of this smaller size: 1 where any pixel that lies under the new one, in part or whole, is 1.
pub(crate) fn shrink_mask(mask: &GrayImage, width: u32, height: u32) -> GrayImage {
    let mut small = GrayImage::new(width, height);
    let covered = |at: u32, source: u32, target: u32| {
        let (at, source, target) = (u64::from(at), u64::from(source), u64::from(target));
        (at * target / source) as u32..=(((at + 1) * target - 1) / source) as u32
    };
    for (x, y, _) in mask.enumerate_pixels().filter(|(_, _, value)| value[0] != 0) {
        for row in covered(y, mask.height(), height) {
            for column in covered(x, mask.width(), width) {
                small.put_pixel(column, row, Luma([1]));
            }
        }
    }
    small
}

/// An image by bilinear interpolation, of one colour beyond the picture. Its outermost pixels reach to its border, so that
/// what has that colour is exactly what the label map calls void.
pub(crate) fn warp_image(image: &RgbImage, geometry: Geometry, fill: [u8; 3]) -> RgbImage {
    let mut warped = Vec::with_capacity(3 * area(geometry));
    geometry.places(image.dimensions(), |place| {
        let colour = place.map_or(fill, |place| blend(image, place));
        warped.extend_from_slice(&colour);
    });
    RgbImage::from_raw(geometry.width, geometry.height, warped).unwrap_or_default()
}

fn blend(image: &RgbImage, (u, v): (f64, f64)) -> [u8; 3] {
    let (left, right, along) = neighbours(u, image.width());
    let (top, bottom, down) = neighbours(v, image.height());
    let stride = 3 * image.width() as usize;
    let (above, below) =
        (&image.as_raw()[top * stride..][..stride], &image.as_raw()[bottom * stride..][..stride]);
    let between = |a: f32, b: f32, part: f32| a + (b - a) * part;
    std::array::from_fn(|channel| {
        let at = |row: &[u8]| {
            between(f32::from(row[3 * left + channel]), f32::from(row[3 * right + channel]), along)
        };
        (between(at(above), at(below), down) + 0.5) as u8
    })
}

/// Along one axis, the two pixels whose centres surround a place inside the picture, and how far it is from the
/// first to the second (0..1). Before the first centre and behind the last both are one pixel.
fn neighbours(place: f64, side: u32) -> (usize, usize, f32) {
    let (last, next) = (side as usize - 1, (place + 0.5) as u32);
    let part = (place + 0.5 - f64::from(next)) as f32;
    ((next as usize).saturating_sub(1).min(last), (next as usize).min(last), part)
}

fn area(geometry: Geometry) -> usize {
    geometry.width as usize * geometry.height as usize
}

/// The map of all output pixels; `places` visits each exactly once.
fn gray(geometry: Geometry, values: Vec<u8>) -> GrayImage {
    GrayImage::from_raw(geometry.width, geometry.height, values).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{colour_of, coloured};
    use image::{Rgb, imageops};
    use proptest::prelude::*;

    fn blocks(width: u32, height: u32, side: u32) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| Luma([((x / side + 3 * (y / side)) % 7) as u8]))
    }

    /// True when all pixels within this distance exist and have one label.
    fn uniform(labels: &GrayImage, x: u32, y: u32, distance: u32) -> bool {
        let span = |at: u32| (0..=2 * distance).map(move |step| (at + step).wrapping_sub(distance));
        let here = labels.get_pixel(x, y);
        span(y).all(|row| span(x).all(|column| labels.get_pixel_checked(column, row) == Some(here)))
    }

    #[test]
    fn a_quarter_turn_is_clockwise_and_exact() {
        let labels = blocks(13, 13, 3);
        let geometry = Geometry { degrees: 90.0, ..Geometry::resize(13, 13) };
        let inner = |map: &GrayImage| imageops::crop_imm(map, 1, 1, 11, 11).to_image();
        assert_eq!(inner(&warp_labels(&labels, geometry).0), inner(&imageops::rotate90(&labels)));
    }

    #[test]
    fn a_larger_scale_shows_void_around_the_picture() {
        let labels = GrayImage::from_pixel(8, 8, Luma([3]));
        let geometry = Geometry { scale: 2.0, ..Geometry::resize(8, 8) };
        let (warped, inside) = warp_labels(&labels, geometry);
        let want = GrayImage::from_fn(8, 8, |x, y| {
            Luma([if (2..6).contains(&x) && (2..6).contains(&y) { 3 } else { VOID }])
        });
        assert_eq!(warped, want);
        assert!(warped.iter().zip(inside.iter()).all(|(label, inside)| (*label == 3) == (*inside == 1)));
    }

    #[test]
    fn colours_between_pixels_are_interpolated() {
        let image = RgbImage::from_fn(4, 4, |x, y| Rgb([40 * x as u8, 40 * y as u8, 9]));
        let zoomed_in = Geometry { scale: 0.5, ..Geometry::resize(4, 4) };
        let warped = warp_image(&image, zoomed_in, [0; 3]);
        // Output centres lie at 1.25, 1.75, 2.25 and 2.75 of the source, whose centres are 0.5, 1.5, 2.5 and 3.5.
        let row: Vec<u8> = (0..4).map(|x| warped.get_pixel(x, 0)[0]).collect();
        assert_eq!((row.as_slice(), warped.get_pixel(3, 2).0), ([30, 50, 70, 90].as_slice(), [90, 70, 9]));
    }

    #[test]
    fn thin_lines_survive_in_a_mask_that_shrinks() {
        for column in 0..64 {
            let mask = GrayImage::from_fn(64, 16, |x, _| Luma([u8::from(x == column)]));
            for side in [5, 16, 21, 63] {
                let small = shrink_mask(&mask, side, 4);
                assert_eq!(small.rows().filter(|row| row.clone().any(|v| v[0] == 1)).count(), 4);
                let again = warp_mask(&small, Geometry::resize(side, 4));
                assert_eq!(again, small, "no change of size changes nothing");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_resize_takes_the_pixel_under_each_centre(size in (1u32..40, 1u32..40), output in (1u32..40, 1u32..40)) {
            let labels = GrayImage::from_fn(size.0, size.1, |x, y| Luma([(x * 41 + y * 7) as u8]));
            let (warped, _) = warp_labels(&labels, Geometry::resize(output.0, output.1));
            let under = |at: u32, source: u32, target: u32| (2 * at + 1) * source / (2 * target);
            for (x, y, label) in warped.enumerate_pixels() {
                let (column, row) = (under(x, size.0, output.0), under(y, size.1, output.1));
                prop_assert_eq!(label, labels.get_pixel(column, row));
            }
        }

        #[test]
        fn image_and_labels_agree_to_the_pixel(
            size in (20u32..60, 20u32..60), output in (16u32..60, 16u32..60), scale in 0.75f64..1.25, degrees in -60f64..60.0,
        ) {
            let labels = blocks(size.0, size.1, 8);
            let geometry = Geometry { scale, degrees, ..Geometry::resize(output.0, output.1) };
            let (warped, inside) = warp_labels(&labels, geometry);
            let image = warp_image(&coloured(&labels), geometry, [0; 3]);
            // One source pixel reaches this many output pixels, on each side.
            let reach = (1.0 / geometry.shrink(size).min(1.0)).ceil() as u32 + 1;
            for (x, y, label) in warped.enumerate_pixels() {
                prop_assert_eq!(inside.get_pixel(x, y)[0] == 0, label[0] == VOID);
                prop_assert_eq!(image.get_pixel(x, y).0 == [0; 3], label[0] == VOID);
                if label[0] != VOID && uniform(&warped, x, y, reach) {
                    prop_assert_eq!(*image.get_pixel(x, y), colour_of(label[0]));
                }
                prop_assert!(label[0] == VOID || label[0] < 7, "no new labels");
            }
        }
    }
}
