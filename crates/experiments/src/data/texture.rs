//! `data texture`: texture maps as files.

use std::path::PathBuf;

use anyhow::{Context, Result};
use rayon::prelude::*;
use sconce_data::{Error, read_rgb, texture_map, write_index_png};

use super::arguments::TextureArguments;
use super::output::{Counter, counted, print, tell};
use super::set::refuse_existing;
use crate::inputs;

/// Writes one map per image; a bad file is told at the end and does not stop the others.
pub(crate) fn run(arguments: &TextureArguments) -> Result<()> {
    let images = inputs::images(&arguments.inputs)?;
    let stems = inputs::distinct_stems(&images);
    let targets: Vec<PathBuf> = stems.iter().map(|stem| arguments.out.join(format!("{stem}.png"))).collect();
    refuse_existing(&targets, arguments.force)?;
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let counter = Counter::new("texture", images.len());
    let make = |(image, target): (&PathBuf, &PathBuf)| -> Option<Error> {
        let written = read_rgb(image).and_then(|image| write_index_png(target, &texture_map(&image), None));
        counter.step();
        written.err()
    };
    let errors: Vec<Error> = images.par_iter().zip(&targets).filter_map(make).collect();
    drop(counter);
    let written = counted((images.len() - errors.len()) as u64, "texture map");
    print(&format!("{written} in {}\n", arguments.out.display()))?;
    tell(&errors, images.len(), "got no texture map")
}
