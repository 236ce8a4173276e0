//! `bench --profile`: where the time of a training step or a prediction goes.

use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use sconce_runs::Table;
use sconce_tensors::{Spent, profiled};

use super::Case;
use super::limits::Limits;
use super::network::Job;
use super::process;
use super::timing::median;
use crate::cli::BenchArguments;

/// Operations with a row of their own.
const ROWS: usize = 10;

/// Seconds for the limits of the machine.
const LIMITS: f64 = 1.0;

/// Prints the profile of each case, taken in a process of its own.
pub(super) fn run(cases: &[Case], arguments: &BenchArguments) -> Result<()> {
    for case in cases {
        println!("{}, {} threads", case.name, arguments.threads);
        process::profile(case, arguments)?;
    }
    Ok(())
}

/// The operations of a job.
#[derive(Debug)]
pub(super) struct Profile {
    /// Seconds of a run that nobody watches: the median.
    plain: f64,
    /// Seconds of all watched runs, and their number.
    watched: f64,
    runs: usize,
    /// Of all watched runs, the heaviest first.
    spent: Vec<Spent>,
    ceilings: Ceilings,
}

/// What the device can do at most.
#[derive(Debug, Clone, Copy)]
struct Ceilings {
    /// 10^9 f32 operations a second.
    gflops: f64,
    /// 10^9 bytes a second.
    bandwidth: f64,
}

impl Profile {
    /// Runs a job for about `seconds`, half of it watched.
    pub(super) fn take<E>(
        mut job: Job<impl FnMut() -> Result<(), E>>,
        seconds: f64,
        device: &Device,
    ) -> Result<Self>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        for _ in 0..2 {
            (job.work)().context("warming up")?;
        }
        let plain = median(&mut times(&mut job.work, seconds / 2.0)?);
        let (times, spent) = profiled(device, || times(&mut job.work, seconds / 2.0));
        let times = times?;
        let ceilings = Ceilings::of(device)?;
        Ok(Self { plain, watched: times.iter().sum(), runs: times.len(), spent, ceilings })
    }

    fn row(&self, spent: &Spent) -> [String; 9] {
        let runs = self.runs as f64;
        let &Spent { operation, ref form, backward, calls, seconds, bytes, multiply_adds } = spent;
        let (gflops, rate) = (2.0 * multiply_adds as f64 / seconds / 1e9, bytes as f64 / seconds / 1e9);
        let (arithmetic, memory) =
            (100.0 * gflops / self.ceilings.gflops, 100.0 * rate / self.ceilings.bandwidth);
        let if_any = |value: f64| if multiply_adds > 0 { format!("{value:.1}") } else { "-".to_owned() };
        [
            [operation, form].join(" ").trim_end().to_owned(),
            if backward { "backward" } else { "forward" }.to_owned(),
            format!("{:.0}", calls as f64 / runs),
            format!("{:.2}", 1e3 * seconds / runs),
            format!("{:.1}", 100.0 * seconds / self.watched),
            if_any(gflops),
            if_any(arithmetic),
            format!("{rate:.1}"),
            format!("{memory:.1}"),
        ]
    }

    /// Operations together, by name.
    fn sum(&self, name: &str, seconds: f64) -> [String; 9] {
        let mut row = std::array::from_fn(|_| "-".to_owned());
        row[0] = name.to_owned();
        row[3] = format!("{:.2}", 1e3 * seconds / self.runs as f64);
        row[4] = format!("{:.1}", 100.0 * seconds / self.watched);
        row
    }
}

