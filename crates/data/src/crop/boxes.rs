//! Boxes of a plain set: from a list, or around classes of its label maps.

use std::collections::BTreeMap;
use std::path::Path;

use image::{GrayImage, ImageBuffer, Pixel, imageops};

use super::{FaceBox, Margins, Window};
use crate::error::Error;
use crate::files;

/// What happens to a box that reaches beyond its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overhang {
    /// It is an error.
    Refuse,
    /// What lies beyond is cut off; a box with nothing on the picture is still an error.
    Clip,
}

/// Reads the boxes of a list: `id x y w h` a line, with tabs, commas or blanks between them.
///
/// `x`, `y` is the upper left corner and `w`, `h` the size in pixels; fractions are cut off. Blank lines and a first line
/// that begins with `id` are passed over.
///
/// # Errors
/// [`Error::Annotation`] with the line of what is no box; [`Error::DuplicateId`]; [`Error::MissingFile`] or
/// [`Error::Io`].
pub fn read_boxes(path: &Path) -> Result<BTreeMap<String, FaceBox>, Error> {
    let bytes = files::read(path, "list of boxes")?;
    let wrong = |reason: String| Error::Annotation { path: path.to_path_buf(), reason };
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text".into()))?;
    let mut boxes = BTreeMap::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let fields = fields_of(line);
        if line.trim().is_empty() || (number == 0 && fields[0].eq_ignore_ascii_case("id")) {
            continue;
        }
        let face = box_of(&fields).map_err(|reason| wrong(format!("line {}: {reason}", number + 1)))?;
        if boxes.insert(fields[0].to_owned(), face).is_some() {
            let place = format!("again in line {}", number + 1);
            return Err(Error::DuplicateId { path: path.to_path_buf(), id: fields[0].into(), place });
        }
    }
    if boxes.is_empty() {
        return Err(Error::Empty { path: path.to_path_buf(), what: "the list of boxes".into() });
    }
    Ok(boxes)
}

fn fields_of(line: &str) -> Vec<&str> {
    match ['\t', ',', ';'].into_iter().find(|separator| line.contains(*separator)) {
        Some(separator) => line.split(separator).map(str::trim).collect(),
        None => line.split_whitespace().collect(),
    }
}

fn box_of(fields: &[&str]) -> Result<FaceBox, String> {
    let [_, numbers @ ..] = fields else { return Err("is empty".into()) };
    let [x, y, w, h] = numbers else {
        return Err(format!("{} fields, not id x y w h", fields.len()));
    };
    let number = |name: &str, text: &str| {
        super::pixels(&text.into()).ok_or_else(|| format!("{name} is '{text}', not a number of pixels"))
    };
    let face =
        FaceBox { x: number("x", x)?, y: number("y", y)?, width: number("w", w)?, height: number("h", h)? };
    if face.width < 1 || face.height < 1 {
        return Err(format!("the box is {} x {} pixels", face.width, face.height));
    }
    Ok(face)
}

/// The smallest box around all pixels of these labels; none where there is no such pixel.
#[must_use]
pub fn box_around(labels: &GrayImage, wanted: &[u8]) -> Option<FaceBox> {
    let found = labels.enumerate_pixels().filter(|(_, _, label)| wanted.contains(&label[0]));
    let places = found.map(|(x, y, _)| (i64::from(x), i64::from(y)));
    let spans = places.map(|(x, y)| (x, x, y, y));
    let (left, right, top, bottom) =
        spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1), a.2.min(b.2), a.3.max(b.3)))?;
    Some(FaceBox { x: left, y: top, width: right - left + 1, height: bottom - top + 1 })
}

impl Margins {
    /// The box with its margins, which end at the border of a picture of this width and height.
    ///
    /// # Errors
    /// What is wrong with a box that reaches beyond the picture, in words that follow the file's name.
    pub fn inside(&self, face: FaceBox, size: (u32, u32), overhang: Overhang) -> Result<Window, String> {
        let (width, height) = (i64::from(size.0), i64::from(size.1));
        let whole =
            face.x >= 0 && face.y >= 0 && face.x + face.width <= width && face.y + face.height <= height;
        let place = |what: &str| {
            format!(
                "the box at x {}, y {} of {} x {} pixels {what} the picture of {width} x {height} pixels",
                face.x, face.y, face.width, face.height
            )
        };
        if face.x >= width || face.y >= height || face.x + face.width <= 0 || face.y + face.height <= 0 {
            return Err(place("lies outside of"));
        }
        if !whole && overhang == Overhang::Refuse {
            return Err(place("reaches beyond"));
        }
        let window = self.around(face);
        let (left, top) = (window.left.max(0), window.top.max(0));
        let right = (window.left + i64::from(window.width)).min(width);
        let bottom = (window.top + i64::from(window.height)).min(height);
        Ok(Window { left, top, width: (right - left) as u32, height: (bottom - top) as u32 })
    }
}

