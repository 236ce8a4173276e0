//! How time and memory grow with the number of pixels.

use anyhow::Result;
use sconce_runs::{Table, available_memory};

use super::Case;
use super::process;
use super::timing::{Measurement, median};
use crate::cli::BenchArguments;

/// Part of the available memory that a case may be expected to need.
const SHARE: f64 = 0.9;

const NOTE: &str = "ms: a training step or a prediction, the median over the rounds; ns/pixel: the same per pixel of the batch; deviation:
of that from the mean over the sizes; peak: the most memory the process has held; fixed: the part of it that does not depend
on the size, taken as that which makes the rest per pixel as equal as can be over the sizes (least squares); KiB/pixel: the
rest.";

/// One size of a series.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    name: String,
    /// Of all images of the batch.
    pixels: f64,
    /// Why there are no figures where there are none.
    figures: Result<Figures, String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Figures {
    /// Of each round.
    ms: Vec<f64>,
    /// Of all rounds.
    peak_mib: f64,
}

impl Figures {
    fn ms(&self) -> f64 {
        median(&mut self.ms.clone())
    }

    fn add(&mut self, found: &Measurement) {
        self.ms.push(found.median_ms);
        self.peak_mib = self.peak_mib.max(found.peak_mib as f64);
    }
}

/// Prints a table with a row a case; the cases of a series stand together, small images first.
pub(super) fn run(cases: &[Case], arguments: &BenchArguments) -> Result<()> {
    let header = ["case", "ms", "ns/pixel", "deviation %", "peak MiB", "fixed MiB", "KiB/pixel", "remark"];
    let mut table = Table::new(header);
    for series in cases.chunk_by(|one, next| series(&one.name) == series(&next.name)) {
        rows(&measure(series, arguments)?).into_iter().for_each(|row| table.push(row));
    }
    println!("{} threads\n\n{table}\n{NOTE}", arguments.threads);
    Ok(())
}

