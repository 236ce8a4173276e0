//! `data lines`: annotated lines as masks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use image::GrayImage;
use rayon::prelude::*;
use sconce_data::strokes::{Pen, annotations, pen_mask, pictures, read_line_mask, redraw};
use sconce_data::{Error, read_rgb, write_index_png};

use super::arguments::LinesArguments;
use super::output::{Counter, counted, print, tell};
use super::set::refuse_existing;

/// Index 1 is shown white.
const PALETTE: [[u8; 3]; 2] = [[0; 3], [255; 3]];

type Files = BTreeMap<String, PathBuf>;

/// Writes one mask per annotation or drawing; a bad file is told at the end and does not stop the others.
pub(crate) fn run(arguments: &LinesArguments) -> Result<()> {
    let photos = arguments.photos.as_deref().map(|folder| pictures(folder, "photographs")).transpose()?;
    let colour = arguments.colour.map(|colour| channels(colour.0)).transpose()?;
    let found = match (&arguments.json, &arguments.strokes) {
        (Some(folder), _) => annotations(folder)?,
        (None, Some(folder)) => pictures(folder, "photographs with strokes")?,
        (None, None) => bail!("--json or --strokes names the folder to read"),
    };
    if arguments.strokes.is_some() && colour.is_none() && photos.is_none() {
        bail!("--strokes needs --colour, the pen's, or --photos, the photographs without strokes");
    }
    let found: Vec<(String, PathBuf)> = found.into_iter().collect();
    let target = |id: &String| arguments.out.join(format!("{id}.png"));
    refuse_existing(&found.iter().map(|(id, _)| target(id)).collect::<Vec<_>>(), arguments.force)?;
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let counter = Counter::new("lines", found.len());
    let make = |(id, path): &(String, PathBuf)| -> Result<bool, Error> {
        let photo = photos.as_ref().map(|photos| photo_of(photos, id, arguments)).transpose();
        let mask = photo.and_then(|photo| match arguments.json {
            Some(_) => drawn(path, photo, arguments),
            None => redrawn(path, photo, colour, arguments),
        });
        counter.step();
        let mask = mask?;
        write_index_png(&target(id), &mask, Some(&PALETTE))?;
        Ok(mask.contains(&1))
    };
    let made: Vec<Result<bool, Error>> = found.par_iter().map(make).collect();
    drop(counter);
    let empty = made.iter().filter(|made| matches!(made, Ok(false))).count();
    let errors: Vec<Error> = made.into_iter().filter_map(Result::err).collect();
    let written = counted((found.len() - errors.len()) as u64, "mask");
    print(&format!("{written} in {}, {empty} without a line\n", arguments.out.display()))?;
    tell(&errors, found.len(), "got no mask")
}

fn photo_of<'a>(photos: &'a Files, id: &str, arguments: &LinesArguments) -> Result<&'a Path, Error> {
    let folder = arguments.photos.clone().unwrap_or_default();
    let missing = || Error::MissingFile { path: folder.join(id), role: "photograph".into() };
    photos.get(id).map(PathBuf::as_path).ok_or_else(missing)
}

fn drawn(path: &Path, photo: Option<&Path>, arguments: &LinesArguments) -> Result<GrayImage, Error> {
    let size = photo.map(|photo| read_rgb(photo).map(|photo| photo.dimensions())).transpose()?;
    read_line_mask(path, size, &arguments.labels, arguments.width.into())
}

fn redrawn(
    path: &Path,
    photo: Option<&Path>,
    colour: Option<[u8; 3]>,
    arguments: &LinesArguments,
) -> Result<GrayImage, Error> {
    let drawing = read_rgb(path)?;
    let photo = photo.map(|photo| read_rgb(photo).map(|read| (photo, read))).transpose()?;
    if let Some((target, photo)) =
        photo.as_ref().filter(|(_, photo)| photo.dimensions() != drawing.dimensions())
    {
        let (image_size, target_size) = (drawing.dimensions(), photo.dimensions());
        let (image, target) = (path.to_path_buf(), target.to_path_buf());
        return Err(Error::SizeMismatch { image, image_size, target, target_size });
    }
    let pen = match (colour, &photo) {
        (Some(colour), _) => Pen::Colour(colour),
        (None, Some((_, photo))) => Pen::Change(photo),
        (None, None) => Pen::Change(&drawing), // refused before: nothing would be marked
    };
    let mask = pen_mask(&drawing, pen, arguments.tolerance)?;
    Ok(redraw(&mask, arguments.width.into(), arguments.shortest))
}

fn channels(values: [f64; 3]) -> Result<[u8; 3]> {
    if values.iter().all(|value| (0.0..=255.0).contains(value)) {
        return Ok(values.map(|value| value as u8));
    }
    Err(anyhow!("--colour: red, green and blue are 0 to 255"))
}
