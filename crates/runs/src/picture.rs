//! Pictures to look at: classes laid over an image, image beside truth beside prediction, and sheets of these.

use image::imageops::{FilterType, replace, resize};
use image::{GrayImage, Pixel, Rgb, RgbImage};

use crate::Error;
use crate::palette::Colour;

/// Lays the classes' colours over an image, `alpha` (0..=1) of the colour, and draws a thin light line along the inside of each
/// region's edge.
///
/// Class 0 and labels beyond the palette, such as an ignore label, stay transparent.
///
/// # Errors
///
/// The image and the labels differ in size.
pub fn overlay(
    image: &RgbImage,
    labels: &GrayImage,
    palette: &[Colour],
    alpha: f32,
) -> Result<RgbImage, Error> {
    check_sizes(image, labels)?;
    let line = line_width(labels);
    let mut picture = image.clone();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let label = usize::from(labels.get_pixel(x, y).0[0]);
        if label == 0 || label >= palette.len() {
            continue;
        }
        *pixel = tint(*pixel, palette[label], alpha);
        if is_edge(labels, x, y, line) {
            let light = blend(Rgb(palette[label]), WHITE, LINE_LIGHTNESS);
            *pixel = blend(*pixel, light, LINE_ALPHA * (alpha / ALPHA).min(1.0));
        }
    }
    Ok(picture)
}

/// An image, its true labels and the predicted ones laid over it, side by side. Small pictures are enlarged by a whole factor.
///
/// # Errors
///
/// The three differ in size.
pub fn comparison(
    image: &RgbImage,
    truth: &GrayImage,
    prediction: &GrayImage,
    palette: &[Colour],
) -> Result<RgbImage, Error> {
    comparison_of_several(image, truth, &[prediction], palette)
}

/// As [`comparison`], of several predictions, three pictures in a row.
///
/// # Errors
///
/// The maps differ from the image in size.
pub fn comparison_of_several(
    image: &RgbImage,
    truth: &GrayImage,
    predictions: &[&GrayImage],
    palette: &[Colour],
) -> Result<RgbImage, Error> {
    Ok(contact_sheet(&beside(image, truth, predictions, palette)?, 3))
}

/// A [`comparison`] with the [`error_map`] as its fourth part.
///
/// # Errors
///
/// The three differ in size.
pub fn comparison_with_errors(
    image: &RgbImage,
    truth: &GrayImage,
    prediction: &GrayImage,
    palette: &[Colour],
) -> Result<RgbImage, Error> {
    comparison_of_several_with_errors(image, truth, &[prediction], palette)
}

/// A [`comparison_of_several`] with the [`error_map`] of each of them, four pictures in a row.
///
/// # Errors
///
/// The maps differ from the image in size.
pub fn comparison_of_several_with_errors(
    image: &RgbImage,
    truth: &GrayImage,
    predictions: &[&GrayImage],
    palette: &[Colour],
) -> Result<RgbImage, Error> {
    let mut pictures = beside(image, truth, predictions, palette)?;
    let factor = factor(image);
    let (image, truth) = (enlarge(image, factor), enlarge_labels(truth, factor));
    for prediction in predictions {
        pictures.push(error_map(&image, &truth, &enlarge_labels(prediction, factor), palette.len())?);
    }
    Ok(contact_sheet(&pictures, 4))
}

/// The enlarged image, and the truth and each prediction laid over it.
fn beside(
    image: &RgbImage,
    truth: &GrayImage,
    predictions: &[&GrayImage],
    palette: &[Colour],
) -> Result<Vec<RgbImage>, Error> {
    let maps = || std::iter::once(&truth).chain(predictions);
    maps().try_for_each(|map| check_sizes(image, map))?;
    let factor = factor(image);
    let image = enlarge(image, factor);
    let over = maps().map(|map| overlay(&image, &enlarge_labels(map, factor), palette, ALPHA));
    let over = over.collect::<Result<Vec<_>, _>>()?;
    Ok(std::iter::once(image).chain(over).collect())
}

/// The image in pale gray with every wrong pixel in red. Pixels whose true label is none of the `classes`, such as an
/// ignore label, count as neither.
///
/// # Errors
///
/// The three differ in size.
pub fn error_map(
    image: &RgbImage,
    truth: &GrayImage,
    prediction: &GrayImage,
    classes: usize,
) -> Result<RgbImage, Error> {
    check_sizes(image, truth)?;
    check_sizes(image, prediction)?;
    let mut picture = image.clone();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let [gray] = pixel.to_luma().0;
        let pale = blend(Rgb([gray; 3]), WHITE, PALENESS);
        let (label, predicted) = (truth.get_pixel(x, y), prediction.get_pixel(x, y));
        let wrong = label != predicted && usize::from(label.0[0]) < classes;
        *pixel = if wrong { blend(pale, WRONG, WRONG_ALPHA) } else { pale };
    }
    Ok(picture)
}

