//! Faces cut out of NIA photographs by the boxes of their annotations.
//!
//! A photograph `X.png` has its label map `X.grayscale.png` and its annotation `X.json` beside it. The annotation is a
//! list of two objects: the first one's `box` holds `x`, `y` (top left corner), `w` and `h` in pixels, the second one's
//! `points` are 106 landmarks, which are not needed here. The published preparation of the set cuts
//! (x − 0.2 w, y − 0.7 h) to (x + 1.2 w, y + 1.2 h), so that hair and hat are inside, and brings that to 512 x 512
//! without interpolation; numbers are cut to whole pixels, corners rounded to the nearest, and what lies beyond the
//! photograph is black and background.
//!
//! Not published, and decided here: the first object that has a `box` counts, numbers may stand in quotes, a box must
//! have an area and the cut-out must touch the photograph.

mod boxes;
mod photograph;

pub use boxes::{Overhang, box_around, read_boxes};
pub use photograph::{Filter, Photograph, photographs};

use std::path::Path;

use image::{GrayImage, Pixel, RgbImage};
use serde_json::Value;

use crate::error::Error;
use crate::files;
use crate::resize::resize_image;
use crate::rgb::MAX_PIXELS;

/// Where an annotation says the face is, in pixels of the photograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaceBox {
    /// Left edge; may lie outside.
    pub x: i64,
    /// Upper edge; may lie outside.
    pub y: i64,
    /// Width, at least 1.
    pub width: i64,
    /// Height, at least 1.
    pub height: i64,
}

/// What is added around a box, as shares of its width (left, right) and height (top, bottom).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// A rectangle to cut out, which may reach beyond the photograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Column of its first pixel.
    pub left: i64,
    /// Row of its first pixel.
    pub top: i64,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
}

/// Reads the box of an annotation.
///
/// # Errors
/// [`Error::Annotation`] for what is no JSON or has no usable box, [`Error::MissingFile`] or [`Error::Io`].
pub fn read_box(path: &Path) -> Result<FaceBox, Error> {
    let bytes = files::read(path, "annotation")?;
    let wrong = |reason: String| Error::Annotation { path: path.to_path_buf(), reason };
    let json: Value = serde_json::from_slice(&bytes).map_err(|e| wrong(format!("is no JSON: {e}")))?;
    let objects = match &json {
        Value::Array(list) => list.as_slice(),
        other => std::slice::from_ref(other),
    };
    let found = objects.iter().find_map(|object| object.get("box"));
    let found = found.ok_or_else(|| wrong("none of its objects has a `box`".into()))?;
    let number = |name: &str| {
        let value = found.get(name).ok_or_else(|| wrong(format!("its box has no `{name}`")))?;
        pixels(value).ok_or_else(|| wrong(format!("`{name}` of its box is {value}, not a number of pixels")))
    };
    let face = FaceBox { x: number("x")?, y: number("y")?, width: number("w")?, height: number("h")? };
    if face.width < 1 || face.height < 1 {
        return Err(wrong(format!("its box is {} x {} pixels", face.width, face.height)));
    }
    Ok(face)
}

/// A number, or one in quotes, cut to whole pixels.
fn pixels(value: &Value) -> Option<i64> {
    /// Beyond any photograph, and far from where sums overflow.
    const FARTHEST: f64 = 1e9;
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.abs() <= FARTHEST).then_some(number as i64)
}

impl Margins {
    /// Those of the published preparation: 0.2 at the sides and below, 0.7 above.
    pub const NIA: Self = Self { left: 0.2, top: 0.7, right: 0.2, bottom: 0.2 };

    /// Shares of the box's width (left, right) and height (top, bottom).
    ///
    /// # Errors
    /// [`Error::Config`] unless each is between 0 and 10.
    pub fn new([left, top, right, bottom]: [f64; 4]) -> Result<Self, Error> {
        if [left, top, right, bottom].iter().all(|margin| (0.0..=10.0).contains(margin)) {
            return Ok(Self { left, top, right, bottom });
        }
        let reason = format!("{left}, {top}, {right}, {bottom}: each must be between 0 and 10 box sides");
        Err(Error::Config { key: "margins", reason })
    }

    /// The box with its margins, corners rounded to whole pixels.
    #[must_use]
    pub fn around(&self, face: FaceBox) -> Window {
        let (width, height) = (face.width as f64, face.height as f64);
        let corner = |start: i64, before: f64, after: f64| {
            let from = (start as f64 - before).round_ties_even();
            (from as i64, ((start as f64 + after).round_ties_even() - from).max(1.0) as u32)
        };
        let (left, columns) = corner(face.x, self.left * width, (1.0 + self.right) * width);
        let (top, rows) = corner(face.y, self.top * height, (1.0 + self.bottom) * height);
        Window { left, top, width: columns, height: rows }
    }
}

impl Window {
    /// Whether any of its pixels lies on a picture of this width and height.
    #[must_use]
    pub fn touches(&self, (width, height): (u32, u32)) -> bool {
        let overlaps = |start: i64, len: u32, end: u32| start < i64::from(end) && start + i64::from(len) > 0;
        overlaps(self.left, self.width, width) && overlaps(self.top, self.height, height)
    }

    /// The cut-out of a label map at `size` x `size` pixels, each the nearest label; 0 beyond the map.
    #[must_use]
    pub fn labels(&self, map: &GrayImage, size: u32) -> GrayImage {
        self.nearest(map, size)
    }

    /// The cut-out of a picture at `size` x `size` pixels, each the nearest one of the picture; black beyond it.
    #[must_use]
    pub fn picture(&self, image: &RgbImage, size: u32) -> RgbImage {
        self.nearest(image, size)
    }

