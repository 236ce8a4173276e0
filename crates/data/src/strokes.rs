//! Annotated lines to masks of one line width.
//!
//! Annotators draw wrinkles as lines in a program such as labelme, or with a coloured pen on a copy of the photograph.
//! [`read_line_mask`] draws the first kind. [`pen_mask`] finds the second kind, and [`redraw`] thins it to lines one
//! pixel wide, drops specks and draws it anew. Both give masks in which every line has the same width.

mod annotation;
mod thin;

pub use annotation::read_line_mask;
pub use thin::thin;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{GrayImage, Luma, RgbImage};
use imageproc::region_labelling::{Connectivity, connected_components};

use crate::error::Error;
use crate::pairs::{PICTURES, stems};

/// How strokes are told from the photograph under them.
#[derive(Debug, Clone, Copy)]
pub enum Pen<'a> {
    /// By the pen's colour: red, green, blue.
    Colour([u8; 3]),
    /// By what differs from the photograph without strokes.
    Change(&'a RgbImage),
}

/// Marks the strokes on a drawn-over photograph by 1.
///
/// A pixel is near to a colour when no channel differs by more than `tolerance`. Strokes of a [`Pen::Colour`] are near
/// to it; those of a [`Pen::Change`] are not near to the photograph. JPEG blurs colours and changes pixels beside the
/// strokes too, so that a tolerance of some 60 is needed, and a pen four pixels wide or more.
///
/// # Errors
/// [`Error::Config`] for a photograph of another size.
pub fn pen_mask(drawn: &RgbImage, pen: Pen, tolerance: u8) -> Result<GrayImage, Error> {
    let near = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= tolerance);
    let mark = |is: bool| u8::from(is);
    let marks: Vec<u8> = match pen {
        Pen::Colour(colour) => drawn.pixels().map(|pixel| mark(near(&pixel.0, &colour))).collect(),
        Pen::Change(photo) if photo.dimensions() == drawn.dimensions() => {
            drawn.pixels().zip(photo.pixels()).map(|(a, b)| mark(!near(&a.0, &b.0))).collect()
        }
        Pen::Change(photo) => {
            let ((width, height), (w, h)) = (drawn.dimensions(), photo.dimensions());
            let reason =
                format!("{width} x {height} pixels (width x height), but the photograph has {w} x {h}");
            return Err(Error::Config { key: "strokes", reason });
        }
    };
    Ok(GrayImage::from_raw(drawn.width(), drawn.height(), marks).unwrap_or_default())
}

/// The pictures of a folder by their stems; `role` says what they are.
///
/// # Errors
/// A missing or empty folder, or two pictures of one stem.
pub fn pictures(folder: &Path, role: &str) -> Result<BTreeMap<String, PathBuf>, Error> {
    some(folder, role, &PICTURES)
}

/// The annotations (`*.json`) of a folder by their stems.
///
/// # Errors
/// As for [`pictures`].
pub fn annotations(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    some(folder, "annotations, *.json", &[".json"])
}

fn some(folder: &Path, role: &str, endings: &[&str]) -> Result<BTreeMap<String, PathBuf>, Error> {
    let found = stems(folder, role, endings)?;
    if found.is_empty() {
        return Err(Error::Empty { path: folder.to_path_buf(), what: format!("the folder ({role})") });
    }
    Ok(found)
}

/// Draws the strokes of a mask, any number but 0, anew with one line width in pixels.
///
/// Strokes are thinned ([`thin`]), and lines of fewer than `least` pixels are dropped. A line of even width lies half a
/// pixel to the right and below of its middle.
#[must_use]
pub fn redraw(mask: &GrayImage, width: f64, least: usize) -> GrayImage {
    let skeleton = without_specks(thin(mask), least);
    let middle = if width % 2.0 == 0.0 { 1.0 } else { 0.5 };
    let mut canvas = GrayImage::new(mask.width(), mask.height());
    for (x, y, _) in skeleton.enumerate_pixels().filter(|(_, _, value)| value[0] != 0) {
        let place = |x: u32, y: u32| [f64::from(x) + middle, f64::from(y) + middle];
        let here = place(x, y);
        draw_segment(&mut canvas, here, here, width);
        for (right, down) in [(x + 1, y), (x + 1, y + 1), (x, y + 1), (x.wrapping_sub(1), y + 1)] {
            if skeleton.get_pixel_checked(right, down).is_some_and(|value| value[0] != 0) {
                draw_segment(&mut canvas, here, place(right, down), width);
            }
        }
    }
    canvas
}

fn without_specks(mut skeleton: GrayImage, least: usize) -> GrayImage {
    let lines = connected_components(&skeleton, Connectivity::Eight, Luma([0]));
    let mut lengths = vec![0usize; 1 + lines.iter().copied().max().unwrap_or(0) as usize];
    lines.iter().for_each(|line| lengths[*line as usize] += 1);
    for (value, line) in skeleton.iter_mut().zip(lines.iter()) {
        if lengths[*line as usize] < least {
            *value = 0;
        }
    }
    skeleton
}

/// Draws a line through points by 1; a single point is a dot.
fn draw_line(canvas: &mut GrayImage, points: &[[f64; 2]], width: f64) {
    /// Longer pieces would look at many pixels far from the line.
    const PIECE: f64 = 32.0;
    if let Some(first) = points.first() {
        draw_segment(canvas, *first, *first, width);
    }
    for [from, to] in points.array_windows() {
        let pieces = ((to[0] - from[0]).hypot(to[1] - from[1]) / PIECE).ceil().max(1.0);
        let at = |piece: f64| [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * piece / pieces);
        for piece in 0..pieces as usize {
            draw_segment(canvas, at(piece as f64), at(piece as f64 + 1.0), width);
        }
    }
}

/// Marks every pixel whose centre is at most half the width from the segment. Places count from the picture's corner:
/// the centre of the first pixel is 0.5, 0.5.
fn draw_segment(canvas: &mut GrayImage, from: [f64; 2], to: [f64; 2], width: f64) {
    let reach = width / 2.0;
    let span = |axis: usize, side: u32| {
        let first = (from[axis].min(to[axis]) - reach).floor().max(0.0) as u32;
        first..((from[axis].max(to[axis]) + reach).ceil().max(0.0) as u32).min(side)
    };
    let along = [to[0] - from[0], to[1] - from[1]];
    let squared = along[0] * along[0] + along[1] * along[1];
    for y in span(1, canvas.height()) {
        for x in span(0, canvas.width()) {
            let [u, v] = [f64::from(x) + 0.5 - from[0], f64::from(y) + 0.5 - from[1]];
            let share =
                if squared > 0.0 { ((u * along[0] + v * along[1]) / squared).clamp(0.0, 1.0) } else { 0.0 };
            let distance = (u - share * along[0]).hypot(v - share * along[1]);
            // A hair more, so that rounding does not decide about centres that lie on the border.
            if distance <= reach + 1e-9 {
                canvas.put_pixel(x, y, Luma([1]));
            }
        }
    }
}

#[cfg(test)]
mod tests;