impl Window {
    /// The cut-out as it is, pixel by pixel; the window must lie inside the image ([`Margins::inside`]), what lies
    /// beyond is left out.
    #[must_use]
    pub fn cut<P: Pixel<Subpixel = u8> + 'static>(
        &self,
        image: &ImageBuffer<P, Vec<u8>>,
    ) -> ImageBuffer<P, Vec<u8>> {
        let at = |start: i64| u32::try_from(start).unwrap_or(0);
        imageops::crop_imm(image, at(self.left), at(self.top), self.width, self.height).to_image()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    fn boxes(text: &str) -> Result<BTreeMap<String, FaceBox>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boxes.tsv");
        std::fs::write(&path, text).unwrap();
        read_boxes(&path).map_err(|e| e.to_string())
    }

    #[test]
    fn lists_are_read_with_any_separator() {
        let face = FaceBox { x: 10, y: -3, width: 100, height: 120 };
        for text in
            ["id\tx\ty\tw\th\na 7\t10.5\t-3\t100\t120\n", "a 7,10,-3, 100,120", "a 7;10;-3;100;120.9\n\n"]
        {
            assert_eq!(boxes(text).unwrap(), BTreeMap::from([("a 7".to_owned(), face)]), "{text}");
        }
        assert_eq!(boxes("7 10 -3 100 120").unwrap()["7"], face);
    }

    #[test]
    fn faulty_lists_are_named_with_their_line() {
        for (text, fault) in [
            ("7 1 2 3", "line 1: 4 fields, not id x y w h"),
            ("7 1 2 3 4\n8 1 b 3 4", "line 2: y is 'b', not a number of pixels"),
            ("7 1 2 0 4", "line 1: the box is 0 x 4 pixels"),
            ("7 1 2 3 4\n7 1 2 3 5", "id '7' occurs twice (again in line 2)"),
            ("id x y w h\n", "the list of boxes is empty"),
        ] {
            let error = boxes(text).unwrap_err();
            assert!(error.contains("boxes.tsv: ") && error.contains(fault), "{error}");
        }
    }

    #[test]
    fn a_box_goes_around_chosen_labels() {
        let mut labels = GrayImage::new(9, 7);
        for (x, y, label) in [(2, 3, 1), (6, 1, 2), (8, 6, 3)] {
            labels.put_pixel(x, y, Luma([label]));
        }
        assert_eq!(box_around(&labels, &[1, 2]), Some(FaceBox { x: 2, y: 1, width: 5, height: 3 }));
        assert_eq!(box_around(&labels, &[9]), None);
    }

    #[test]
    fn margins_end_at_the_border_and_boxes_must_lie_inside() {
        let margins = Margins::new([0.5, 0.5, 0.5, 0.5]).unwrap();
        let face = FaceBox { x: 1, y: 10, width: 10, height: 10 };
        let window = margins.inside(face, (30, 40), Overhang::Refuse).unwrap();
        assert_eq!(window, Window { left: 0, top: 5, width: 16, height: 20 });
        let image = GrayImage::from_fn(30, 40, |x, y| Luma([(x + 3 * y) as u8]));
        assert_eq!(window.cut(&image).get_pixel(2, 1)[0], 2 + 3 * 6);
        let over = FaceBox { x: 25, ..face };
        let error = margins.inside(over, (30, 40), Overhang::Refuse).unwrap_err();
        assert_eq!(
            error,
            "the box at x 25, y 10 of 10 x 10 pixels reaches beyond the picture of 30 x 40 pixels"
        );
        let clipped = margins.inside(over, (30, 40), Overhang::Clip).unwrap();
        assert_eq!(clipped, Window { left: 20, top: 5, width: 10, height: 20 });
        let off = FaceBox { x: 30, ..face };
        assert!(margins.inside(off, (30, 40), Overhang::Clip).unwrap_err().contains("lies outside of"));
    }
}