    /// The cut-out of a picture at `size` x `size` pixels, filtered so that nothing aliases; black beyond it.
    ///
    /// # Errors
    /// [`Error::Config`] for a window or size beyond [`MAX_PIXELS`].
    pub fn smooth_picture(&self, image: &RgbImage, size: u32) -> Result<RgbImage, Error> {
        if u64::from(self.width) * u64::from(self.height) > MAX_PIXELS {
            let reason = format!("a cut-out of {} x {} pixels is too large", self.width, self.height);
            return Err(Error::Config { key: "margins", reason });
        }
        let cut = RgbImage::from_fn(self.width, self.height, |x, y| self.pixel(image, x, y));
        resize_image(&cut, (size as usize, size as usize))
    }

    fn nearest<P: Pixel<Subpixel = u8>>(
        &self,
        image: &image::ImageBuffer<P, Vec<u8>>,
        size: u32,
    ) -> image::ImageBuffer<P, Vec<u8>> {
        // The pixel of the window under the centre of each new one.
        let under =
            |at: u32, len: u32| ((2 * u64::from(at) + 1) * u64::from(len) / (2 * u64::from(size))) as u32;
        image::ImageBuffer::from_fn(size, size, |x, y| {
            self.pixel(image, under(x, self.width), under(y, self.height))
        })
    }

    /// A pixel of the window, 0 beyond the picture.
    fn pixel<P: Pixel<Subpixel = u8>>(&self, image: &image::ImageBuffer<P, Vec<u8>>, x: u32, y: u32) -> P {
        let at = |start: i64, offset: u32| u32::try_from(start + i64::from(offset)).ok();
        let found = at(self.left, x).zip(at(self.top, y)).and_then(|(x, y)| image.get_pixel_checked(x, y));
        found.copied().unwrap_or_else(|| *P::from_slice(&[0; 4][..usize::from(P::CHANNEL_COUNT)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};
    use tempfile::TempDir;

    fn annotation(text: &str) -> Result<FaceBox, String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("7.json");
        std::fs::write(&path, text).unwrap();
        read_box(&path).map_err(|e| e.to_string())
    }

    #[test]
    fn boxes_are_read_from_the_first_object_that_has_one() {
        let face = FaceBox { x: 10, y: -3, width: 100, height: 120 };
        let text =
            r#"[{"box": {"x": 10.9, "y": -3, "w": "100", "h": 120.2}}, {"points": [], "box": {"x": 0}}]"#;
        assert_eq!(annotation(text), Ok(face));
        assert_eq!(annotation(r#"{"box": {"x": 10, "y": -3, "w": 100, "h": 120}}"#), Ok(face));
    }

    #[test]
    fn an_unusable_annotation_is_named_with_its_fault() {
        for (text, fault) in [
            ("[{", "is no JSON"),
            (r#"[{"points": []}]"#, "none of its objects has a `box`"),
            (r#"[{"box": {"x": 1, "y": 2, "w": 3}}]"#, "no `h`"),
            (r#"[{"box": {"x": 1, "y": [], "w": 3, "h": 3}}]"#, "`y` of its box is []"),
            (r#"[{"box": {"x": 1e300, "y": 1, "w": 3, "h": 3}}]"#, "`x` of its box is 1e+300"),
            (r#"[{"box": {"x": 1, "y": 1, "w": 0, "h": 3}}]"#, "its box is 0 x 3 pixels"),
        ] {
            let error = annotation(text).unwrap_err();
            assert!(error.contains("7.json: ") && error.contains(fault), "{error}");
        }
    }

    #[test]
    fn margins_are_shares_of_the_box() {
        let face = FaceBox { x: 100, y: 200, width: 50, height: 100 };
        let window = Window { left: 90, top: 130, width: 70, height: 190 };
        assert_eq!(Margins::NIA.around(face), window);
        assert_eq!(Margins::new([0.2, 0.7, 0.2, 0.2]).unwrap(), Margins::NIA);
        for margins in [[-0.1, 0.0, 0.0, 0.0], [0.0, f64::NAN, 0.0, 0.0], [0.0, 0.0, 99.0, 0.0]] {
            assert!(Margins::new(margins).unwrap_err().to_string().starts_with("margins: "));
        }
        assert!(window.touches((91, 131)) && !window.touches((90, 131)) && !window.touches((91, 130)));
    }

    #[test]
    fn cut_outs_take_the_nearest_pixel_and_black_beyond_the_picture() {
        let map = GrayImage::from_fn(4, 4, |x, y| Luma([(10 * y + x + 1) as u8]));
        let window = Window { left: -1, top: 1, width: 4, height: 4 };
        let rows =
            |map: &GrayImage| map.rows().map(|row| row.map(|p| p[0]).collect()).collect::<Vec<Vec<u8>>>();
        let cut = rows(&window.labels(&map, 4));
        assert_eq!(cut, [[0, 11, 12, 13], [0, 21, 22, 23], [0, 31, 32, 33], [0; 4]]);
        assert_eq!(rows(&window.labels(&map, 2)), [[21, 23], [0, 0]]);
        assert_eq!(rows(&window.labels(&map, 8))[2], [0, 0, 21, 21, 22, 22, 23, 23]);
        let picture = RgbImage::from_pixel(4, 4, Rgb([90, 60, 30]));
        assert_eq!(window.picture(&picture, 2).get_pixel(0, 0).0, [90, 60, 30]);
        let smooth = window.smooth_picture(&picture, 2).unwrap();
        assert!(smooth.get_pixel(0, 0)[0] < 90 && smooth.get_pixel(0, 0)[0] > 0, "black is mixed in");
        let huge = Window { width: 100_000, height: 100_000, ..window };
        assert!(huge.smooth_picture(&picture, 2).is_err());
    }
}
