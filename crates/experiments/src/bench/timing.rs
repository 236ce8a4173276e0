//! How a figure is taken: two runs to warm up, then as many as fit the time, at least three.

use std::ops::Mul;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sconce_runs::peak_memory;
use sconce_tensors::peak_multiply_adds;
use serde::{Deserialize, Serialize};

/// Runs after which a case ends before its time is over.
const MOST_RUNS: usize = 200;

/// One line of output; the peer prints the same fields with its own version in place of `sconce`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measurement {
    pub(super) case: String,
    /// Of the input.
    pub(super) shape: Vec<usize>,
    pub(super) median_ms: f64,
    pub(super) min_ms: f64,
    pub(super) runs: usize,
    /// 10^9 operations a second at the median: a multiply-add is 2; convolutions and matrix products only.
    pub(super) gflops: Option<f64>,
    /// 10^9 bytes a second at the median, if each argument is read once and each result written once: the traffic that no
    /// implementation avoids unless a cache holds them. Single operations only; the peer does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gb_per_s: Option<f64>,
    /// 10^9 operations a second that the arithmetic could have done: the median, if the plan asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit_gflops: Option<f64>,
    /// The most memory the process has held, or its tensors on a GPU, in MiB.
    pub(super) peak_mib: u64,
    pub(super) threads: usize,
    /// Version of the program that was timed.
    #[serde(alias = "torch")]
    pub(super) sconce: String,
}

impl Measurement {
    #[cfg(test)]
    pub(super) fn for_tests(case: &str, median_ms: f64, peak_mib: u64) -> Self {
        Self {
            case: case.to_owned(),
            shape: vec![2048, 2048],
            median_ms,
            min_ms: median_ms,
            runs: 3,
            gflops: None,
            gb_per_s: None,
            limit_gflops: None,
            peak_mib,
            threads: 1,
            sconce: String::new(),
        }
    }

    /// With the peak of a GPU's memory, if it was taken on one.
    pub(super) fn on_card(self, peak: Option<u64>) -> Self {
        Self { peak_mib: peak.map_or(self.peak_mib, |bytes| bytes >> 20), ..self }
    }

    pub(super) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

/// How a case is timed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Beyond the runs that there are at least.
    pub(super) seconds: f64,
    /// Whether the limit of the arithmetic is taken between the runs: a shared machine does not always do as much.
    pub(super) limit: bool,
}

impl Plan {
    /// 10^9 operations a second that the threads do together now; 0 if nobody asks.
    fn limit_now(self) -> f64 {
        if self.limit { 2.0 * peak_multiply_adds(0.0) / 1e9 } else { 0.0 }
    }
}

/// What one run of a case takes at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) multiply_adds: f64,
    /// Of the arguments and the results.
    pub(super) bytes: Option<f64>,
}

impl Mul<Needs> for f64 {
    type Output = Needs;

    fn mul(self, needs: Needs) -> Needs {
        Needs { multiply_adds: self * needs.multiply_adds, bytes: needs.bytes.map(|bytes| self * bytes) }
    }
}

/// Times `work`, of which one run needs `needs`, where that is counted.
pub(super) fn measure<E: std::error::Error + Send + Sync + 'static>(
    case: &str,
    shape: &[usize],
    needs: Option<Needs>,
    plan: Plan,
    mut work: impl FnMut() -> Result<(), E>,
) -> Result<Measurement> {
    work().and_then(|()| work()).with_context(|| case.to_owned())?;
    let end = Instant::now() + Duration::from_secs_f64(plan.seconds);
    let (mut times, mut limits) = (Vec::new(), vec![plan.limit_now()]);
    while times.len() < 3 || (Instant::now() < end && times.len() < MOST_RUNS) {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        limits.push(plan.limit_now());
    }
    let median_ms = median(&mut times);
    Ok(Measurement {
        case: case.to_owned(),
        shape: shape.to_vec(),
        median_ms: rounded(median_ms, 2),
        min_ms: rounded(times[0], 2),
        runs: times.len(),
        gflops: needs.map(|needs| rounded(2.0 * needs.multiply_adds / median_ms / 1e6, 1)),
        gb_per_s: needs.and_then(|needs| needs.bytes).map(|bytes| rounded(bytes / median_ms / 1e6, 2)),
        limit_gflops: plan.limit.then(|| rounded(median(&mut limits), 1)),
        peak_mib: peak_memory().context("the system does not tell the most memory that was held")? >> 20,
        threads: rayon::current_num_threads(),
        sconce: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// The middle value, or the mean of the two in the middle; sorts the values.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(rounded(1.2345, 2), 1.23);
    }

    #[test]
    fn a_line_of_the_peer_is_read() {
        let line = r#"{"case": "op/matmul_2048", "shape": [2048, 2048], "median_ms": 52.63, "min_ms": 51.22, "runs": 56,
            "gflops": null, "peak_mib": 3678, "threads": 2, "torch": "2.15.0"}"#;
        let measurement: Measurement = serde_json::from_str(line).unwrap();
        assert_eq!((measurement.runs, measurement.gflops), (56, None));
        assert_eq!(measurement.sconce, "2.15.0");
        let ours = measurement.to_json().unwrap();
        assert_eq!(serde_json::from_str::<Measurement>(&ours).unwrap(), measurement);
        assert_eq!(measurement.clone().on_card(None), measurement);
        assert_eq!(measurement.on_card(Some(5 << 20)).peak_mib, 5);
    }
}
