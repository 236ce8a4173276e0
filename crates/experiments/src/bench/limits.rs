//! Operations held against the limits of the machine: its arithmetic and its memory.

use anyhow::Result;
use sconce_runs::Table;
use sconce_tensors::{memory_bandwidth, peak_multiply_adds, vector_width};
use serde::{Deserialize, Serialize};

use super::Case;
use super::process;
use super::timing::Measurement;
use crate::cli::BenchArguments;

/// What all threads together can do at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// f32 numbers in a vector.
    lanes: usize,
    /// 10^9 f32 operations a second in registers: a multiply-add is 2.
    gflops: f64,
    /// 10^9 bytes a second, reading 512 MiB.
    read: f64,
    /// 10^9 bytes a second, reading 256 MiB and writing as many: both count.
    copy: f64,
}

impl Limits {
    /// Takes the limits of this process's threads, for about `seconds`.
    pub(super) fn measure(seconds: f64) -> Result<Self> {
        let gflops = 2.0 * peak_multiply_adds(seconds / 2.0) / 1e9;
        let memory = memory_bandwidth(seconds / 2.0);
        Ok(Self { lanes: vector_width()?, gflops, read: memory.read / 1e9, copy: memory.copy / 1e9 })
    }

    /// 10^9 f32 operations a second.
    pub(super) fn arithmetic(&self) -> f64 {
        self.gflops
    }

    pub(super) fn bandwidth(&self) -> f64 {
        self.read.max(self.copy)
    }

    fn row(&self, found: &Measurement) -> [String; 8] {
        let arithmetic = found.gflops.zip(found.limit_gflops).map(|(gflops, limit)| 100.0 * gflops / limit);
        let memory = found.gb_per_s.map(|rate| 100.0 * rate / self.bandwidth());
        let binds = match arithmetic.zip(memory) {
            None => "-",
            Some((arithmetic, memory)) if arithmetic >= memory => "arithmetic",
            Some(_) => "memory",
        };
        let text = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let [gflops, limit, rate] = [found.gflops, found.limit_gflops, found.gb_per_s].map(text);
        let ms = format!("{:.2}", found.median_ms);
        [found.case.clone(), ms, gflops, limit, text(arithmetic), rate, text(memory), binds.to_owned()]
    }
}

/// What the columns hold, in the order of the table.
const NOTE: &str = "GFLOP/s and GB/s are 10^9 a second at the median: a multiply-add is 2 operations, as the definition of the
convolution counts them; each argument is read once and each result written once. limit: what the arithmetic did between
the runs of that case, the median as well; the share of arithmetic is of that. The share of memory is of the faster of
reading and copying above; the larger share binds. 3x3 convolutions of stride 1 do 4/9 or 1/4 of the multiply-adds (minimal
filtering), so their share of the arithmetic may exceed 100 %; arguments that stay in a cache may carry the share of the
memory beyond 100 %.";

/// Prints the limits, and a table with a row a case.
pub(super) fn compare(cases: &[Case], arguments: &BenchArguments) -> Result<()> {
    let &BenchArguments { threads, seconds, .. } = arguments;
    eprintln!("limits");
    let limits: Limits = process::limits(threads, seconds)?;
    let Limits { lanes, gflops, read, copy } = limits;
    println!(
        "{threads} threads, vectors of {lanes}: {gflops:.1} GFLOP/s, reads {read:.1} GB/s, copies {copy:.1} GB/s\n"
    );
    let header = ["case", "ms", "GFLOP/s", "limit", "of arithmetic %", "GB/s", "of memory %", "binds"];
    let mut table = Table::new(header);
    for case in cases {
        eprintln!("{}", case.name);
        table.push(limits.row(&process::ours(case, arguments)?));
    }
    println!("{table}\n{NOTE}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_share_binds() {
        let limits = Limits { lanes: 16, gflops: 200.0, read: 20.0, copy: 16.0 };
        let found = Measurement {
            gflops: Some(50.0),
            gb_per_s: Some(15.0),
            limit_gflops: Some(160.0),
            ..Measurement::for_tests("op/x", 2.0, 100)
        };
        assert_eq!(limits.row(&found), ["op/x", "2.00", "50.0", "160.0", "31.2", "15.0", "75.0", "memory"]);
        let found = Measurement { gb_per_s: Some(4.0), ..found };
        assert_eq!(limits.row(&found)[6..], ["20.0", "arithmetic"]);
        let found = Measurement { gb_per_s: None, ..found };
        assert_eq!(limits.row(&found)[4..], ["31.2", "-", "-", "-"]);
    }
}