/// The image with every pixel of a foreground, label 1 in truth or prediction, in one of three colours: [`HIT`], [`MISS`] or
/// [`FALSE_ALARM`]. Pixels whose true label is neither 0 nor 1 stay as they are.
///
/// # Errors
///
/// The three differ in size.
pub fn hits(image: &RgbImage, truth: &GrayImage, prediction: &GrayImage) -> Result<RgbImage, Error> {
    check_sizes(image, truth)?;
    check_sizes(image, prediction)?;
    let mut picture = image.clone();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        match (truth.get_pixel(x, y)[0], prediction.get_pixel(x, y)[0]) {
            (1, 1) => *pixel = blend(*pixel, Rgb(HIT), HITS_ALPHA),
            (1, _) => *pixel = blend(*pixel, Rgb(MISS), HITS_ALPHA),
            (0, 1) => *pixel = blend(*pixel, Rgb(FALSE_ALARM), HITS_ALPHA),
            _ => {}
        }
    }
    Ok(picture)
}

/// In [`hits`]: foreground that was found, green.
pub const HIT: Colour = [0, 200, 83];
/// In [`hits`]: foreground that was not found, blue.
pub const MISS: Colour = [41, 98, 255];
/// In [`hits`]: background that was taken for foreground, red.
pub const FALSE_ALARM: Colour = [255, 23, 68];

/// Pictures in rows of at most `columns`, with thin gaps, each in the middle of a cell as large as the largest picture.
pub fn contact_sheet(pictures: &[RgbImage], columns: usize) -> RgbImage {
    let columns = columns.clamp(1, pictures.len().max(1));
    let rows = pictures.len().div_ceil(columns);
    let width = pictures.iter().map(RgbImage::width).max().unwrap_or(0);
    let height = pictures.iter().map(RgbImage::height).max().unwrap_or(0);
    let length = |cells: usize, size: u32| (cells as u32 * (size + GAP)).saturating_sub(GAP);
    let mut sheet = RgbImage::from_pixel(length(columns, width), length(rows, height), BETWEEN);
    for (number, picture) in pictures.iter().enumerate() {
        let x = (number % columns) as u32 * (width + GAP) + (width - picture.width()) / 2;
        let y = (number / columns) as u32 * (height + GAP) + (height - picture.height()) / 2;
        replace(&mut sheet, picture, x.into(), y.into());
    }
    sheet
}

/// Of a comparison's overlays: enough to tell classes apart, little enough to see the image.
const ALPHA: f32 = 0.5;
const LINE_ALPHA: f32 = 0.9;
/// How far a line's colour is from the class's towards white, 0..=1.
const LINE_LIGHTNESS: f32 = 0.5;
const WHITE: Rgb<u8> = Rgb([255; 3]);
/// How far an error map's image is from its own gray towards white, 0..=1.
const PALENESS: f32 = 0.55;
const WRONG: Rgb<u8> = Rgb([214, 40, 57]);
const WRONG_ALPHA: f32 = 0.85;
const HITS_ALPHA: f32 = 0.8;
/// In pixels.
const GAP: u32 = 4;
const BETWEEN: Rgb<u8> = WHITE;
/// Of an enlarged picture's shorter side, in pixels, as far as [`LARGEST_FACTOR`] allows.
const SMALLEST: u32 = 256;
const LARGEST_FACTOR: u32 = 8;

fn check_sizes(image: &RgbImage, labels: &GrayImage) -> Result<(), Error> {
    let ((w, h), (lw, lh)) = (image.dimensions(), labels.dimensions());
    if (w, h) == (lw, lh) {
        return Ok(());
    }
    let what = format!("an image of {w} x {h} pixels and labels of {lw} x {lh} (width x height)");
    Err(Error::Size { what })
}

/// In pixels: one, and one more for every 768 of the shorter side.
fn line_width(labels: &GrayImage) -> u32 {
    1 + labels.width().min(labels.height()) / 768
}

/// Whether another class is within `distance` pixels to the left, right, top or bottom. The picture's own edge is none.
fn is_edge(labels: &GrayImage, x: u32, y: u32, distance: u32) -> bool {
    let label = labels.get_pixel(x, y);
    let differs = |x: u32, y: u32| labels.get_pixel_checked(x, y).is_some_and(|other| other != label);
    (1..=distance).any(|d| {
        differs(x.wrapping_sub(d), y)
            || differs(x + d, y)
            || differs(x, y.wrapping_sub(d))
            || differs(x, y + d)
    })
}

