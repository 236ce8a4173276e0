//! Curves of one or several runs as pictures: SVG to enlarge, PNG to paste.

mod chart;

use std::path::{Path, PathBuf};

use crate::report::title;
use crate::{Error, Rows, Run};
use chart::{Chart, Curve};

/// What [`plot`] draws.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlotConfig {
    /// Columns of log.tsv, epochs.tsv and times.tsv; all that there are if empty.
    pub columns: Vec<String>,
    /// How much of the running mean a further point leaves as it was, 0 (no smoothing) to below 1.
    pub smoothing: f64,
}

/// Draws a chart of each column, with a curve for each run that has it, into `folder` as `COLUMN.svg` and `COLUMN.png`.
/// Gives the files written.
///
/// # Errors
///
/// No run has the column, a log cannot be read, or a file cannot be written.
pub fn plot(runs: &[Run], folder: &Path, config: &PlotConfig) -> Result<Vec<PathBuf>, Error> {
    let logs: Vec<(&Run, Vec<Rows>)> =
        runs.iter().map(|run| Ok((run, logs(run)?))).collect::<Result<_, Error>>()?;
    let known = columns(&logs);
    let wanted = if config.columns.is_empty() { &known } else { &config.columns };
    if let Some(column) = wanted.iter().find(|column| !known.contains(column)) {
        return Err(Error::NoColumn { column: column.clone(), known });
    }
    let mut written = Vec::new();
    for column in wanted {
        written
            .extend(chart(column, &logs, config.smoothing).write(folder, &column.replace(['/', '\\'], "_"))?);
    }
    Ok(written)
}

/// Draws curves of shares, such as precision over recall, into `folder` as `NAME.svg` and `NAME.png`: both axes, named x and y, go
/// from 0 to 1. Gives the files written.
///
/// # Errors
///
/// A file cannot be written.
pub fn plot_shares(
    folder: &Path,
    name: &str,
    [x, y]: [&'static str; 2],
    curves: &[(String, Vec<[f64; 2]>)],
) -> Result<Vec<PathBuf>, Error> {
    let curves = curves.iter().map(|(name, points)| Curve::new(name.clone(), points, 0.0)).collect();
    Chart::new(format!("{y} over {x}"), x, curves).of_shares().write(folder, name)
}

/// The logs that the run has.
fn logs(run: &Run) -> Result<Vec<Rows>, Error> {
    let paths = ["log.tsv", "epochs.tsv", "times.tsv"].map(|name| run.folder().join(name));
    paths.iter().filter(|path| path.exists()).map(|path| Rows::read(path)).collect()
}

/// All columns that hold a number, in the order of the files.
fn columns(runs: &[(&Run, Vec<Rows>)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for rows in runs.iter().flat_map(|(_, logs)| logs) {
        for column in &rows.columns {
            let number = !["step", "epoch", "images"].contains(&column.as_str());
            if number && !found.contains(column) && !rows.points(column).is_empty() {
                found.push(column.clone());
            }
        }
    }
    found
}

/// One column of some runs.
fn chart(column: &str, runs: &[(&Run, Vec<Rows>)], smoothing: f64) -> Chart {
    let curve = |(run, logs): &(&Run, Vec<Rows>)| {
        let points = logs.iter().map(|rows| rows.points(column)).find(|points| !points.is_empty())?;
        Some(Curve::new(run.name(), &points, smoothing))
    };
    Chart::new(title(column), "step", runs.iter().filter_map(curve).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Log;
    use crate::plot::chart::SIZE;

    fn run(root: &Path, name: &str) -> Run {
        let run = Run::create(root, name, "").unwrap();
        let mut log = Log::open(&run.log(), &["step", "epoch", "lr", "loss"]).unwrap();
        for step in 1..=60_u64 {
            let loss = if step == 30 { f64::NAN } else { 2.0 / step as f64 };
            log.append(&[step.into(), 1_u64.into(), 0.01.into(), loss.into()]).unwrap();
        }
        run
    }

    #[test]
    fn every_column_becomes_two_pictures() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (run(root.path(), "a"), run(root.path(), "<b>"));
        let config = PlotConfig { smoothing: 0.5, ..PlotConfig::default() };
        let written = plot(&[a, b], &root.path().join("plots"), &config).unwrap();
        let names: Vec<_> = written.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["lr.svg", "lr.png", "loss.svg", "loss.png"]);
        let svg = std::fs::read_to_string(&written[2]).unwrap();
        assert!(svg.contains("<polyline") && svg.contains("loss") && svg.contains("&lt;b&gt;/"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("<b>"));
        let png = image::open(&written[3]).unwrap().into_rgb8();
        assert_eq!(png.dimensions(), SIZE);
        let orange = png.pixels().filter(|p| p.0[0] > 180 && p.0[1] < 120 && p.0[2] < 60).count();
        assert!(orange > 300, "{orange} pixels of the second run's curve");
    }

    #[test]
    fn an_unknown_column_lists_those_there_are() {
        let root = tempfile::tempdir().unwrap();
        let runs = [run(root.path(), "a")];
        let config = PlotConfig { columns: vec!["loss".into(), "lost".into()], smoothing: 0.0 };
        let error = plot(&runs, root.path(), &config).unwrap_err().to_string();
        assert!(error.contains("'lost'") && error.contains("lr, loss"), "{error}");
        assert!(!root.path().join("loss.svg").exists());
    }

    #[test]
    fn shares_have_axes_from_0_to_1() {
        let folder = tempfile::tempdir().unwrap();
        let curves = [("network".to_owned(), vec![[0.2, 0.9], [0.8, 0.5]])];
        let written = plot_shares(folder.path(), "curve", ["recall", "precision"], &curves).unwrap();
        assert_eq!(written[0], folder.path().join("curve.svg"));
        let svg = std::fs::read_to_string(&written[0]).unwrap();
        for word in ["precision over recall", "0.5", "0.9"] {
            assert!(svg.contains(word), "{word}: {svg}");
        }
    }
}
