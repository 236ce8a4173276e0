//! Pictures inside the page.

use std::io::Cursor;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use maud::{Markup, html};

use super::content::Picture;
use crate::Error;

/// Pictures with their captions; nothing if there are none.
pub(super) fn figures(heading: &str, pictures: &[Picture]) -> Result<Markup, Error> {
    let mut figures = Vec::new();
    for picture in pictures {
        figures.push((data(&picture.path)?, &picture.caption));
    }
    Ok(html! {
        @if !figures.is_empty() {
            h3 { (heading) }
            p.note { "Image, truth, prediction, and wrong pixels in red." }
            div.pictures { @for (data, caption) in figures {
                figure { img src=(data) alt=(caption); figcaption { (caption) } }
            } }
        }
    })
}

/// Enough for two on a wide screen, little enough to send by mail.
const LARGEST_WIDTH: u32 = 1200;
const QUALITY: u8 = 82;

/// A picture as JPEG in the address itself.
fn data(path: &Path) -> Result<String, Error> {
    let bytes = std::fs::read(path).map_err(|reason| Error::read(path, reason))?;
    let picture =
        image::load_from_memory(&bytes).map_err(|reason| Error::damaged(path, reason.to_string()))?;
    let mut picture = picture.into_rgb8();
    if picture.width() > LARGEST_WIDTH {
        let height = (picture.height() * LARGEST_WIDTH / picture.width()).max(1);
        picture = resize(&picture, LARGEST_WIDTH, height, FilterType::Triangle);
    }
    let mut jpeg = Cursor::new(Vec::new());
    let encoded = picture.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY));
    encoded.map_err(|reason| Error::damaged(path, reason.to_string()))?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg.into_inner())))
}