/// Takes some of the pixel's own hue away first: a blue over orange skin would otherwise turn gray.
fn tint(pixel: Rgb<u8>, colour: Colour, share: f32) -> Rgb<u8> {
    let [gray] = pixel.to_luma().0;
    blend(blend(pixel, Rgb([gray; 3]), share), Rgb(colour), share)
}

fn blend(pixel: Rgb<u8>, other: Rgb<u8>, share: f32) -> Rgb<u8> {
    let mix = |old: u8, new: u8| (f32::from(old) * (1.0 - share) + f32::from(new) * share).round() as u8;
    Rgb(std::array::from_fn(|part| mix(pixel.0[part], other.0[part])))
}

/// The whole factor that makes the shorter side at least [`SMALLEST`].
fn factor(image: &RgbImage) -> u32 {
    match image.width().min(image.height()) {
        0 => 1,
        shorter => SMALLEST.div_ceil(shorter).min(LARGEST_FACTOR),
    }
}

fn enlarge(image: &RgbImage, factor: u32) -> RgbImage {
    if factor == 1 {
        return image.clone();
    }
    resize(image, image.width() * factor, image.height() * factor, FilterType::CatmullRom)
}

/// Each new pixel takes the label with the greatest bilinear weight among its four old neighbours, which rounds the stairs of a
/// slanted edge.
fn enlarge_labels(labels: &GrayImage, factor: u32) -> GrayImage {
    GrayImage::from_fn(labels.width() * factor, labels.height() * factor, |x, y| {
        let (left, right, u) = neighbours(x, factor, labels.width());
        let (top, bottom, v) = neighbours(y, factor, labels.height());
        let places = [(left, top), (right, top), (left, bottom), (right, bottom)];
        let weights = [(1.0 - u) * (1.0 - v), u * (1.0 - v), (1.0 - u) * v, u * v];
        let votes = places.map(|(x, y)| *labels.get_pixel(x, y));
        let weight = |label| (0..4).filter(|i| votes[*i] == label).map(|i| weights[i]).sum::<f32>();
        votes.into_iter().reduce(|a, b| if weight(b) > weight(a) { b } else { a }).unwrap_or(votes[0])
    })
}

