//! Writing pictures of hair into Figaro-1k's folders.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, RgbImage};
use png::{BitDepth, ColorType};

use super::{Style, render};
use crate::error::Error;
use crate::figaro::PER_STYLE;
use crate::files::{create_folder, write_whole};

/// Frames of each style: those of the k-th style are 150 k + 1 to 150 k + 150.
const OF_STYLE: usize = PER_STYLE as usize;

/// The folder that files are written to until all are there.
const UNFINISHED: &str = ".unfinished";

/// Writes pictures `0..count` of the set of `seed` in Figaro-1k's layout.
///
/// Makes `<root>/Original/{Training,Testing}/FrameNNNNN-org.jpg` and `<root>/GT/{Training,Testing}/FrameNNNNN-gt.png`, masks
/// of one bit a pixel; frame numbers tell the style, and every fifth picture of a style is for testing. Both folders
/// appear once all files are written. `progress` is called with the number of pictures written.
///
/// # Errors
/// [`Error::Config`] for a size out of bounds, fewer than 14 pictures (two of a style) or more than 1050; [`Error::Exists`]
/// when one of the folders is there already, or an unfinished set; what writing a file reports.
pub fn write_figaro(
    root: &Path,
    seed: u64,
    size: u32,
    count: usize,
    mut progress: impl FnMut(usize),
) -> Result<(), Error> {
    super::check_size(size)?;
    if !(14..=7 * OF_STYLE).contains(&count) {
        let reason = format!("{count} pictures; the layout needs 14..=1050, 150 of each of seven styles");
        return Err(Error::Config { key: "count", reason });
    }
    let unfinished = root.join(UNFINISHED);
    let folders = ["GT", "Original"];
    if let Some(path) =
        folders.map(|name| root.join(name)).into_iter().chain([unfinished.clone()]).find(|p| p.exists())
    {
        return Err(Error::Exists { path });
    }
    for folder in folders {
        for part in ["Training", "Testing"] {
            create_folder(&unfinished.join(folder).join(part))?;
        }
    }
    for index in 0..count {
        let picture = render(seed, index as u64, size);
        let (part, frame) = place(index);
        let file = |folder: &str, ending: &str| {
            unfinished.join(folder).join(part).join(format!("Frame{frame:05}-{ending}"))
        };
        write_jpeg(&file("Original", "org.jpg"), &picture.image)?;
        write_bits(&file("GT", "gt.png"), &picture.targets[0])?;
        progress(index + 1);
    }
    for name in folders {
        let (from, to) = (unfinished.join(name), root.join(name));
        fs::rename(&from, &to).map_err(|e| Error::io(&to, "write", e))?;
    }
    fs::remove_dir(&unfinished).map_err(|e| Error::io(&unfinished, "remove", e))
}

/// The folder and the frame number of a picture.
fn place(index: usize) -> (&'static str, usize) {
    let (style, number) = (Style::of_picture(index as u64) as usize, index / Style::ALL.len());
    let part = if number % 5 == 1 { "Testing" } else { "Training" };
    (part, OF_STYLE * style + number + 1)
}

fn write_jpeg(path: &Path, image: &RgbImage) -> Result<(), Error> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 95)
        .encode_image(image)
        .map_err(|e| Error::io(path, "encode the picture", std::io::Error::other(e)))?;
    write_whole(path, bytes.get_ref())
}

/// A PNG of one bit a pixel, white where the mask is 1.
fn write_bits(path: &Path, mask: &GrayImage) -> Result<(), Error> {
    let packed: Vec<u8> =
        mask.rows().flat_map(|row| pack(&row.map(|pixel| pixel[0]).collect::<Vec<_>>())).collect();
    let mut bytes = Vec::new();
    let encoded = (|| {
        let mut encoder = png::Encoder::new(&mut bytes, mask.width(), mask.height());
        encoder.set_depth(BitDepth::One);
        encoder.set_color(ColorType::Grayscale);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&packed)?;
        writer.finish()
    })();
    encoded.map_err(|e| Error::io(path, "encode the mask", std::io::Error::other(e)))?;
    write_whole(path, &bytes)
}

/// A row's bits, the first pixel highest; the last byte is filled up with zeros.
fn pack(row: &[u8]) -> Vec<u8> {
    row.chunks(8)
        .map(|eight| eight.iter().enumerate().fold(0, |byte, (k, bit)| byte | (bit & 1) << (7 - k)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rgb::read_rgb;

    #[test]
    fn frames_tell_the_style_and_one_of_five_is_for_testing() {
        assert_eq!(place(0), ("Training", 1));
        assert_eq!(place(6), ("Training", 901));
        assert_eq!(place(8), ("Testing", 152));
        assert_eq!(place(1049), ("Training", 1050));
        let tested = (0..1050).filter(|index| place(*index).0 == "Testing").count();
        assert_eq!(tested, 210, "as many as Figaro-1k has");
    }

    #[test]
    fn a_written_set_holds_the_pictures_and_their_masks() {
        let root = tempfile::tempdir().unwrap();
        let mut seen = 0;
        write_figaro(root.path(), 5, 36, 14, |done| seen = done).unwrap();
        assert_eq!(seen, 14);
        for index in [0, 13] {
            let (part, frame) = place(index);
            let file = |folder: &str, end: &str| {
                read_rgb(&root.path().join(format!("{folder}/{part}/Frame{frame:05}-{end}"))).unwrap()
            };
            let picture = render(5, index as u64, 36);
            let (image, mask) = (file("Original", "org.jpg"), file("GT", "gt.png"));
            let off: u32 =
                image.iter().zip(picture.image.iter()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert!(off < 8 * 36 * 36 * 3, "{off}");
            let bits: Vec<u8> = mask.pixels().map(|pixel| pixel[0] / 255).collect();
            assert_eq!(&bits, picture.targets[0].as_raw(), "rows of 36 pixels end within a byte");
        }
        let mut names: Vec<_> = fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["GT", "Original"]);
        assert_eq!(fs::read_dir(root.path().join("GT/Testing")).unwrap().count(), 7);
    }

    #[test]
    fn nothing_is_written_over_and_numbers_are_checked() {
        let root = tempfile::tempdir().unwrap();
        let told = |size, count| write_figaro(root.path(), 5, size, count, |_| ()).unwrap_err();
        assert!(told(32, 7).to_string().contains("count: 7 pictures"));
        assert!(told(32, 1051).to_string().contains("14..=1050"));
        assert!(told(16, 20).to_string().contains("size: 16 pixels"));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        fs::create_dir(root.path().join("Original")).unwrap();
        assert!(matches!(told(32, 14), Error::Exists { path } if path.ends_with("Original")));
        assert!(!root.path().join("GT").exists());
    }
}
