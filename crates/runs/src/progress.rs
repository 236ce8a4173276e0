//! How far a training run is, how fast it goes, and when it will end: computed here, printed elsewhere.

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Follows a training run step by step.
#[derive(Debug, Clone)]
pub struct Progress {
    epochs: usize,
    steps_per_epoch: usize,
    /// Steps done since the very beginning, runs before a resume included.
    done: usize,
    recent: VecDeque<StepTime>,
    /// Time in steps and in pauses since this process began.
    stepping: Duration,
    pausing: Duration,
}

/// The cost of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepTime {
    /// Images in its batch.
    pub images: usize,
    /// Time of the whole step, waiting included.
    pub time: Duration,
    /// Time spent waiting for the batch.
    pub waiting: Duration,
}

/// The state of a run at one moment. `Display` is one line for a terminal:
/// `epoch 3/30 step 120/800 loss 0.512 lr 2.4e-3 41.2 images/s data 3 % eta 12:30`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProgressLine {
    /// The current epoch, from 1, and how many there are.
    pub epoch: (usize, usize),
    /// The step within the epoch, from 1, and how many an epoch has.
    pub step: (usize, usize),
    /// The loss of the step.
    pub loss: f64,
    /// The learning rate of the step.
    pub lr: f64,
    /// Images per second over the recent steps.
    pub speed: f64,
    /// Share of the recent time spent waiting for data, 0..=1.
    pub waiting: f64,
    /// Time until the end; none before the first step.
    pub eta: Option<Duration>,
}

impl Progress {
    /// A run of `epochs` times `steps_per_epoch` steps, of which `done` were made before (0 for a new run).
    pub fn new(epochs: usize, steps_per_epoch: usize, done: usize) -> Self {
        let (stepping, pausing) = (Duration::ZERO, Duration::ZERO);
        Self { epochs, steps_per_epoch, done, recent: VecDeque::new(), stepping, pausing }
    }

    /// Counts a step that has just ended.
    pub fn step(&mut self, step: StepTime) {
        self.done += 1;
        self.stepping += step.time;
        if self.recent.len() == RECENT_STEPS {
            self.recent.pop_front();
        }
        self.recent.push_back(step);
    }

    /// Counts time between steps, such as an evaluation or a save: it delays the end but is no part of the speed.
    pub fn pause(&mut self, time: Duration) {
        self.pausing += time;
    }

    /// The state after the last step.
    pub fn line(&self, loss: f64, lr: f64) -> ProgressLine {
        let before = self.done.saturating_sub(1);
        let per_epoch = self.steps_per_epoch.max(1);
        let time: f64 = self.recent.iter().map(|step| step.time.as_secs_f64()).sum();
        let waiting: f64 = self.recent.iter().map(|step| step.waiting.as_secs_f64()).sum();
        let images: usize = self.recent.iter().map(|step| step.images).sum();
        ProgressLine {
            epoch: ((before / per_epoch + 1).min(self.epochs), self.epochs),
            step: (if self.done == 0 { 0 } else { before % per_epoch + 1 }, self.steps_per_epoch),
            loss,
            lr,
            speed: ratio(images as f64, time),
            waiting: ratio(waiting, time).min(1.0),
            eta: self.eta(),
        }
    }

    /// The remaining steps at the recent speed, and pauses in the proportion seen so far.
    fn eta(&self) -> Option<Duration> {
        let recent: Duration = self.recent.iter().map(|step| step.time).sum();
        let mean = recent.checked_div(self.recent.len() as u32)?;
        let remaining = (self.epochs * self.steps_per_epoch).saturating_sub(self.done);
        let pauses = ratio(self.pausing.as_secs_f64(), self.stepping.as_secs_f64());
        Duration::try_from_secs_f64(mean.as_secs_f64() * remaining as f64 * (1.0 + pauses)).ok()
    }
}

