//! Lines as annotation programs write them.

use std::path::Path;

use image::GrayImage;
use serde_json::Value;

use super::draw_line;
use crate::error::Error;
use crate::files;
use crate::rgb::MAX_PIXELS;

/// The lines of an annotation as a mask: 1 at most half of `width`, in pixels, from a line.
///
/// Two formats are read. Plain lines:
///
/// ```json
/// {"width": 500, "height": 400, "lines": [[[12.5, 80], [40, 78.25]], [[300, 20], [310, 64], [305, 90]]]}
/// ```
///
/// and labelme's, of which `imageWidth`, `imageHeight` and the `shapes` of type `linestrip` or `line` are used; with
/// `labels`, shapes of another label are passed over. Points are x and y in pixels from the picture's upper left corner,
/// whose first pixel has its centre at 0.5, 0.5. `photo` is the picture's width and height, where it is at hand.
///
/// # Errors
/// [`Error::Annotation`] with the place: what is no JSON or has no lines, shapes of another type, points that are no two
/// numbers or lie outside of the picture, a size that is not given or not the picture's. [`Error::MissingFile`] or
/// [`Error::Io`].
pub fn read_line_mask(
    path: &Path,
    photo: Option<(u32, u32)>,
    labels: &[String],
    width: f64,
) -> Result<GrayImage, Error> {
    let bytes = files::read(path, "annotation")?;
    let read = || -> Result<GrayImage, String> {
        let json: Value = serde_json::from_slice(&bytes).map_err(|e| format!("is no JSON: {e}"))?;
        let size = size_of(&json, photo)?;
        let mut canvas = GrayImage::new(size.0, size.1);
        for points in lines_of(&json, labels, size)? {
            draw_line(&mut canvas, &points, width);
        }
        Ok(canvas)
    };
    read().map_err(|reason| Error::Annotation { path: path.to_path_buf(), reason })
}

/// Width and height, by the annotation or the photograph; both must agree.
fn size_of(json: &Value, photo: Option<(u32, u32)>) -> Result<(u32, u32), String> {
    let side = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| json.get(name)).filter(|value| !value.is_null());
        let number = |value: &Value| value.as_u64().and_then(|side| u32::try_from(side).ok());
        found
            .map(|value| number(value).filter(|side| *side > 0).ok_or(format!("its size is {value}")))
            .transpose()
    };
    let own = side(["width", "imageWidth"])?.zip(side(["height", "imageHeight"])?);
    let (width, height) =
        own.or(photo).ok_or("does not say its picture's width and height; give its photograph")?;
    if let Some((w, h)) = photo.filter(|photo| *photo != (width, height)) {
        return Err(format!(
            "is of {width} x {height} pixels (width x height), but the photograph has {w} x {h}"
        ));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!("says {width} x {height} pixels; the limit is {MAX_PIXELS} pixels"));
    }
    Ok((width, height))
}

/// The points of every line, in either format.
fn lines_of(json: &Value, labels: &[String], size: (u32, u32)) -> Result<Vec<Vec<[f64; 2]>>, String> {
    if let Some(lines) = json.get("lines") {
        let lines = lines.as_array().ok_or("`lines` is no list")?;
        let named =
            lines.iter().enumerate().map(|(number, line)| points_of(line, &format!("line {number}"), size));
        return named.collect();
    }
    let shapes = json.get("shapes").ok_or("has neither `lines` nor labelme's `shapes`")?;
    let mut lines = Vec::new();
    for (number, shape) in shapes.as_array().ok_or("`shapes` is no list")?.iter().enumerate() {
        let text = |key: &str| shape.get(key).and_then(Value::as_str).unwrap_or_default();
        if !labels.is_empty() && labels.iter().all(|label| label != text("label")) {
            continue;
        }
        let name = format!("shape {number} ('{}')", text("label"));
        if !["linestrip", "line"].contains(&text("shape_type")) {
            return Err(format!(
                "{name} is of type '{}'; lines are 'linestrip' or 'line', and labels can be chosen",
                text("shape_type")
            ));
        }
        lines.push(points_of(shape.get("points").unwrap_or(&Value::Null), &name, size)?);
    }
    Ok(lines)
}

fn points_of(line: &Value, name: &str, (width, height): (u32, u32)) -> Result<Vec<[f64; 2]>, String> {
    let points = line.as_array().filter(|points| !points.is_empty());
    let points = points.ok_or_else(|| format!("{name} has no points"))?;
    let place = |(number, point): (usize, &Value)| {
        let number_at = |axis: usize| point.get(axis).and_then(Value::as_f64);
        let two = point.as_array().is_some_and(|point| point.len() == 2);
        let (Some(x), Some(y), true) = (number_at(0), number_at(1), two) else {
            return Err(format!("{name}, point {number} is {point}, not [x, y] in pixels"));
        };
        if (0.0..=f64::from(width)).contains(&x) && (0.0..=f64::from(height)).contains(&y) {
            return Ok([x, y]);
        }
        Err(format!(
            "{name}, point {number} at [{x}, {y}] lies outside of the picture of {width} x {height} pixels (width x height)"
        ))
    };
    points.iter().enumerate().map(place).collect()
}
