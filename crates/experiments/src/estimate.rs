//! The most memory that a training step and a prediction hold, without running them at their size.
//!
//! What a process holds is a part that does not depend on the images (weights, their gradients, the optimizer's state, the
//! program itself) and so much for each pixel of the batch. Both are taken from small steps that are run, each in a process
//! of its own: two that differ in their pixels alone. A step that is small itself is run as it is.

use std::fmt;
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use sconce_runs::peak_memory;

use crate::cli::SummaryArguments;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Train,
    Predict,
}

/// A step on images of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) work: Work,
    /// Images.
    pub(crate) batch: usize,
    /// Height and width in pixels.
    pub(crate) size: (usize, usize),
}

/// Pixels of a batch up to which a step is run at its own size, and of the larger of two small ones.
const MANY: usize = 1 << 18;

/// Pixels of the smaller one.
const FEW: usize = 1 << 16;

/// Images of a small batch: some networks cannot train on one.
const BATCH: usize = 2;

/// Sides of small images are multiples of this, so that every level of a network has its share.
const MULTIPLE: usize = 32;

impl Trial {
    /// The peak in bytes of a process that does this with the network of the config.
    pub(crate) fn estimate(self, arguments: &SummaryArguments) -> Result<u64> {
        if self.pixels() <= MANY {
            return self.measured(arguments);
        }
        let point = |trial: Self| Ok::<_, anyhow::Error>((trial.pixels(), trial.measured(arguments)?));
        Ok(on_the_line([point(self.shrunk(FEW))?, point(self.shrunk(MANY))?], self.pixels()))
    }

    fn pixels(self) -> usize {
        self.batch * self.size.0 * self.size.1
    }

    /// The same work on about so many pixels of images of the same form.
    fn shrunk(self, pixels: usize) -> Self {
        let batch = self.batch.min(BATCH);
        let (height, width) = self.size;
        let factor = (pixels as f64 / (batch * height * width) as f64).sqrt();
        let side = |side: usize| {
            let small = factor * side as f64 / MULTIPLE as f64;
            (small.round() as usize).max(1) * MULTIPLE
        };
        Self { batch, size: (side(height), side(width)), ..self }
    }

    /// The peak of a process of this program that was asked for this trial.
    fn measured(self, arguments: &SummaryArguments) -> Result<u64> {
        let program = std::env::current_exe().context("the path of this program is unknown")?;
        let mut command = Command::new(program);
        command.args(["summary", &arguments.experiment, "--trial", &self.to_string()]);
        command.args(arguments.set.iter().flat_map(|change| ["--set", change]));
        let output = command.stderr(Stdio::inherit()).output().context("cannot start a process")?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().parse() {
            Ok(peak) if output.status.success() => Ok(peak),
            _ => bail!(
                "estimating memory: the trial {self} ended with {} and '{}'",
                output.status,
                text.trim()
            ),
        }
    }

    /// Does the work in this process, twice, since an optimizer's state comes with the first step; prints the peak.
    pub(crate) fn run(self, mut work: impl FnMut(Self) -> Result<()>) -> Result<()> {
        work(self)?;
        work(self)?;
        println!("{}", peak_memory().context("the system does not tell the most memory that was held")?);
        Ok(())
    }
}

/// The height over `pixels` of the line through two points (pixels, bytes).
fn on_the_line([(few, least), (many, most)]: [(usize, u64); 2], pixels: usize) -> u64 {
    let slope = (most as f64 - least as f64) / (many as f64 - few as f64);
    (most as f64 + slope * (pixels as f64 - many as f64)) as u64
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let work = match self.work {
            Work::Train => "train",
            Work::Predict => "predict",
        };
        write!(f, "{work}:{}x{}x{}", self.batch, self.size.0, self.size.1)
    }
}

impl FromStr for Trial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}': expected train or predict and BATCHxHEIGHTxWIDTH, such as train:2x64x64");
        let (work, sizes) = text.split_once(':').ok_or_else(wrong)?;
        let work = match work {
            "train" => Work::Train,
            "predict" => Work::Predict,
            _ => return Err(wrong()),
        };
        let sizes: Vec<usize> =
            sizes.split('x').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        match sizes[..] {
            [batch, height, width] => Ok(Self { work, batch, size: (height, width) }),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Trial = Trial { work: Work::Train, batch: 1, size: (1248, 1344) };

    #[test]
    fn a_trial_is_written_and_read() {
        assert_eq!(STEP.to_string(), "train:1x1248x1344");
        assert_eq!(STEP.to_string().parse(), Ok(STEP));
        for wrong in ["train", "test:1x2x3", "train:1x2", "train:1x2xA"] {
            assert!(wrong.parse::<Trial>().unwrap_err().contains(wrong));
        }
    }

    #[test]
    fn small_steps_keep_the_form() {
        assert_eq!(STEP.shrunk(MANY).size, (480, 544));
        assert_eq!(STEP.shrunk(FEW).size, (256, 256));
        let wide = Trial { batch: 8, size: (473, 473), ..STEP };
        assert_eq!((wide.shrunk(FEW).batch, wide.shrunk(FEW).size), (2, (192, 192)));
        assert_eq!(Trial { size: (20, 4000), ..STEP }.shrunk(FEW).size.0, 32);
    }

    #[test]
    fn memory_lies_on_a_line() {
        assert_eq!(on_the_line([(100, 1100), (300, 1300)], 1000), 2000);
    }
}
