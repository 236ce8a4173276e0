//! `data crop`: faces out of photographs.

use anyhow::{Context, Result};
use rayon::prelude::*;
use sconce_data::crop::{Filter, Margins, Photograph, photographs};
use sconce_data::{Error, write_index_png, write_rgb_png};

use super::arguments::CropArguments;
use super::boxes;
use super::output::{Counter, counted, print, tell};
use super::set::refuse_existing;

/// Writes one face and its label map per annotation; a bad file is told at the end and does not stop the others.
pub(crate) fn run(arguments: &CropArguments) -> Result<()> {
    if arguments.boxes.is_some() || !arguments.around.is_empty() {
        return boxes::run(arguments);
    }
    let margins = arguments.margins.map_or(Ok(Margins::NIA), |margins| Margins::new(margins.0))?;
    let size = arguments.size.unwrap_or(512);
    let filter = if arguments.smooth { Filter::Smooth } else { Filter::Nearest };
    let found = photographs(&arguments.root)?;
    let [images, masks] = ["images", "masks"].map(|name| arguments.out.join(name));
    let target = |photograph: &Photograph| {
        let name = format!("{}.png", photograph.id);
        [images.join(&name), masks.join(name)]
    };
    refuse_existing(&found.iter().flat_map(target).collect::<Vec<_>>(), arguments.force)?;
    for folder in [&images, &masks] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let counter = Counter::new("crop", found.len());
    let cut = |photograph: &Photograph| -> Result<(), Error> {
        let (face, labels) = photograph.cut(&margins, size, filter)?;
        let [image, mask] = target(photograph);
        write_rgb_png(&image, &face)?;
        write_index_png(&mask, &labels, None)
    };
    let errors = found.par_iter().filter_map(|photograph| {
        let result = cut(photograph);
        counter.step();
        result.err()
    });
    let errors: Vec<Error> = errors.collect();
    drop(counter);
    let written = counted((found.len() - errors.len()) as u64, "face");
    print(&format!("{written} of {size} x {size} pixels in {}\n", arguments.out.display()))?;
    tell(&errors, found.len(), "gave no face")
}
