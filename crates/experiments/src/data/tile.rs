//! `data tile`: large images in overlapping tiles.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use sconce_data::{Error, Tile, Tiles, read_labels, read_rgb, write_index_png, write_rgb_png};

use super::arguments::TileArguments;
use super::output::{Counter, counted, print, tell};
use crate::inputs;

/// Writes the tiles of every image; a bad file is told at the end and does not stop the others.
pub(crate) fn run(arguments: &TileArguments) -> Result<()> {
    // What is wrong with size and overlap is wrong for any picture.
    Tiles::new((1, 1), arguments.size.0, arguments.overlap)?;
    let images = inputs::images(&arguments.inputs)?;
    let stems = inputs::distinct_stems(&images);
    let folders = if arguments.masks.is_some() { ["images", "masks"].as_slice() } else { &["images"] };
    for folder in folders.iter().map(|name| arguments.out.join(name)) {
        let filled = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        if filled && !arguments.force {
            bail!(
                "{} is not empty; nothing was written. --force writes into it, or choose another --out",
                folder.display()
            );
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let (counter, written) = (Counter::new("tile", images.len()), AtomicU64::new(0));
    let cut = |(image, stem): (&PathBuf, &String)| -> Option<Error> {
        let tiles = cut(image, stem, arguments);
        counter.step();
        tiles.map(|tiles| written.fetch_add(tiles as u64, Ordering::Relaxed)).err()
    };
    let errors: Vec<Error> = images.par_iter().zip(&stems).filter_map(cut).collect();
    drop(counter);
    let (tiles, of) = (counted(written.into_inner(), "tile"), counted(images.len() as u64, "image"));
    print(&format!("{tiles} of {of} in {}\n", arguments.out.display()))?;
    tell(&errors, images.len(), "gave no tiles")
}

/// Writes the tiles of one image and its mask; both are read before the first is written.
fn cut(path: &Path, stem: &str, arguments: &TileArguments) -> Result<usize, Error> {
    let image = read_rgb(path)?;
    let own = path.file_stem().unwrap_or_default().to_string_lossy();
    let mask = arguments.masks.as_ref().map(|folder| folder.join(format!("{own}.png")));
    let labels = mask.as_ref().map(|mask| read_labels(mask, 255)).transpose()?;
    if let Some((labels, target)) =
        labels.as_ref().zip(mask).filter(|(labels, _)| labels.dimensions() != image.dimensions())
    {
        let (image_size, target_size) = (image.dimensions(), labels.dimensions());
        return Err(Error::SizeMismatch { image: path.to_path_buf(), image_size, target, target_size });
    }
    let picture = (image.height() as usize, image.width() as usize);
    let tiles = Tiles::new(picture, arguments.size.0, arguments.overlap)?;
    for tile in tiles.iter() {
        let Tile { top, left } = tile;
        let file = |folder: &str| arguments.out.join(folder).join(format!("{stem}_y{top:05}_x{left:05}.png"));
        write_rgb_png(&file("images"), &tiles.cut(&image, tile))?;
        if let Some(labels) = &labels {
            write_index_png(&file("masks"), &tiles.cut_labels(labels, tile), None)?;
        }
    }
    Ok(tiles.iter().len())
}
