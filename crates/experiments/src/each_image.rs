//! The same work on every image of a list: a line that tells how far it is, and at the end those that failed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is printed where there is no terminal, as in a log file.
const WITHOUT_TERMINAL: Duration = Duration::from_secs(30);

/// Does `work` with every image and its place in the list. One that fails does not keep the others from their turn.
///
/// # Errors
///
/// The error of a single image; of several the number of those that failed, after each was told about.
pub(crate) fn each_image(images: &[PathBuf], mut work: impl FnMut(usize, &Path) -> Result<()>) -> Result<()> {
    if let [image] = images {
        return work(0, image).map_err(|error| error.context(image.display().to_string()));
    }
    let (mut line, mut failed) = (Line::new(images.len()), Vec::new());
    for (index, image) in images.iter().enumerate() {
        line.show(index, image, failed.len());
        if let Err(error) = work(index, image) {
            failed.push((image, error));
        }
    }
    drop(line);
    if failed.is_empty() {
        return Ok(());
    }
    failed
        .iter()
        .for_each(|(image, error): &(&PathBuf, Error)| eprintln!("failed: {}: {error:#}", image.display()));
    bail!("{} of {} images failed; the others are done", failed.len(), images.len())
}

/// Rewritten in place on a terminal.
struct Line {
    bar: ProgressBar,
    begun: Instant,
    printed: Instant,
    images: usize,
}

impl Line {
    fn new(images: usize) -> Self {
        let (bar, now) = (ProgressBar::new(images as u64), Instant::now());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, begun: now, printed: now, images }
    }

    /// Before the work on the image at this place.
    fn show(&mut self, done: usize, image: &Path, failed: usize) {
        let speed = done as f64 / self.begun.elapsed().as_secs_f64().max(1e-3);
        let left = (self.images - done) as f64 / speed.max(1e-3);
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let mut text = format!("{done}/{} images", self.images);
        if done > 0 {
            text += &format!(", {speed:.1} images/s, {left:.0} s left");
        }
        if failed > 0 {
            text += &format!(", {failed} failed");
        }
        if self.bar.is_hidden() && self.printed.elapsed() >= WITHOUT_TERMINAL {
            self.printed = Instant::now();
            println!("{text}");
        }
        self.bar.set_position(done as u64);
        self.bar.set_message(format!("{text}  {name}"));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_does_not_stop_the_others() {
        let images = ["a.jpg", "b.jpg", "c.jpg"].map(PathBuf::from);
        let mut seen = Vec::new();
        let work = |index: usize, image: &Path| {
            seen.push((index, image.to_path_buf()));
            if index == 1 { bail!("it is no picture") } else { Ok(()) }
        };
        let error = each_image(&images, work).unwrap_err().to_string();
        assert!(error.contains("1 of 3 images failed"), "{error}");
        assert_eq!(seen.len(), 3);
        let error = each_image(&images[1..2], |_, _| bail!("it is no picture")).unwrap_err();
        assert_eq!(format!("{error:#}"), "b.jpg: it is no picture");
    }
}
