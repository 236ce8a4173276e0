//! `data crop` with `--boxes` or `--around`: faces out of a plain set of images and masks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use image::{GrayImage, RgbImage};
use rayon::prelude::*;
use sconce_data::crop::{FaceBox, Margins, Overhang, Window, box_around, read_boxes};
use sconce_data::{Error, Inventory, Item, Layout, read_rgb, write_index_png, write_rgb_png};

use super::arguments::CropArguments;
use super::output::{Counter, counted, print, tell};
use super::set::refuse_existing;

/// Where the boxes come from.
enum Source {
    List { path: PathBuf, boxes: BTreeMap<String, FaceBox> },
    Around(Vec<u8>),
}

/// Writes one crop and its mask per image; a bad box or file is told at the end and does not stop the others.
pub(super) fn run(arguments: &CropArguments) -> Result<()> {
    let margins = Margins::new(arguments.margins.map_or([0.0; 4], |margins| margins.0))?;
    let names = arguments.classes.clone().map(|classes| classes.0);
    let set = Inventory::of_directory(&arguments.root, &arguments.folders.folders(), names)?;
    if set.layout == Layout::Nia {
        bail!("{} is in NIA's layout; --boxes and --around need images/ and masks/", set.root.display());
    }
    tell(&set.defects, set.items.len(), "are not in order; nothing was written")?;
    let source = source(arguments, &set)?;
    let [images, masks] = ["images", "masks"].map(|name| arguments.out.join(name));
    let target = |item: &Item| {
        let name = format!("{}.png", item.id);
        [images.join(&name), masks.join(name)]
    };
    refuse_existing(&set.items.iter().flat_map(target).collect::<Vec<_>>(), arguments.force)?;
    for folder in [&images, &masks] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let counter = Counter::new("crop", set.items.len());
    let cut = |item: &Item| -> Result<(), Error> {
        let (image, labels) = (read_rgb(&item.image)?, set.labels(item)?);
        let window = window(&source, item, &labels, &margins, arguments.clip)?;
        let (face, labels) = cut_out(&window, (&image, &labels), arguments)?;
        let [image, mask] = target(item);
        write_rgb_png(&image, &face)?;
        write_index_png(&mask, &labels, None)
    };
    let errors = set.items.par_iter().filter_map(|item| {
        let result = cut(item);
        counter.step();
        result.err()
    });
    let errors: Vec<Error> = errors.collect();
    drop(counter);
    let written = counted((set.items.len() - errors.len()) as u64, "crop");
    print(&format!("{written} in {}\n", arguments.out.display()))?;
    let clips = arguments.clip || arguments.boxes.is_none();
    let remedy = if clips { "" } else { "; --clip cuts boxes off at the border of the picture" };
    tell(&errors, set.items.len(), &format!("gave no crop{remedy}"))
}

/// The list of boxes, or the labels to look for.
fn source(arguments: &CropArguments, set: &Inventory) -> Result<Source> {
    if let Some(path) = &arguments.boxes {
        let boxes = read_boxes(path)?;
        if let Some(id) = boxes.keys().find(|id| set.items.iter().all(|item| item.id != **id)) {
            bail!("{}: there is no image '{id}' in {}", path.display(), set.root.display());
        }
        return Ok(Source::List { path: path.clone(), boxes });
    }
    let label = |class: &String| -> Result<u8> {
        let named = set.classes.iter().flatten().position(|name| name == class);
        let label = named.or_else(|| class.parse().ok()).and_then(|label| u8::try_from(label).ok());
        let known =
            set.classes.as_ref().map_or("numbers; --classes gives names".into(), |names| names.join(", "));
        label.ok_or_else(|| anyhow!("--around: there is no class '{class}'; the classes are {known}"))
    };
    Ok(Source::Around(arguments.around.iter().map(label).collect::<Result<_>>()?))
}

/// What to cut out of an item's image.
fn window(
    source: &Source,
    item: &Item,
    labels: &GrayImage,
    margins: &Margins,
    clip: bool,
) -> Result<Window, Error> {
    let wrong = |path: &Path, reason: String| Error::Annotation { path: path.to_path_buf(), reason };
    let (path, face, missing) = match source {
        Source::List { path, boxes } => (path, boxes.get(&item.id).copied(), "there is no line of this id"),
        Source::Around(wanted) => {
            (&item.labels, box_around(labels, wanted), "no pixel is of the chosen classes")
        }
    };
    let overhang = if clip { Overhang::Clip } else { Overhang::Refuse };
    let face = face.ok_or_else(|| wrong(path, format!("'{}': {missing}", item.id)))?;
    let window = margins.inside(face, labels.dimensions(), overhang);
    window.map_err(|reason| wrong(path, format!("'{}': {reason}", item.id)))
}

/// The cut-out of both, at its own size or at that of the command line.
fn cut_out(
    window: &Window,
    (image, labels): (&RgbImage, &GrayImage),
    arguments: &CropArguments,
) -> Result<(RgbImage, GrayImage), Error> {
    let Some(size) = arguments.size else { return Ok((window.cut(image), window.cut(labels))) };
    let face =
        if arguments.smooth { window.smooth_picture(image, size)? } else { window.picture(image, size) };
    Ok((face, window.labels(labels, size)))
}