/// `train/unet_bilinear` of `train/unet_bilinear@128`.
fn series(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

/// All sizes in turn, round after round, so that a slow phase of the machine does not hit a single size.
fn measure(series: &[Case], arguments: &BenchArguments) -> Result<Vec<Point>> {
    let mut points = first_round(series, arguments)?;
    for _ in 1..arguments.rounds {
        for (case, point) in series.iter().zip(&mut points) {
            if let Ok(figures) = &mut point.figures {
                eprintln!("{}", case.name);
                figures.add(&process::ours(case, arguments)?);
            }
        }
    }
    Ok(points)
}

fn first_round(series: &[Case], arguments: &BenchArguments) -> Result<Vec<Point>> {
    let mut points = Vec::new();
    for case in series {
        let pixels = case.pixels();
        let figures = match obstacle(&peaks(&points), pixels, available_memory()) {
            Some(reason) => Err(reason),
            None => {
                eprintln!("{}", case.name);
                let found = process::ours(case, arguments)?;
                Ok(Figures { ms: vec![found.median_ms], peak_mib: found.peak_mib as f64 })
            }
        };
        points.push(Point { name: case.name.clone(), pixels, figures });
    }
    Ok(points)
}

/// Pixels and peak in MiB of the sizes that were measured.
fn peaks(points: &[Point]) -> Vec<(f64, f64)> {
    let peak = |point: &Point| Some((point.pixels, point.figures.as_ref().ok()?.peak_mib));
    points.iter().filter_map(peak).collect()
}

/// Why so many pixels should not be tried: on a straight line through the last two peaks they need more memory than there
/// is.
fn obstacle(peaks: &[(f64, f64)], pixels: f64, available: Option<u64>) -> Option<String> {
    let &[.., (few, least), (many, most)] = peaks else { return None };
    let need = most + (most - least) / (many - few) * (pixels - many);
    let available = available? as f64 / f64::from(1 << 20);
    let gib = |mib: f64| mib / 1024.0;
    (need > SHARE * available)
        .then(|| format!("needs about {:.1} GiB, {:.1} are available", gib(need), gib(available)))
}

/// The part of the peak, in MiB, that does not depend on the pixels: the slope of (peak / pixels) over (1 / pixels).
fn fixed(peaks: &[(f64, f64)]) -> Option<f64> {
    if peaks.len() < 2 {
        return None;
    }
    let xs = peaks.iter().map(|(pixels, _)| 1.0 / pixels);
    let ys = peaks.iter().map(|(pixels, peak)| peak / pixels);
    let (x_mean, y_mean) = (mean(xs.clone()), mean(ys.clone()));
    let products = xs.clone().zip(ys).map(|(x, y)| (x - x_mean) * (y - y_mean));
    Some(products.sum::<f64>() / xs.map(|x| (x - x_mean).powi(2)).sum::<f64>())
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

fn rows(points: &[Point]) -> Vec<[String; 8]> {
    let per_pixel = |point: &Point, figures: &Figures| figures.ms() * 1e6 / point.pixels;
    let times = points.iter().filter_map(|point| Some(per_pixel(point, point.figures.as_ref().ok()?)));
    let mean = mean(times);
    let fixed = fixed(&peaks(points));
    let row = |point: &Point| {
        let missing = || "-".to_owned();
        match &point.figures {
            Err(reason) => {
                let [ms, ns, deviation, peak, base, kib] = std::array::from_fn(|_| missing());
                [point.name.clone(), ms, ns, deviation, peak, base, kib, reason.clone()]
            }
            Ok(figures) => {
                let ns = per_pixel(point, figures);
                let kib = fixed.map(|fixed| (figures.peak_mib - fixed) * 1024.0 / point.pixels);
                [
                    point.name.clone(),
                    format!("{:.1}", figures.ms()),
                    format!("{ns:.1}"),
                    format!("{:+.1}", 100.0 * (ns / mean - 1.0)),
                    format!("{:.0}", figures.peak_mib),
                    fixed.map_or_else(missing, |fixed| format!("{fixed:.0}")),
                    kib.map_or_else(missing, |kib| format!("{kib:.2}")),
                    String::new(),
                ]
            }
        }
    };
    points.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(size: u32, ms: f64, peak_mib: f64) -> Point {
        let pixels = f64::from(size * size);
        Point { name: format!("infer/x@{size}"), pixels, figures: Ok(Figures { ms: vec![ms], peak_mib }) }
    }

    #[test]
    fn a_straight_line_has_a_fixed_part_and_equal_shares() {
        // 100 MiB, and 4 KiB per pixel.
        let points = [point(128, 16.384, 164.0), point(256, 65.536, 356.0), point(512, 393.216, 1124.0)];
        let rows = rows(&points);
        assert_eq!(
            rows[0],
            ["infer/x@128", "16.4", "1000.0", "-14.3", "164", "100", "4.00", ""].map(str::to_owned)
        );
        assert_eq!(rows[2][2..4], ["1500.0", "+28.6"]);
        assert_eq!([&rows[1][6], &rows[2][6]], ["4.00", "4.00"]);
    }

    #[test]
    fn rounds_give_the_median_time_and_the_largest_peak() {
        let mut point = point(128, 30.0, 164.0);
        let figures = point.figures.as_mut().unwrap();
        figures.add(&Measurement::for_tests("infer/x@128", 10.0, 170));
        figures.add(&Measurement::for_tests("infer/x@128", 20.0, 160));
        assert_eq!((figures.ms(), figures.peak_mib), (20.0, 170.0));
    }

    #[test]
    fn a_single_size_has_no_fixed_part() {
        let rows = rows(&[point(128, 16.384, 164.0)]);
        assert_eq!(rows[0][3..], ["+0.0", "164", "-", "-", ""]);
    }

    #[test]
    fn what_needs_too_much_memory_is_left_out() {
        let peaks = [(100.0, 1024.0), (400.0, 4096.0)];
        assert_eq!(obstacle(&peaks, 1600.0, Some(20 << 30)), None);
        let reason = obstacle(&peaks, 1600.0, Some(17 << 30)).unwrap();
        assert_eq!(reason, "needs about 16.0 GiB, 17.0 are available");
        assert_eq!(obstacle(&peaks, 1600.0, None), None);
        assert_eq!(obstacle(&peaks[..1], 1600.0, Some(0)), None);
        let missing = Point { figures: Err(reason.clone()), ..point(40, 0.0, 0.0) };
        assert_eq!(rows(&[missing])[0][1..], ["-", "-", "-", "-", "-", "-", reason.as_str()]);
    }
}
