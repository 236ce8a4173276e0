//! VOC's colours of labels, and labels of colours.

use std::path::Path;

use crate::dataset::VOID;
use crate::error::Error;
use crate::label::Indices;
use crate::rgb::read_rgb;

use super::CLASSES;

/// The colour of every label, 0..=255 each of red, green and blue; 255, void, is a light cream.
///
/// VOC's development kit spreads a label's bits over the three channels: the lowest three bits are the highest of red,
/// green and blue, the next three those below, and so on.
pub const PALETTE: [[u8; 3]; 256] = palette();

const fn palette() -> [[u8; 3]; 256] {
    let mut colours = [[0; 3]; 256];
    let mut label = 0;
    while label < 256 {
        let mut bit = 0;
        while bit < 8 {
            colours[label][bit % 3] |= ((label >> bit & 1) as u8) << (7 - bit / 3);
            bit += 1;
        }
        label += 1;
    }
    colours
}

/// Reads a PNG of colours as labels.
///
/// # Errors
/// [`Error::LabelFormat`] with the place of the first colour that is neither a class's nor void's; `found` says in it
/// what the file is.
pub(crate) fn of_colours(path: &Path, found: &str) -> Result<Indices, Error> {
    let image = read_rgb(path)?;
    let labels = (0..CLASSES.len()).chain([usize::from(VOID)]);
    let known: Vec<([u8; 3], u16)> = labels.map(|label| (PALETTE[label], label as u16)).collect();
    let label = |(column, row, pixel): (u32, u32, &image::Rgb<u8>)| {
        let label = known.iter().find(|(colour, _)| *colour == pixel.0).map(|(_, label)| *label);
        label.ok_or_else(|| {
            let [red, green, blue] = pixel.0;
            let found = format!(
                "{found} of which ({red}, {green}, {blue}) at row {row}, column {column} is not in VOC's palette"
            );
            Error::LabelFormat { path: path.to_path_buf(), found }
        })
    };
    let values = image.enumerate_pixels().map(label).collect::<Result<_, _>>()?;
    Ok(Indices { width: image.width(), height: image.height(), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_development_kit() {
        assert_eq!(PALETTE[..3], [[0, 0, 0], [128, 0, 0], [0, 128, 0]]);
        assert_eq!((PALETTE[8], PALETTE[15]), ([64, 0, 0], [192, 128, 128]));
        assert_eq!((PALETTE[20], PALETTE[255]), ([0, 64, 128], [224, 224, 192]));
    }
}