impl Display for ProgressLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { epoch: (epoch, epochs), step: (step, steps), loss, lr, speed, waiting, eta } = self;
        write!(f, "epoch {epoch}/{epochs} step {step}/{steps} loss {loss:.3} lr {lr:.1e} ")?;
        write!(f, "{speed:.1} images/s data {:.0} % eta ", 100.0 * waiting)?;
        f.write_str(&eta.map_or("--:--".to_string(), clock))
    }
}

/// Enough steps for a steady number, few enough to follow a change.
const RECENT_STEPS: usize = 50;

/// A time to read at a glance: `0:07`, `12:30`, `3:05:09`, `2d 04:10`; rounded to seconds, above a day to minutes.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{:02}", seconds % 60),
        (0, _) => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        _ => format!("{days}d {hours:02}:{minutes:02}"),
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn step(time: f64) -> StepTime {
        StepTime { images: 8, time: seconds(time), waiting: seconds(time / 4.0) }
    }

    #[test]
    fn the_line_reads_well() {
        let line = ProgressLine {
            epoch: (3, 30),
            step: (120, 800),
            loss: 0.51234,
            lr: 0.0024,
            speed: 41.23,
            waiting: 0.031,
            eta: Some(seconds(750.2)),
        };
        let want = "epoch 3/30 step 120/800 loss 0.512 lr 2.4e-3 41.2 images/s data 3 % eta 12:30";
        assert_eq!(line.to_string(), want);
        let start = Progress::new(2, 10, 0).line(f64::NAN, 0.1).to_string();
        assert_eq!(start, "epoch 1/2 step 0/10 loss NaN lr 1.0e-1 0.0 images/s data 0 % eta --:--");
    }

    #[test]
    fn times_are_written_by_length() {
        let cases = [
            (0.0, "0:00"),
            (7.4, "0:07"),
            (59.6, "1:00"),
            (750.0, "12:30"),
            (3599.5, "1:00:00"),
            (11_109.0, "3:05:09"),
            (86_399.0, "23:59:59"),
            (187_800.0, "2d 04:10"),
        ];
        for (time, want) in cases {
            assert_eq!(clock(seconds(time)), want);
        }
    }

    #[test]
    fn speed_follows_the_recent_steps() {
        let mut progress = Progress::new(1, 1000, 0);
        (0..100).for_each(|_| progress.step(step(4.0)));
        (0..RECENT_STEPS).for_each(|_| progress.step(step(0.5)));
        let line = progress.line(1.0, 0.1);
        assert!((line.speed - 16.0).abs() < 1e-9 && (line.waiting - 0.25).abs() < 1e-9);
        assert_eq!(line.eta, Some(seconds(850.0 * 0.5)));
    }

    #[test]
    fn pauses_delay_the_end_but_not_the_speed() {
        let mut progress = Progress::new(4, 10, 0);
        (0..10).for_each(|_| progress.step(step(1.0)));
        progress.pause(seconds(5.0));
        let line = progress.line(1.0, 0.1);
        assert_eq!(line.eta, Some(seconds(30.0 * 1.5)));
        assert!((line.speed - 8.0).abs() < 1e-9);
    }

    #[test]
    fn epochs_and_steps_are_counted_from_one() {
        let mut progress = Progress::new(3, 10, 18);
        let mut places = Vec::new();
        for _ in 0..4 {
            progress.step(step(1.0));
            let line = progress.line(1.0, 0.1);
            places.push((line.epoch.0, line.step.0));
        }
        assert_eq!(places, [(2, 9), (2, 10), (3, 1), (3, 2)]);
    }

    proptest! {
        #[test]
        fn any_run_has_sound_numbers(epochs in 0_usize..5, steps in 0_usize..5, done in 0_usize..30, times in prop::collection::vec(0.0..1e4, 0..9)) {
            let mut progress = Progress::new(epochs, steps, done);
            for time in times {
                progress.step(step(time));
                progress.pause(seconds(time));
            }
            let line = progress.line(1.0, 0.1);
            prop_assert!(line.epoch.0 <= epochs && line.speed.is_finite() && (0.0..=1.0).contains(&line.waiting));
            prop_assert!(!line.to_string().is_empty());
        }
    }
}
