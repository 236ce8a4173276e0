//! `data synth`: procedural sets as files.

use anyhow::{Context, Result, bail};
use sconce_data::{Dataset, Split, faces, hair, shapes, wrinkles, write_folder, write_nia, write_voc};

use crate::cli::SynthArguments;

/// Renders portraits into the NIA layout: eight of ten to train on, one to validate, one to test.
pub(crate) fn faces(arguments: &SynthArguments) -> Result<()> {
    let SynthArguments { count, seed, size, ref out, .. } = *arguments;
    let tenth = tenth(count)?;
    let config = faces::Config { seed, size, train: count - 2 * tenth, val: tenth, test: tenth };
    for split in Split::ALL {
        let set = faces::Faces::open(&config, split)?;
        write_nia(out, split, &set, progress(split, set.len())).context("the set is not complete")?;
    }
    println!("{count} faces of {size} x {size} pixels in {}", out.display());
    Ok(())
}

/// Renders skin and masks of its wrinkles into a plain folder, divided as faces are.
pub(crate) fn wrinkles(arguments: &SynthArguments) -> Result<()> {
    /// The masks' colours: no wrinkle, wrinkle.
    const PALETTE: [[u8; 3]; 2] = [[0, 0, 0], [255, 200, 0]];
    let SynthArguments { count, seed, size, ref out, .. } = *arguments;
    let tenth = tenth(count)?;
    let config = wrinkles::Config { seed, size, train: count - 2 * tenth, val: tenth, test: tenth };
    for split in Split::ALL {
        let set = wrinkles::Wrinkles::open(&config, split)?;
        write_folder(out, split, &set, &PALETTE, progress(split, set.len()))
            .context("the set is not complete")?;
    }
    println!("{count} pictures of {size} x {size} pixels in {}", out.display());
    Ok(())
}

/// Renders portraits and masks of their hair into Figaro-1k's layout: four of five to train on, one to test.
pub(crate) fn hair(arguments: &SynthArguments) -> Result<()> {
    let SynthArguments { count, seed, size, ref out, .. } = *arguments;
    let told = |done| {
        if done == count || done % 100 == 0 {
            println!("{done} of {count}");
        }
    };
    hair::write_figaro(out, seed, size, count, told).context("the set is not complete")?;
    println!("{count} pictures of {size} x {size} pixels in {}", out.display());
    Ok(())
}

/// Renders shapes into VOC's layout, divided as faces are.
pub(crate) fn shapes(arguments: &SynthArguments) -> Result<()> {
    let SynthArguments { count, seed, size, ref out, .. } = *arguments;
    let tenth = tenth(count)?;
    let config = shapes::Config { seed, size, train: count - 2 * tenth, val: tenth, test: tenth };
    for split in Split::ALL {
        let set = shapes::Shapes::open(&config, split)?;
        write_voc(out, split, &set, progress(split, set.len())).context("the set is not complete")?;
    }
    println!("{count} pictures of {size} x {size} pixels in {}", out.display());
    Ok(())
}

/// How many of the images each of the held-out splits gets.
fn tenth(count: usize) -> Result<usize> {
    if count < 3 {
        bail!("--count {count}: at least 3 images are needed, one for each split");
    }
    Ok((count / 10).max(1))
}

/// Prints every hundredth and the last.
fn progress(split: Split, total: usize) -> impl FnMut(usize) {
    move |done| {
        if done == total || done % 100 == 0 {
            println!("{split}: {done} of {total}");
        }
    }
}
