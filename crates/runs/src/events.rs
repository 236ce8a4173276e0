//! Event files, which TensorBoard shows while a run goes on: numbers, pictures, distributions.

mod histogram;
mod message;
mod record;
#[cfg(test)]
mod tests;

pub use histogram::Histogram;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use prost::Message;

use crate::Error;
use message::{Event, Image, SessionLog, Summary, Value};

/// An open event file. Each event is in the file, whole, when the call that adds it returns.
///
/// A file is never changed by a later process: a run that goes on after step `s` begins a file of its own, whose first
/// entry tells the reader to forget everything after step `s` in the files before it (TensorBoard's purge, the
/// `purge_step` of other writers). So no step is shown twice, and a board that is open meanwhile follows.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Begins a file in `folder` for the steps after `step` (0 for a new run).
    ///
    /// # Errors
    ///
    /// The folder cannot be read or the file cannot be written.
    pub fn open(folder: &Path, step: u64) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|reason| Error::create(folder, reason))?;
        let before = event_files(folder)?;
        let (path, file) = new_file(folder, before.last().map_or(1, |last| last + 1))?;
        let mut events = Self { path, file };
        events.write(&Event { file_version: Some(VERSION.into()), ..Event::now(0) })?;
        if !before.is_empty() {
            let session_log = Some(SessionLog { status: SessionLog::START });
            events.write(&Event { session_log, ..Event::now(step + 1) })?;
        }
        Ok(events)
    }

    /// Adds numbers of one step, each under its tag; TensorBoard groups tags by what stands before a slash.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn scalars(&mut self, step: u64, numbers: &[(&str, f64)]) -> Result<(), Error> {
        let value = |&(tag, number): &(&str, f64)| Value {
            tag: tag.into(),
            simple_value: Some(number as f32),
            ..Value::default()
        };
        self.summary(step, numbers.iter().map(value).collect())
    }

    /// Adds a picture.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn picture(&mut self, step: u64, tag: &str, picture: &RgbImage) -> Result<(), Error> {
        let image = Image {
            height: picture.height() as i32,
            width: picture.width() as i32,
            colorspace: Image::RGB,
            encoded: self.png(picture)?,
        };
        self.summary(step, vec![Value { tag: tag.into(), image: Some(image), ..Value::default() }])
    }

    /// Adds a distribution. One without a finite value is left out.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn histogram(&mut self, step: u64, tag: &str, histogram: &Histogram) -> Result<(), Error> {
        let Some(histo) = histogram.message() else { return Ok(()) };
        self.summary(step, vec![Value { tag: tag.into(), histo: Some(histo), ..Value::default() }])
    }

    /// Forces all events to the disk; to be called before a checkpoint is saved.
    ///
    /// # Errors
    ///
    /// The operating system reports a failed write.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|reason| Error::write(&self.path, reason))
    }

    fn summary(&mut self, step: u64, values: Vec<Value>) -> Result<(), Error> {
        self.write(&Event { summary: Some(Summary { values }), ..Event::now(step) })
    }

    /// One call of the system for one record: a killed process leaves at most one torn record, at the end.
    fn write(&mut self, event: &Event) -> Result<(), Error> {
        let bytes = record::framed(&event.encode_to_vec());
        self.file.write_all(&bytes).map_err(|reason| Error::write(&self.path, reason))
    }

    fn png(&self, picture: &RgbImage) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new(&mut bytes);
        let (width, height) = picture.dimensions();
        encoder
            .write_image(picture.as_raw(), width, height, ExtendedColorType::Rgb8)
            .map_err(|reason| Error::write(&self.path, std::io::Error::other(reason)))?;
        Ok(bytes)
    }
}

impl Event {
    fn now(step: u64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_time: since.as_secs_f64(), step: step as i64, ..Self::default() }
    }
}

/// The format that readers expect, in the first event of a file.
const VERSION: &str = "brain.Event:2";
/// Readers take files with this name for event files, in the order of their names.
const PREFIX: &str = "events.out.tfevents.";

/// The numbers of the event files in a folder, in rising order.
fn event_files(folder: &Path) -> Result<Vec<u32>, Error> {
    let entries = fs::read_dir(folder).map_err(|reason| Error::read(folder, reason))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut numbers: Vec<u32> = names.filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn new_file(folder: &Path, first: u32) -> Result<(PathBuf, File), Error> {
    for number in first.. {
        let path = folder.join(format!("{PREFIX}{number:06}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(reason) if reason.kind() == ErrorKind::AlreadyExists => {}
            Err(reason) => return Err(Error::create(&path, reason)),
        }
    }
    Err(Error::create(folder, ErrorKind::AlreadyExists.into()))
}
