//! The table of a network's stages, and that of the memory its work needs.

use anyhow::Result;
use sconce_runs::Table;
use sconce_tensors::Cost;

use crate::cli::SummaryArguments;
use crate::estimate::{Trial, Work};

/// Prints parameters and multiply-adds of each stage and their sums.
pub(crate) fn print(name: &str, (height, width): (usize, usize), stages: &[(String, Cost)]) {
    let total = |of: fn(&Cost) -> u64| stages.iter().map(|(_, cost)| of(cost)).sum();
    let (parameters, multiply_adds): (u64, u64) =
        (total(|cost| cost.parameters), total(|cost| cost.multiply_adds));
    let mut table = Table::new(["stage", "output", "parameters", "multiply-adds", "share"]);
    for (stage, cost) in stages {
        let output = format!("{}x{}", cost.size.0, cost.size.1);
        let share = format!("{:.1} %", 100.0 * cost.multiply_adds as f64 / multiply_adds as f64);
        table.push([stage.clone(), output, grouped(cost.parameters), giga(cost.multiply_adds), share]);
    }
    table.push(["total".to_owned(), String::new(), grouped(parameters), giga(multiply_adds), String::new()]);
    println!("{name} at {height}x{width} pixels, one image\n\n{table}");
}

/// Prints the peak of memory that a training step on so many images of `size` (height, width) and a prediction of one are estimated to
/// have, unless the user wants none of it.
pub(crate) fn print_memory(batch: usize, size: (usize, usize), arguments: &SummaryArguments) -> Result<()> {
    if arguments.no_memory {
        return Ok(());
    }
    let mut table = Table::new(["work", "images", "size", "peak of memory"]);
    for (name, work, batch) in [("training step", Work::Train, batch), ("prediction", Work::Predict, 1)] {
        let peak = Trial { work, batch, size }.estimate(arguments)? as f64 / f64::from(1 << 30);
        let size = format!("{}x{}", size.0, size.1);
        table.push([name.to_owned(), batch.to_string(), size, format!("{peak:.2} GiB")]);
    }
    println!("the whole process, estimated from small steps\n\n{table}");
    Ok(())
}

/// 66540303 as 66,540,303.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Multiply-adds in units of 10^9.
fn giga(number: u64) -> String {
    format!("{:.3} G", number as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(66_540_303), "66,540,303");
        assert_eq!(grouped(100), "100");
        assert_eq!(giga(268_500_000_000), "268.500 G");
    }
}