/// The old pixels before and after a new one, and how far it is from the first to the second, 0..=1.
fn neighbours(place: u32, factor: u32, size: u32) -> (u32, u32, f32) {
    let old = ((place as f32 + 0.5) / factor as f32 - 0.5).clamp(0.0, (size - 1) as f32);
    (old as u32, (old as u32 + 1).min(size - 1), old.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette;
    use image::Luma;

    /// A square of class 1 in the middle, labels of 255 in the first row.
    fn square(size: u32) -> GrayImage {
        let inside = size / 4..size - size / 4;
        GrayImage::from_fn(size, size, |x, y| match (x, y) {
            (_, 0) => Luma([255]),
            (x, y) if inside.contains(&x) && inside.contains(&y) => Luma([1]),
            _ => Luma([0]),
        })
    }

    fn gray(size: u32) -> RgbImage {
        RgbImage::from_pixel(size, size, Rgb([100, 100, 100]))
    }

    #[test]
    fn regions_are_tinted_lined_and_the_rest_is_untouched() {
        let colours = [[0, 0, 0], [200, 0, 0]];
        let picture = overlay(&gray(40), &square(40), &colours, 0.5).unwrap();
        assert_eq!(picture.get_pixel(20, 20).0, [150, 50, 50]);
        assert_eq!(picture.get_pixel(10, 20).0, [220, 120, 120]);
        assert_eq!(picture.get_pixel(11, 20).0, [150, 50, 50]);
        assert_eq!(picture.get_pixel(9, 20).0, [100, 100, 100]);
        assert_eq!(picture.get_pixel(5, 0).0, [100, 100, 100]);
    }

    #[test]
    fn alpha_has_its_limits() {
        let labels = GrayImage::from_pixel(3, 2, Luma([1]));
        let image = RgbImage::from_pixel(3, 2, Rgb([10, 20, 30]));
        assert_eq!(overlay(&image, &labels, &palette(2), 0.0).unwrap(), image);
        let full = overlay(&image, &labels, &palette(2), 1.0).unwrap();
        assert!(full.pixels().all(|pixel| pixel.0 == palette(2)[1]));
    }

    #[test]
    fn different_sizes_are_refused() {
        let error = overlay(&gray(4), &square(5), &palette(2), 0.5).unwrap_err().to_string();
        assert!(error.contains("4 x 4") && error.contains("5 x 5"), "{error}");
        assert!(comparison(&gray(8), &square(8), &square(9), &palette(2)).is_err());
        assert!(comparison(&gray(8), &square(9), &square(8), &palette(2)).is_err());
    }

    #[test]
    fn a_comparison_has_three_equal_parts() {
        let large = comparison(&gray(300), &square(300), &square(300), &palette(2)).unwrap();
        assert_eq!(large.dimensions(), (3 * 300 + 2 * GAP, 300));
        let small = comparison(&gray(100), &square(100), &square(100), &palette(2)).unwrap();
        assert_eq!(small.dimensions(), (3 * 300 + 2 * GAP, 300));
        assert_eq!(*small.get_pixel(300, 10), BETWEEN);
        assert_eq!(small.get_pixel(304 + 150, 150), small.get_pixel(608 + 150, 150));
    }

    #[test]
    fn wrong_pixels_are_red_and_ignored_ones_are_not() {
        let truth = GrayImage::from_fn(3, 1, |x, _| Luma([[1, 1, 255][x as usize]]));
        let prediction = GrayImage::from_fn(3, 1, |x, _| Luma([[1, 0, 1][x as usize]]));
        let image = RgbImage::from_pixel(3, 1, Rgb([100, 100, 100]));
        let map = error_map(&image, &truth, &prediction, 2).unwrap();
        let red: Vec<bool> = map.pixels().map(|p| p.0[0] > p.0[1] + 50).collect();
        assert_eq!(red, [false, true, false]);
        assert_eq!(map.get_pixel(0, 0), map.get_pixel(2, 0));
        assert!(error_map(&image, &truth, &square(2), 2).is_err());
        let four = comparison_with_errors(&gray(300), &square(300), &square(300), &palette(2)).unwrap();
        assert_eq!(four.dimensions(), (4 * 300 + 3 * GAP, 300));
    }

    #[test]
    fn enlarged_labels_keep_their_places_and_invent_none() {
        let labels = GrayImage::from_fn(5, 4, |x, y| Luma([[3, 9, 200][((x * x + y * 7) % 3) as usize]]));
        for factor in 1..=5 {
            let large = enlarge_labels(&labels, factor);
            assert_eq!(large.dimensions(), (5 * factor, 4 * factor));
            assert!(large.pixels().all(|pixel| [3, 9, 200].contains(&pixel.0[0])));
            for (x, y, label) in labels.enumerate_pixels() {
                if factor % 2 == 1 {
                    let middle = large.get_pixel(x * factor + factor / 2, y * factor + factor / 2);
                    assert_eq!(middle, label, "{factor}: {x}, {y}");
                }
            }
        }
        assert_eq!(enlarge_labels(&labels, 1), labels);
        assert_eq!(enlarge_labels(&GrayImage::new(0, 3), 2).dimensions(), (0, 6));
    }

    #[test]
    fn a_sheet_holds_every_picture() {
        let pictures: Vec<_> = (0..5_u8).map(|i| RgbImage::from_pixel(10, 6, Rgb([i, 0, 0]))).collect();
        let sheet = contact_sheet(&pictures, 2);
        assert_eq!(sheet.dimensions(), (2 * 10 + GAP, 3 * 6 + 2 * GAP));
        assert_eq!(sheet.get_pixel(10 + GAP, 6 + GAP).0, [3, 0, 0]);
        assert_eq!(*sheet.get_pixel(23, 25), BETWEEN);
        assert_eq!(contact_sheet(&pictures, 9).dimensions(), (5 * 10 + 4 * GAP, 6));
        assert_eq!(contact_sheet(&[], 3).dimensions(), (0, 0));
        let mixed = contact_sheet(&[pictures[1].clone(), RgbImage::from_pixel(20, 20, Rgb([9, 9, 9]))], 2);
        assert_eq!((mixed.get_pixel(5, 7).0, *mixed.get_pixel(0, 0)), ([1, 0, 0], BETWEEN));
    }

    #[test]
    fn hits_misses_and_false_alarms_differ() {
        let image = RgbImage::from_pixel(5, 1, Rgb([100; 3]));
        let row = |values: [u8; 5]| GrayImage::from_raw(5, 1, values.to_vec()).unwrap();
        let picture = hits(&image, &row([1, 1, 0, 0, 255]), &row([1, 0, 1, 0, 1])).unwrap();
        let strongest = |x: u32| {
            let pixel = picture.get_pixel(x, 0).0;
            (0..3).max_by_key(|&channel| pixel[channel]).unwrap()
        };
        assert_eq!([strongest(0), strongest(1), strongest(2)], [1, 2, 0]);
        assert_eq!((picture.get_pixel(3, 0), picture.get_pixel(4, 0)), (&Rgb([100; 3]), &Rgb([100; 3])));
        assert!(hits(&image, &row([0; 5]), &GrayImage::new(4, 1)).is_err());
    }
}