const HEADER: [&str; 9] =
    ["operation", "pass", "calls", "ms", "of the run %", "GFLOP/s", "of arithmetic %", "GB/s", "of memory %"];

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Ceilings { gflops, bandwidth } = self.ceilings;
        let mut table = Table::new(HEADER);
        let heaviest = &self.spent[..self.spent.len().min(ROWS)];
        heaviest.iter().for_each(|spent| table.push(self.row(spent)));
        let seconds = |spent: &[Spent]| spent.iter().map(|spent| spent.seconds).sum::<f64>();
        let others = &self.spent[heaviest.len()..];
        if !others.is_empty() {
            table.push(self.sum(&format!("{} other operations", others.len()), seconds(others)));
        }
        table.push(self.sum("the rest", self.watched - seconds(&self.spent)));
        let (plain, watched) = (1e3 * self.plain, 1e3 * self.watched / self.runs as f64);
        writeln!(
            f,
            "at most {gflops:.1} GFLOP/s and {bandwidth:.1} GB/s; a run takes {plain:.1} ms, watched {watched:.1} ms\n"
        )?;
        writeln!(f, "{table}\n{NOTE}")
    }
}

/// What the columns hold.
const NOTE: &str = "ms: of a run, without operations inside; GFLOP/s: convolutions by their definition; GB/s: arguments read and results
written once. The rest: operations of candle (sums, joins, matrix products), the optimizer's step, memory.";

/// Seconds of at least three runs, for about `seconds`.
fn times<E>(work: &mut impl FnMut() -> Result<(), E>, seconds: f64) -> Result<Vec<f64>, E> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}

impl Ceilings {
    fn of(device: &Device) -> Result<Self> {
        if device.is_cpu() {
            let limits = Limits::measure(LIMITS)?;
            return Ok(Self { gflops: limits.arithmetic(), bandwidth: limits.bandwidth() });
        }
        Self::measured(device, 8192, 1 << 28)
    }

    /// A matrix product of `side` and a copy of so many floats, each the fastest of several.
    fn measured(device: &Device, side: usize, floats: usize) -> Result<Self> {
        let fastest = |work: &dyn Fn() -> candle_core::Result<Tensor>| -> Result<f64> {
            let mut run = || work().and_then(|result| device.synchronize().map(|()| drop(result)));
            run()?;
            Ok(times(&mut run, LIMITS / 2.0)?.into_iter().fold(f64::INFINITY, f64::min))
        };
        let matrix = Tensor::ones((side, side), DType::F32, device)?;
        let product = fastest(&|| matrix.matmul(&matrix))?;
        drop(matrix);
        let values = Tensor::zeros(floats, DType::F32, device)?;
        let copy = fastest(&|| values.copy())?;
        Ok(Self {
            gflops: 2.0 * (side as f64).powi(3) / product / 1e9,
            bandwidth: 8.0 * floats as f64 / copy / 1e9,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(operation: &'static str, seconds: f64, multiply_adds: u64) -> Spent {
        Spent {
            operation,
            form: String::new(),
            backward: true,
            calls: 6,
            seconds,
            bytes: 4_000_000_000,
            multiply_adds,
        }
    }

    #[test]
    fn rows_are_of_one_run_and_shares_of_the_ceilings() {
        let ceilings = Ceilings { gflops: 100.0, bandwidth: 10.0 };
        let all = (0..12).map(|_| spent("conv2d", 0.5, 10_000_000_000)).collect();
        let profile = Profile { plain: 3.0, watched: 8.0, runs: 2, spent: all, ceilings };
        let row = profile.row(&profile.spent[0]);
        assert_eq!(row, ["conv2d", "backward", "3", "250.00", "6.2", "40.0", "40.0", "8.0", "80.0"]);
        assert_eq!(profile.row(&spent("relu", 1.0, 0))[5..], ["-", "-", "4.0", "40.0"]);
        let text = profile.to_string();
        let line = |name: &str| {
            text.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().rev().nth(4)
        };
        assert_eq!(line("2 other operations"), Some("12.5"));
        assert_eq!(line("the rest"), Some("25.0"));
    }

    #[test]
    fn ceilings_are_measured_by_a_product_and_a_copy() {
        let Ceilings { gflops, bandwidth } = Ceilings::measured(&Device::Cpu, 64, 1 << 16).unwrap();
        assert!(gflops > 0.0 && bandwidth > 0.0 && gflops.is_finite() && bandwidth.is_finite());
    }
}
