//! Ratios to the peer's times, taken in one sitting: ours, the peer's, ours, the peer's, …

use std::path::Path;

use anyhow::Result;
use sconce_runs::Table;

use super::Case;
use super::process;
use super::timing::{Measurement, median};
use crate::cli::BenchArguments;

/// The measurements of one case, round after round.
struct Rounds {
    ours: Vec<Measurement>,
    peer: Vec<Measurement>,
}

/// Prints a table with a row a case.
pub(super) fn compare(python: &Path, cases: &[Case], arguments: &BenchArguments) -> Result<()> {
    let &BenchArguments { threads, rounds, .. } = arguments;
    let mut table =
        Table::new(["case", "ours ms", "peer ms", "ratio", "spread", "ours MiB", "peer MiB", "ratio"]);
    for case in cases {
        let mut found = Rounds { ours: Vec::new(), peer: Vec::new() };
        for round in 1..=rounds {
            eprintln!("{}, round {round} of {rounds}", case.name);
            found.ours.push(process::ours(case, arguments)?);
            found.peer.push(process::peer(python, case, arguments)?);
        }
        table.push(found.row(&case.name));
    }
    println!("{threads} threads, medians of {rounds} rounds; a ratio below 1 is in our favour\n\n{table}");
    Ok(())
}

impl Rounds {
    fn row(&self, case: &str) -> [String; 8] {
        let times = |all: &[Measurement]| all.iter().map(|one| one.median_ms).collect::<Vec<_>>();
        let memory = |all: &[Measurement]| all.iter().map(|one| one.peak_mib as f64).collect::<Vec<_>>();
        let (ours, peer) = (median(&mut times(&self.ours)), median(&mut times(&self.peer)));
        let mut ratios: Vec<_> =
            times(&self.ours).iter().zip(times(&self.peer)).map(|(ours, peer)| ours / peer).collect();
        let ratio = median(&mut ratios); // sorted from here on
        let spread = format!("{:.2}-{:.2}", ratios[0], ratios[ratios.len() - 1]);
        let (our_memory, peer_memory) = (median(&mut memory(&self.ours)), median(&mut memory(&self.peer)));
        [
            case.to_owned(),
            format!("{ours:.1}"),
            format!("{peer:.1}"),
            format!("{ratio:.2}"),
            spread,
            format!("{our_memory:.0}"),
            format!("{peer_memory:.0}"),
            format!("{:.2}", our_memory / peer_memory),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(median_ms: f64, peak_mib: u64) -> Measurement {
        Measurement::for_tests("op/matmul_2048", median_ms, peak_mib)
    }

    #[test]
    fn a_row_holds_medians_and_the_spread_of_the_ratios() {
        let rounds = Rounds {
            ours: vec![measurement(5.0, 100), measurement(6.0, 100), measurement(9.0, 120)],
            peer: vec![measurement(10.0, 400), measurement(10.0, 400), measurement(20.0, 400)],
        };
        let want = ["op/x", "6.0", "10.0", "0.50", "0.45-0.60", "100", "400", "0.25"];
        assert_eq!(rounds.row("op/x"), want.map(str::to_owned));
    }
}
