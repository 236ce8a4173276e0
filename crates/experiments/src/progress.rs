//! Shows where a training run stands: one line rewritten in place on a terminal, now and then a line elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sconce_runs::{Progress, StepTime};

/// How often a line is printed where there is no terminal, as in a log file.
const WITHOUT_TERMINAL: Duration = Duration::from_secs(30);

/// The line, and the clock of the step under way.
pub(crate) struct ProgressLine {
    progress: Progress,
    bar: ProgressBar,
    begun: Instant,
    printed: Instant,
}

impl ProgressLine {
    pub(crate) fn new(epochs: usize, steps_per_epoch: usize, done: usize) -> Self {
        let now = Instant::now();
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        Self { progress: Progress::new(epochs, steps_per_epoch, done), bar, begun: now, printed: now }
    }

    /// Counts a step of `images` images that has just ended, after `waiting` for its batch; gives what it cost.
    pub(crate) fn step(&mut self, images: usize, waiting: Duration, loss: f64, lr: f64) -> StepTime {
        let cost = StepTime { images, time: self.begun.elapsed(), waiting };
        self.progress.step(cost);
        self.begun = Instant::now();
        let line = self.progress.line(loss, lr).to_string();
        if self.bar.is_hidden() && self.printed.elapsed() >= WITHOUT_TERMINAL {
            self.printed = Instant::now();
            println!("{line}");
        }
        self.bar.set_message(line);
        cost
    }

    /// Prints a line that stays.
    pub(crate) fn note(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }

    /// Tells at the end of a training how many steps were left out, if any.
    pub(crate) fn tell_skipped(&self, skipped: usize, steps: usize) {
        if skipped > 0 {
            self.note(&format!("skipped {skipped} of {steps} steps, not finite"));
        }
    }

    /// Prints a line that stays, at the end of a pause for scoring and saving.
    pub(crate) fn after_pause(&mut self, line: &str) {
        self.progress.pause(self.begun.elapsed());
        self.begun = Instant::now();
        self.bar.suspend(|| println!("{line}"));
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
