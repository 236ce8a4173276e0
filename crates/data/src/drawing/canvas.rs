//! The picture and its label map, painted together.

use image::{GrayImage, RgbImage};

use super::colour::Rgb;
use super::geometry::{Point, Turn, pt};
use super::mask::Mask;
use super::path::Path;

/// A square picture and its label map, painted from back to front.
///
/// Every part is painted by one call: its coverage mixes its colour into each pixel, and where it covers at least
/// half of a pixel it takes the label. So the label names the last part painted over most of the pixel, by the same
/// numbers that made the colour.
#[derive(Debug, Clone)]
pub(crate) struct Canvas {
    size: usize,
    colours: Vec<Rgb>,
    labels: Vec<u8>,
    /// When set, a part paints this colour of its class and shading does nothing (to test the labels).
    flat: Option<fn(u8) -> Rgb>,
}

/// A soft spot: an ellipse with half axes in picture widths, turned by an angle in radians.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blob {
    pub(crate) centre: Point,
    pub(crate) radius_x: f32,
    pub(crate) radius_y: f32,
    pub(crate) angle: f32,
}

impl Canvas {
    pub(crate) fn new(size: usize, flat: Option<fn(u8) -> Rgb>) -> Self {
        let background = flat.map_or(Rgb([0.5; 3]), |colour| colour(0));
        Self { size, colours: vec![background; size * size], labels: vec![0; size * size], flat }
    }

    /// What the union of the paths covers.
    pub(crate) fn mask(&self, paths: &[Path]) -> Mask {
        Mask::of(paths, self.size)
    }

    /// A part: colour and label.
    pub(crate) fn paint(&mut self, mask: &Mask, class: u8, ink: impl Fn(Point) -> Rgb) {
        let flat = self.flat.map(|colour| colour(class));
        mask.for_each(|x, y, cover| {
            let i = y * self.size + x;
            let colour = flat.unwrap_or_else(|| ink(self.centre(x, y)));
            self.colours[i] = self.colours[i].mix(colour, cover);
            if cover >= 0.5 {
                self.labels[i] = class;
            }
        });
    }

    /// Many parts of one class, each with a colour of its own, from back to front: a pixel takes the label where together
    /// they cover at least half of it, as strands do that are thinner than a pixel.
    pub(crate) fn paint_together<I: Fn(Point) -> Rgb>(
        &mut self,
        parts: impl IntoIterator<Item = (Mask, I)>,
        class: u8,
    ) {
        let flat = self.flat.map(|colour| colour(class));
        let mut bare = vec![1.0_f32; self.colours.len()];
        for (mask, ink) in parts {
            mask.for_each(|x, y, cover| {
                let i = y * self.size + x;
                let colour = flat.unwrap_or_else(|| ink(self.centre(x, y)));
                self.colours[i] = self.colours[i].mix(colour, cover);
                bare[i] *= 1.0 - cover;
            });
        }
        for (label, bare) in self.labels.iter_mut().zip(bare) {
            if bare <= 0.5 {
                *label = class;
            }
        }
    }

    /// Shading on what is there: the label stays. `ink` gives a colour and its opacity, 0..=1.
    pub(crate) fn tint(&mut self, mask: &Mask, ink: impl Fn(Point) -> (Rgb, f32)) {
        if self.flat.is_some() {
            return;
        }
        mask.for_each(|x, y, cover| {
            let i = y * self.size + x;
            let (colour, opacity) = ink(self.centre(x, y));
            self.colours[i] = self.colours[i].mix(colour, cover * opacity);
        });
    }

    /// A see-through part: takes the label except from the classes in `keep`, which are seen through it.
    pub(crate) fn glaze(&mut self, mask: &Mask, class: u8, keep: &[u8], ink: impl Fn(Point) -> (Rgb, f32)) {
        self.tint(mask, ink);
        let flat = self.flat.map(|colour| colour(class));
        mask.for_each(|x, y, cover| {
            let i = y * self.size + x;
            if cover >= 0.5 && !keep.contains(&self.labels[i]) {
                self.labels[i] = class;
                self.colours[i] = flat.unwrap_or(self.colours[i]);
            }
        });
    }

    /// A soft spot of shading within a mask, strongest in its middle.
    pub(crate) fn glow(&mut self, blob: Blob, colour: Rgb, strength: f32, within: &Mask) {
        if self.flat.is_some() {
            return;
        }
        let scale = self.size as f32;
        let (reach, turn) = (blob.radius_x.max(blob.radius_y), Turn::by(blob.angle));
        let bound = |v: f32| (v * scale).clamp(0.0, scale) as usize;
        let (left, right) = (bound(blob.centre.x - reach), bound(blob.centre.x + reach + 1.0 / scale));
        let (top, bottom) = (bound(blob.centre.y - reach), bound(blob.centre.y + reach + 1.0 / scale));
        for y in top..bottom {
            for x in left..right {
                let opacity = strength * blob.weight(self.centre(x, y), turn) * within.at(x, y);
                if opacity > 0.0 {
                    let i = y * self.size + x;
                    self.colours[i] = self.colours[i].mix(colour, opacity);
                }
            }
        }
    }

