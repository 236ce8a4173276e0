//! What the data tools print while and after they read many files.

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::terminal;

/// A line that counts images, shown on a terminal alone.
pub(crate) struct Counter(ProgressBar);

impl Counter {
    pub(crate) fn new(work: &'static str, images: usize) -> Self {
        let bar = ProgressBar::new(images as u64).with_message(work);
        let template = "{msg} {wide_bar:.dim} {pos} of {len} images, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Tells each error and fails if there is any; the others were done.
pub(crate) fn tell(errors: &[impl std::fmt::Display], of: usize, what: &str) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    errors.iter().for_each(|error| eprintln!("{error}"));
    bail!("{} of {} {what}", errors.len(), counted(of as u64, "image"))
}

/// Prints text; a reader that stops reading, such as `head`, is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    terminal::write(format_args!("{text}")).context("cannot print")
}

/// Prints one JSON document.
pub(crate) fn print_json(document: &Value) -> Result<()> {
    print(&format!("{document:#}\n"))
}

/// `1 image`, `2 images`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