    /// The middle of a pixel, picture widths.
    fn centre(&self, x: usize, y: usize) -> Point {
        pt((x as f32 + 0.5) / self.size as f32, (y as f32 + 0.5) / self.size as f32)
    }

    /// Changes every colour by its pixel's middle.
    pub(crate) fn develop(&mut self, mut change: impl FnMut(Point, Rgb) -> Rgb) {
        for y in 0..self.size {
            for x in 0..self.size {
                let i = y * self.size + x;
                self.colours[i] = change(self.centre(x, y), self.colours[i]);
            }
        }
    }

    /// The colours by row, for filters that need neighbours.
    pub(crate) fn colours_mut(&mut self) -> &mut [Rgb] {
        &mut self.colours
    }

    /// Rounded to 8 bits.
    pub(crate) fn into_images(self) -> (RgbImage, GrayImage) {
        let side = self.size as u32;
        let at = |x: u32, y: u32| (y * side + x) as usize;
        let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let image = RgbImage::from_fn(side, side, |x, y| image::Rgb(self.colours[at(x, y)].0.map(byte)));
        let labels = GrayImage::from_fn(side, side, |x, y| image::Luma([self.labels[at(x, y)]]));
        (image, labels)
    }
}

impl Blob {
    pub(crate) fn round(centre: Point, radius: f32) -> Self {
        Self { centre, radius_x: radius, radius_y: radius, angle: 0.0 }
    }

    /// 1 in the middle, 0 from the ellipse's border on.
    fn weight(&self, p: Point, turn: Turn) -> f32 {
        let q = turn.undo(p - self.centre);
        let (x, y) = (q.x / self.radius_x, q.y / self.radius_y);
        let d = x * x + y * y;
        (1.0 - d).max(0.0).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(canvas: &Canvas) -> Mask {
        canvas.mask(&[Path::polygon(vec![pt(0.0, 0.0), pt(0.5, 0.0), pt(0.5, 1.0), pt(0.0, 1.0)])])
    }

    #[test]
    fn a_part_takes_colour_and_label_shading_only_colour() {
        let mut canvas = Canvas::new(4, None);
        canvas.paint(&half(&canvas.clone()), 3, |_| Rgb([1.0, 0.0, 0.0]));
        canvas.tint(&half(&canvas.clone()), |_| (Rgb([0.0, 0.0, 1.0]), 1.0));
        let (image, labels) = canvas.into_images();
        assert_eq!(labels.as_raw()[..4], [3, 3, 0, 0]);
        assert_eq!(image.get_pixel(0, 0).0, [0, 0, 255]);
        assert_eq!(image.get_pixel(3, 0).0, [128, 128, 128]);
    }

    #[test]
    fn thin_parts_take_the_label_together() {
        let mut canvas = Canvas::new(4, None);
        let stripe = |high: f32| {
            Path::polygon(vec![pt(0.0, 0.0), pt(1.0, 0.0), pt(1.0, 0.25 * high), pt(0.0, 0.25 * high)])
        };
        let red = |_: Point| Rgb([1.0, 0.0, 0.0]);
        let once = canvas.mask(&[stripe(0.4)]);
        canvas.paint_together([(once.clone(), red)], 2);
        assert_eq!(canvas.clone().into_images().1.as_raw()[..4], [0; 4]);
        canvas.paint_together([(once.clone(), red), (once, red)], 2);
        let (image, labels) = canvas.into_images();
        assert_eq!((labels.as_raw()[..4].to_vec(), labels.as_raw()[4]), (vec![2; 4], 0));
        assert!(image.get_pixel(0, 0).0[0] > 190);
    }

    #[test]
    fn a_clear_part_keeps_what_is_seen_through_it() {
        let mut canvas = Canvas::new(4, None);
        canvas.paint(&half(&canvas.clone()), 4, |_| Rgb([1.0, 0.0, 0.0]));
        let whole = canvas.mask(&[Path::disc(pt(0.5, 0.5), 5.0)]);
        canvas.glaze(&whole, 6, &[4], |_| (Rgb([0.0; 3]), 0.1));
        assert_eq!(canvas.into_images().1.as_raw()[..4], [4, 4, 6, 6]);
    }
}
